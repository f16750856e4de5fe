/// SentencePiece BPE with byte fallback, as LLaMA has it.
public final class SentencePieceTokenizer: Sendable {
    public let beginToken: Int32
    public let endToken: Int32
    public let unknownToken: Int32
    public var vocabularySize: Int { 0 }
    /// Reads `tokenizer.model`. `path` is for messages.
    public init(bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
        beginToken = 1
        endToken = 2
        unknownToken = 0
    }
    public func encode(_ text: String, bos: Bool) -> [Int32] { [] }
    public func decode(_ tokens: some Sequence<Int32>) -> String { "" }
    /// For streaming.
    public func makeDecoder() -> IncrementalDecoder { IncrementalDecoder(tokenizer: self) }

    /// Text as tokens come: each call gives what has become certain; bytes of an unfinished character wait.
    public struct IncrementalDecoder: Sendable {
        let tokenizer: SentencePieceTokenizer
        public mutating func append(_ token: Int32) -> String { "" }
        /// What is left: unfinished bytes as U+FFFD.
        public mutating func finish() -> String { "" }
    }
}
