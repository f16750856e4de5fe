/// Text to the token ids of one language model, and back. Two families conform: SentencePiece BPE and byte-level BPE.
package protocol TextTokenizer: Sendable {
    /// Ids are below it.
    var vocabularySize: Int { get }
    /// Beginning of sequence; nil where the vocabulary has none.
    var bosToken: Int32? { get }
    /// End of sequence; nil where the vocabulary has none.
    var eosToken: Int32? { get }
    /// Whether the vocabulary's file asks for BOS in front of every prompt.
    var addsBOS: Bool { get }

    /// The text's tokens.
    /// - Parameters:
    ///   - addBOS: puts `bosToken` in front, where there is one.
    ///   - allowSpecial: whether the name of a special token (`<|im_end|>`, `</s>`) in the text is that token. Only for text that this
    ///     program or the bundle wrote: with false, no control token ever comes out of a text, whatever it says.
    func encode(_ text: String, addBOS: Bool, allowSpecial: Bool) -> [Int32]

    /// For streaming: what it returns, joined, is the text of all tokens.
    func makeTokenDecoder() -> any TokenDecoder

    /// The token as it stands in the vocabulary's file (with `▁` or `Ġ` for a space); nil for an id that is none.
    func text(of token: Int32) -> String?

    /// nil for an id that is none.
    func type(of token: Int32) -> TokenType?

    /// The id of the control, unknown or user-defined token with exactly this text: how a chat template's marks are found.
    func specialToken(_ text: String) -> Int32?
}

extension TextTokenizer {
    /// The tokens of a text in which nothing but words stand, with BOS in front where `bos` says so.
    package func encode(_ text: String, bos: Bool) -> [Int32] { encode(text, addBOS: bos, allowSpecial: false) }

    /// The text of the tokens; control tokens and ids outside the vocabulary are nothing.
    package func decode(_ tokens: some Sequence<Int32>) -> String {
        var decoder = makeTokenDecoder()
        var text = ""
        for token in tokens { text += decoder.append(token) }
        return text + decoder.finish()
    }
}

/// Text as tokens come.
package protocol TokenDecoder: Sendable {
    /// What has become certain; the bytes of an unfinished character wait.
    mutating func append(_ token: Int32) -> String
    /// What is left: unfinished bytes as U+FFFD.
    mutating func finish() -> String
}

/// What a token is for. Numbers: `tokenizer.ggml.token_type` of GGUF, the same as SentencePiece's.
package enum TokenType: Int32, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6

    /// Whether text is searched for this token's name, where the caller allows that.
    var isSpecial: Bool { self == .control || self == .unknown || self == .userDefined }
}
