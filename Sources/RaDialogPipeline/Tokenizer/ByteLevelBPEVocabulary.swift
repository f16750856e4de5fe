/// What a byte-level BPE tokenizer is made of, whatever file it came from.
package struct ByteLevelBPEVocabulary: Sendable {
    /// The largest published vocabularies have some 260,000 tokens and 500,000 merges; a hostile file should not cost more memory.
    package static let maximumTokens = SentencePieceModel.maximumPieces
    package static let maximumMerges = 1_000_000
    package static let maximumTokenBytes = SentencePieceModel.maximumPieceBytes
    /// Of all tokens, and of all merges: as strings they cost several times as much. The largest published have some 5 MB.
    package static let maximumTotalBytes = SentencePieceModel.maximumTotalBytes

    /// By id. Normal tokens are written in GPT-2's alphabet, special ones as they are.
    package var tokens: [String]
    /// By id, as many as tokens.
    package var types: [TokenType]
    /// The first is merged first.
    package var merges: [(left: String, right: String)]
    package var preTokenizer: ByteLevelBPEPreTokenizer
    package var bosToken: Int32?
    package var eosToken: Int32?
    package var addsBOS: Bool
    /// What stands for a byte without a token; nil: such a byte is left out.
    package var unknownToken: Int32?
    /// Neighbouring unknown bytes are one unknown token.
    package var fusesUnknown: Bool

    package init(
        tokens: [String], types: [TokenType], merges: [(left: String, right: String)], preTokenizer: ByteLevelBPEPreTokenizer,
        bosToken: Int32? = nil, eosToken: Int32? = nil, addsBOS: Bool = false, unknownToken: Int32? = nil, fusesUnknown: Bool = false
    ) {
        self.tokens = tokens
        self.types = types
        self.merges = merges
        self.preTokenizer = preTokenizer
        self.bosToken = bosToken
        self.eosToken = eosToken
        self.addsBOS = addsBOS
        self.unknownToken = unknownToken
        self.fusesUnknown = fusesUnknown
    }
}
