/// A tokenizer as the metadata of a GGUF file describe it (keys `tokenizer.ggml.*`): `init(_: GGUF)`.
/// Source: docs/gguf.md of github.com/ggml-org/ggml.
package struct VocabularyDescription: Sendable {
    /// What a reader checks before it allocates: elements of `tokens`, `scores` and `types`; of `merges`; bytes of one token. A merge has at
    /// most twice the bytes of a token and a space.
    package static let maximumTokens = ByteLevelBPEVocabulary.maximumTokens
    package static let maximumMerges = ByteLevelBPEVocabulary.maximumMerges
    package static let maximumTokenBytes = ByteLevelBPEVocabulary.maximumTokenBytes

    /// `model`: "llama" (SentencePiece BPE) or "gpt2" (byte-level BPE).
    package var model: String
    /// `pre`: "gpt-2" or "smollm" for byte-level BPE. Ignored for SentencePiece.
    package var preTokenizer: String?
    /// `tokens`, by id.
    package var tokens: [String]
    /// `scores`, by id; SentencePiece needs them.
    package var scores: [Float]?
    /// `token_type`, by id: numbers of `TokenType`. Without it, all tokens are normal.
    package var types: [Int32]?
    /// `merges`: two tokens with a space between; byte-level BPE needs them.
    package var merges: [String]?
    /// `bos_token_id`
    package var bosToken: Int?
    /// `eos_token_id`
    package var eosToken: Int?
    /// `add_bos_token`. Without it: yes for SentencePiece, no for byte-level BPE.
    package var addBOS: Bool?
    /// `add_space_prefix`. Without it: yes for SentencePiece. Byte-level BPE does not do it.
    package var addSpacePrefix: Bool?

    package init(
        model: String, preTokenizer: String? = nil, tokens: [String], scores: [Float]? = nil, types: [Int32]? = nil, merges: [String]? = nil,
        bosToken: Int? = nil, eosToken: Int? = nil, addBOS: Bool? = nil, addSpacePrefix: Bool? = nil
    ) {
        self.model = model
        self.preTokenizer = preTokenizer
        self.tokens = tokens
        self.scores = scores
        self.types = types
        self.merges = merges
        self.bosToken = bosToken
        self.eosToken = eosToken
        self.addBOS = addBOS
        self.addSpacePrefix = addSpacePrefix
    }

    /// Builds the tokenizer. `source` is for messages: the file.
    /// - Throws: `.unsupportedVocabulary` for another model or pre-tokenizer, by name; `.damagedVocabulary` for what contradicts itself.
    package func makeTokenizer(source: String) throws(TokenizerError) -> any TextTokenizer {
        guard !tokens.isEmpty, tokens.count <= Self.maximumTokens else {
            throw .damagedVocabulary(source: source, reason: "it has \(tokens.count) tokens; 1 to \(Self.maximumTokens) are read")
        }
        guard tokens.reduce(0, { $0 + $1.utf8.count }) <= ByteLevelBPEVocabulary.maximumTotalBytes else {
            throw .damagedVocabulary(source: source, reason: "its tokens have more than \(ByteLevelBPEVocabulary.maximumTotalBytes) bytes")
        }
        switch model {
        case "llama": return try sentencePiece(source)
        case "gpt2": return try byteLevel(source)
        default:
            throw .unsupportedVocabulary(
                source: source, reason: "its tokenizer model is \(model.quotedStart); \"llama\" (SentencePiece) and \"gpt2\" (byte-level BPE) are implemented")
        }
    }

    private func tokenTypes(_ source: String) throws(TokenizerError) -> [TokenType] {
        guard let types else { return Array(repeating: .normal, count: tokens.count) }
        guard types.count == tokens.count else {
            throw .damagedVocabulary(source: source, reason: "it has \(tokens.count) tokens and \(types.count) token types")
        }
        var result: [TokenType] = []
        result.reserveCapacity(types.count)
        for (index, number) in types.enumerated() {
            guard let type = TokenType(rawValue: number) else {
                throw .damagedVocabulary(source: source, reason: "token \(index) has the unknown type \(number)")
            }
            result.append(type)
        }
        return result
    }

    private func identifier(_ value: Int?, _ name: String, _ source: String) throws(TokenizerError) -> Int32? {
        guard let value else { return nil }
        guard value >= 0, value < tokens.count else {
            throw .damagedVocabulary(source: source, reason: "its \(name) token is \(value), and it has \(tokens.count) tokens")
        }
        return Int32(value)
    }

    private func byteLevel(_ source: String) throws(TokenizerError) -> ByteLevelBPETokenizer {
        guard let kind = preTokenizer.flatMap(ByteLevelBPEPreTokenizer.init) else {
            let names = ByteLevelBPEPreTokenizer.allCases.map(\.rawValue).joined(separator: ", ")
            let found = preTokenizer.map { "is \($0.quotedStart)" } ?? "is not named"
            throw .unsupportedVocabulary(source: source, reason: "its pre-tokenizer \(found); implemented: \(names)")
        }
        guard addSpacePrefix != true else {
            throw .unsupportedVocabulary(source: source, reason: "it puts a space in front of the text (add_space_prefix), which byte-level BPE does not do here")
        }
        guard let merges else { throw .damagedVocabulary(source: source, reason: "it has no merges") }
        guard merges.count <= Self.maximumMerges else {
            throw .damagedVocabulary(source: source, reason: "it has \(merges.count) merges; \(Self.maximumMerges) are read")
        }
        return try ByteLevelBPETokenizer(
            ByteLevelBPEVocabulary(
                tokens: tokens, types: try tokenTypes(source), merges: try ByteLevelBPEVocabulary.pairs(merges, source: source), preTokenizer: kind,
                bosToken: try identifier(bosToken, "begin", source), eosToken: try identifier(eosToken, "end", source), addsBOS: addBOS ?? false),
            source: source)
    }

    private func sentencePiece(_ source: String) throws(TokenizerError) -> SentencePieceTokenizer {
        func damaged(_ reason: String) -> TokenizerError { .damagedVocabulary(source: source, reason: reason) }
        guard let scores, scores.count == tokens.count else {
            throw damaged("it has \(tokens.count) tokens and \(scores.map { "\($0.count)" } ?? "no") scores")
        }
        guard types != nil else { throw damaged("it has no token types: control tokens cannot be told from text") }
        let types = try tokenTypes(source)
        var pieces: [SentencePieceModel.Piece] = []
        pieces.reserveCapacity(tokens.count)
        for (index, token) in tokens.enumerated() {
            let bytes = Array(token.utf8)
            guard !bytes.isEmpty, bytes.count <= Self.maximumTokenBytes else {
                throw damaged("token \(index) has \(bytes.count) bytes; 1 to \(Self.maximumTokenBytes) are read")
            }
            guard !scores[index].isNaN else { throw damaged("the score of token \(index) is not a number") }
            let type: SentencePieceModel.PieceType
            switch types[index] {
            case .normal: type = .normal
            case .unknown: type = .unknown
            case .userDefined: type = .userDefined
            case .byte: type = .byte
            // Converters fill a vocabulary up to the model's rows with [PAD...] of this type. They are no text, as control tokens are none.
            case .unused where token.hasPrefix("[PAD"): type = .control
            case .control: type = .control
            case .unused:
                throw .unsupportedVocabulary(source: source, reason: "token \(index), \(token.quotedStart), is of type UNUSED and no padding")
            }
            pieces.append(SentencePieceModel.Piece(bytes: bytes, score: scores[index], type: type))
        }
        guard let begin = try identifier(bosToken, "begin", source), let end = try identifier(eosToken, "end", source) else {
            throw damaged("it names no begin or no end token")
        }
        for id in [begin, end] where types[Int(id)] != .control {
            throw damaged("token \(id), \(tokens[Int(id)].quotedStart), begins or ends a sequence and is no control token: a text could become it")
        }
        var model = SentencePieceModel(pieces: pieces)
        model.byteFallback = types.contains(.byte)
        model.addDummyPrefix = addSpacePrefix ?? true
        model.beginPiece = pieces[Int(begin)].bytes
        model.endPiece = pieces[Int(end)].bytes
        do {
            return try SentencePieceTokenizer(model: model, addsBOS: addBOS ?? true, path: source)
        } catch {
            switch error {
            case .malformed(_, let reason): throw damaged(reason)
            case .unsupported(_, let reason): throw .unsupportedVocabulary(source: source, reason: reason)
            case .damagedVocabulary, .unsupportedVocabulary: throw error
            }
        }
    }
}

extension ByteLevelBPEVocabulary {
    /// Merges as text: two tokens with one space between. A space is `Ġ` in a token, so that there is no other.
    static func pairs(_ merges: some Collection<some StringProtocol>, source: String) throws(TokenizerError) -> [(left: String, right: String)] {
        guard merges.reduce(0, { $0 + $1.utf8.count }) <= maximumTotalBytes else {
            throw .damagedVocabulary(source: source, reason: "its merges have more than \(maximumTotalBytes) bytes")
        }
        var pairs: [(left: String, right: String)] = []
        pairs.reserveCapacity(merges.count)
        for merge in merges {
            let parts = merge.unicodeScalars.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw .damagedVocabulary(source: source, reason: "merge \(pairs.count), \(String(merge).quotedStart), is not two tokens with a space between")
            }
            pairs.append((String(String.UnicodeScalarView(parts[0])), String(String.UnicodeScalarView(parts[1]))))
        }
        return pairs
    }
}
