/// The tokenizer's part of a GGUF file's metadata (`tokenizer.*`), checked for consistency and otherwise as it stands.
package struct GGUFVocabulary: Sendable {
    /// "llama" (SentencePiece BPE with scores) or "gpt2" (byte-level BPE with merges); others exist.
    package var model: String
    /// The pre-tokenizer of byte-level BPE: "gpt-2", "smollm", "llama-bpe", …
    package var pre: String?
    /// Pieces by id. Byte-level ones are written in GPT-2's printable alphabet. See `GGUF.strings` on comparing them.
    package var tokens: [String]
    /// As many as tokens.
    package var scores: [Float]?
    /// As many as tokens: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    package var types: [Int32]?
    /// "left right", best first.
    package var merges: [String]?
    package var bos: Int32?
    package var eos: Int32?
    /// End of a turn, where that is another token than the end of the text.
    package var eot: Int32?
    package var unknown: Int32?
    package var padding: Int32?
    /// nil where the file does not say; the model's own default holds then.
    package var addBOS: Bool?
    package var addEOS: Bool?
    package var addSpacePrefix: Bool?
    /// A Jinja template: shown to a person, never executed.
    package var chatTemplate: String?

    /// nil where the file carries no tokenizer.
    package init?(_ gguf: GGUF) throws(WeightsError) {
        guard let model = try gguf.string("tokenizer.ggml.model"), let tokens = try gguf.strings("tokenizer.ggml.tokens") else { return nil }
        self.model = model
        self.tokens = tokens
        func perToken<Value>(_ values: [Value]?, _ key: String) throws(WeightsError) -> [Value]? {
            guard let values else { return nil }
            guard values.count == tokens.count else { throw gguf.kind(key, "as long as the vocabulary (\(values.count) of \(tokens.count))") }
            return values
        }
        func id(_ name: String) throws(WeightsError) -> Int32? {
            let key = "tokenizer.ggml.\(name)_token_id"
            guard let value = try gguf.integer(key) else { return nil }
            // llama.cpp writes -1 for "none", also as an unsigned number.
            if value == -1 || value == Int(UInt32.max) { return nil }
            guard value >= 0, value < tokens.count else { throw gguf.kind(key, "within the vocabulary of \(tokens.count) (\(value))") }
            return Int32(value)
        }
        pre = try gguf.string("tokenizer.ggml.pre")
        scores = try perToken(try gguf.floats("tokenizer.ggml.scores"), "tokenizer.ggml.scores")
        types = try perToken(try gguf.int32s("tokenizer.ggml.token_type"), "tokenizer.ggml.token_type")
        merges = try gguf.strings("tokenizer.ggml.merges")
        bos = try id("bos")
        eos = try id("eos")
        eot = try id("eot")
        unknown = try id("unknown")
        padding = try id("padding")
        addBOS = try gguf.boolean("tokenizer.ggml.add_bos_token")
        addEOS = try gguf.boolean("tokenizer.ggml.add_eos_token")
        addSpacePrefix = try gguf.boolean("tokenizer.ggml.add_space_prefix")
        chatTemplate = try gguf.string("tokenizer.chat_template")
    }
}
