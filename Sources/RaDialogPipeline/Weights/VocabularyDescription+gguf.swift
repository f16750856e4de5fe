extension VocabularyDescription {
    /// The tokenizer's part of a GGUF file's metadata; lengths and ids are checked against the number of tokens.
    ///
    /// - Returns: nil where the file carries no tokenizer.
    package init?(_ gguf: GGUF) throws(WeightsError) {
        func strings(_ key: String, atMost limit: Int) throws(WeightsError) -> [String]? {
            if let count = gguf.type(of: key)?.count, count > limit { throw gguf.kind(key, "an array of at most \(limit) (\(count))") }
            return try gguf.strings(key)
        }
        guard let model = try gguf.string("tokenizer.ggml.model"), let tokens = try strings("tokenizer.ggml.tokens", atMost: Self.maximumTokens) else { return nil }
        /// Throws where there is an array that has not one element for each token.
        func checkPerToken(_ key: String) throws(WeightsError) {
            guard let count = gguf.type(of: key)?.count, count != tokens.count else { return }
            throw gguf.kind(key, "as long as the vocabulary (\(count) of \(tokens.count))")
        }
        func id(_ name: String) throws(WeightsError) -> Int? {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard let value = try gguf.integer(key) else { return nil }
            // llama.cpp writes -1 for "none", also as an unsigned number.
            if value == -1 || value == Int(UInt32.max) { return nil }
            guard value >= 0, value < tokens.count else { throw gguf.kind(key, "within the vocabulary of \(tokens.count) (\(value))") }
            return value
        }
        for key in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] { try checkPerToken(key) }
        let scores = try gguf.floats("tokenizer.ggml.scores")
        let types = try gguf.int32s("tokenizer.ggml.token_type")
        self.init(
            model: model, preTokenizer: try gguf.string("tokenizer.ggml.pre"), tokens: tokens, scores: scores, types: types,
            merges: try strings("tokenizer.ggml.merges", atMost: Self.maximumMerges), bosToken: try id("bos"), eosToken: try id("eos"),
            addBOS: try gguf.boolean("tokenizer.ggml.add_bos_token"), addSpacePrefix: try gguf.boolean("tokenizer.ggml.add_space_prefix"))
    }
}
