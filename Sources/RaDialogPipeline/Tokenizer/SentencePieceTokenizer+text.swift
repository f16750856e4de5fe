extension SentencePieceTokenizer: TextTokenizer {
    package var bosToken: Int32? { beginToken }
    package var eosToken: Int32? { endToken }

    /// See `TextTokenizer`. Where special tokens are allowed, the text between two is encoded by itself, with its own dummy prefix: as LLaMA's
    /// first ("legacy") tokenizer and llama.cpp do it. User-defined pieces are text in SentencePiece: they are found either way.
    package func encode(_ text: String, addBOS: Bool, allowSpecial: Bool) -> [Int32] {
        guard allowSpecial else { return encode(text, bos: addBOS) }
        var parts: [(text: String, token: Int32)] = []
        var text = text
        text.withUTF8 { bytes in
            // Names begin and end with whole characters, so that the parts are UTF-8, too.
            specials.split(bytes, part: { parts.append((String(decoding: $0, as: UTF8.self), -1)) }, token: { parts.append(("", $0)) })
        }
        var tokens: [Int32] = addBOS ? [beginToken] : []
        for part in parts {
            if part.token >= 0 { tokens.append(part.token) } else { tokens += encode(part.text, bos: false) }
        }
        return tokens
    }

    package func makeTokenDecoder() -> any TokenDecoder { makeDecoder() }

    package func text(of token: Int32) -> String? { piece(token) }

    package func type(of token: Int32) -> TokenType? {
        guard token >= 0, token < vocabularySize else { return nil }
        switch model.pieces[Int(token)].type {
        case .normal: return .normal
        case .unknown: return .unknown
        case .control: return .control
        case .userDefined: return .userDefined
        case .unused: return .unused
        case .byte: return .byte
        }
    }

    package func specialToken(_ text: String) -> Int32? {
        specials.token(named: text) ?? userDefined.token(named: text)
    }
}

extension SentencePieceTokenizer.IncrementalDecoder: TokenDecoder {}
