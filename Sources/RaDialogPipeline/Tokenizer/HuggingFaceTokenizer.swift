/// Reads byte-level BPE from the files that Hugging Face's `tokenizers` writes. What the files ask for beyond what is implemented here is
/// refused by name: a tokenizer that is almost right gives a model that is quietly wrong.
package enum HuggingFaceTokenizer {
    /// What neither file says: it stands in `config.json` and `tokenizer_config.json`.
    package struct Roles: Sendable {
        /// `bos_token_id`
        package var bosToken: Int32?
        /// `eos_token_id`
        package var eosToken: Int32?
        /// `add_bos_token`
        package var addsBOS: Bool

        package init(bosToken: Int32? = nil, eosToken: Int32? = nil, addsBOS: Bool = false) {
            self.bosToken = bosToken
            self.eosToken = eosToken
            self.addsBOS = addsBOS
        }
    }

    /// Reads `tokenizer.json`, given whole: model BPE, pre-tokenizer ByteLevel or Sequence(Digits, ByteLevel), no normaliser. `path` is for
    /// messages.
    package static func read(tokenizerJSON bytes: UnsafeRawBufferPointer, roles: Roles, path: String) throws(TokenizerError) -> ByteLevelBPETokenizer {
        let file: HuggingFaceTokenizerFile
        do throws(JSONSyntaxError) {
            file = try HuggingFaceTokenizerFile(bytes)
        } catch {
            throw .damagedVocabulary(source: path, reason: "at byte \(error.offset): \(error.reason)")
        }
        if let refusal = file.refusal { throw .unsupportedVocabulary(source: path, reason: refusal) }
        func unsupported(_ reason: String) -> TokenizerError { .unsupportedVocabulary(source: path, reason: reason) }
        guard file.modelType == "BPE" || file.modelType == nil else {
            throw unsupported("its model type is \((file.modelType ?? "").quotedStart); BPE is implemented")
        }
        guard let kind = file.preTokenizer else {
            throw unsupported("it has no pre_tokenizer; ByteLevel, and Digits with ByteLevel, are implemented")
        }
        guard let vocabulary = file.vocabulary, let merges = file.merges else {
            throw .damagedVocabulary(source: path, reason: "its model has no vocab or no merges")
        }
        return try tokenizer(
            vocabulary: vocabulary, added: file.addedTokens, merges: merges, preTokenizer: kind, unknown: file.unknownToken,
            fusesUnknown: file.fusesUnknown, roles: roles, path: path)
    }

    /// Reads `vocab.json` and `merges.txt`, given whole, as GPT-2 has them.
    /// - Parameters:
    ///   - preTokenizer: the files do not say it.
    ///   - control: names of tokens of the vocabulary that text must not become: `<|endoftext|>`. Each has to be there.
    package static func read(
        vocabularyJSON: UnsafeRawBufferPointer, merges: UnsafeRawBufferPointer, preTokenizer: ByteLevelBPEPreTokenizer, control: [String], roles: Roles,
        path: String
    ) throws(TokenizerError) -> ByteLevelBPETokenizer {
        var vocabulary: [(text: String, id: Int)] = []
        do throws(JSONSyntaxError) {
            var reader = JSONReader(vocabularyJSON)
            vocabulary = try HuggingFaceTokenizerFile.vocabulary(&reader)
            try reader.end()
        } catch {
            throw .damagedVocabulary(source: path, reason: "vocab.json at byte \(error.offset): \(error.reason)")
        }
        guard let text = String(streamSafe: merges) else {
            throw .damagedVocabulary(source: path, reason: "merges.txt is not UTF-8, or has too many combining marks in a row")
        }
        let pairs = try ByteLevelBPEVocabulary.pairs(mergeLines(text, path: path), source: path)
        var added: [HuggingFaceTokenizerFile.AddedToken] = []
        for name in control {
            guard let id = vocabulary.first(where: { $0.text.utf8.elementsEqual(name.utf8) })?.id else {
                throw .damagedVocabulary(source: path, reason: "the control token \(name.quotedStart) is not in vocab.json")
            }
            added.append(.init(id: id, content: name, isSpecial: true))
        }
        return try tokenizer(
            vocabulary: vocabulary, added: added, merges: pairs, preTokenizer: preTokenizer, unknown: nil, fusesUnknown: false, roles: roles, path: path)
    }

    /// The merges of `merges.txt`: one a line, comments (`#version: 0.2`) left out.
    private static func mergeLines(_ text: String, path: String) throws(TokenizerError) -> [Substring] {
        var lines: [Substring] = []
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            let content = Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
            if content.isEmpty || content.hasPrefix("#version") { continue }
            guard lines.count < ByteLevelBPEVocabulary.maximumMerges else {
                throw .damagedVocabulary(source: path, reason: "merges.txt has more than \(ByteLevelBPEVocabulary.maximumMerges) merges")
            }
            lines.append(content)
        }
        return lines
    }

    /// Puts the ids in order and the added tokens to the others.
    private static func tokenizer(
        vocabulary: [(text: String, id: Int)], added: [HuggingFaceTokenizerFile.AddedToken], merges: [(left: String, right: String)],
        preTokenizer: ByteLevelBPEPreTokenizer, unknown: String?, fusesUnknown: Bool, roles: Roles, path: String
    ) throws(TokenizerError) -> ByteLevelBPETokenizer {
        func damaged(_ reason: String) -> TokenizerError { .damagedVocabulary(source: path, reason: reason) }
        // Every id stands once in the vocabulary or among the added tokens, so that there cannot be more of them than entries.
        let limit = min(vocabulary.count + added.count, ByteLevelBPEVocabulary.maximumTokens)
        var tokens = [String?](repeating: nil, count: limit)
        var types = [TokenType](repeating: .normal, count: limit)
        var count = 0
        for (text, id) in vocabulary {
            guard id < limit else { throw damaged("token \(text.quotedStart) has the id \(id), and there are at most \(limit) tokens") }
            guard tokens[id] == nil else { throw damaged("id \(id) stands twice") }
            tokens[id] = text
            count = max(count, id + 1)
        }
        for token in added {
            guard token.id < limit else { throw damaged("added token \(token.content.quotedStart) has the id \(token.id), and there are at most \(limit) tokens") }
            if let text = tokens[token.id], !text.utf8.elementsEqual(token.content.utf8) {
                throw damaged("id \(token.id) is \(text.quotedStart) in the vocabulary and \(token.content.quotedStart) among the added tokens")
            }
            tokens[token.id] = token.content
            types[token.id] = token.isSpecial ? .control : .userDefined
            count = max(count, token.id + 1)
        }
        var present: [String] = []
        present.reserveCapacity(count)
        for (id, text) in tokens.prefix(count).enumerated() {
            guard let text else { throw damaged("id \(id) has no token") }
            present.append(text)
        }
        var unknownToken: Int32?
        if let unknown {
            guard let id = present.firstIndex(where: { $0.utf8.elementsEqual(unknown.utf8) }) else {
                throw damaged("its unknown token \(unknown.quotedStart) is not in the vocabulary")
            }
            unknownToken = Int32(id)
        }
        return try ByteLevelBPETokenizer(
            ByteLevelBPEVocabulary(
                tokens: present, types: types.prefix(count).map { $0 }, merges: merges, preTokenizer: preTokenizer, bosToken: roles.bosToken,
                eosToken: roles.eosToken, addsBOS: roles.addsBOS, unknownToken: unknownToken, fusesUnknown: fusesUnknown),
            source: path)
    }
}
