extension VocabularyDescription {
    /// The tokenizer's part of a GGUF file's metadata; lengths and ids are checked against the number of tokens.
    ///
    /// - Returns: nil where the file carries no tokenizer.
    package init?(_ gguf: GGUF) throws(WeightsError) {
        guard let model = try gguf.string("tokenizer.ggml.model"), let tokens = try gguf.strings("tokenizer.ggml.tokens") else { return nil }
        func perToken<Value>(_ values: [Value]?, _ key: String) throws(WeightsError) -> [Value]? {
            guard let values else { return nil }
            guard values.count == tokens.count else { throw gguf.kind(key, "as long as the vocabulary (\(values.count) of \(tokens.count))") }
            return values
        }
        func id(_ name: String) throws(WeightsError) -> Int? {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard let value = try gguf.integer(key) else { return nil }
            // llama.cpp writes -1 for "none", also as an unsigned number.
            if value == -1 || value == Int(UInt32.max) { return nil }
            guard value >= 0, value < tokens.count else { throw gguf.kind(key, "within the vocabulary of \(tokens.count) (\(value))") }
            return value
        }
        let scores = try perToken(try gguf.floats("tokenizer.ggml.scores"), "tokenizer.ggml.scores")
        let types = try perToken(try gguf.int32s("tokenizer.ggml.token_type"), "tokenizer.ggml.token_type")
        self.init(
            model: model, preTokenizer: try gguf.string("tokenizer.ggml.pre"), tokens: tokens, scores: scores, types: types,
            merges: try gguf.strings("tokenizer.ggml.merges"), bosToken: try id("bos"), eosToken: try id("eos"),
            addBOS: try gguf.boolean("tokenizer.ggml.add_bos_token"), addSpacePrefix: try gguf.boolean("tokenizer.ggml.add_space_prefix"))
    }
}
