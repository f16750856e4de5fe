/// Why a tokenizer model was refused.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// Not a SentencePiece model, or a damaged one.
    case malformed(path: String, reason: String)
    /// A valid model that asks for something this program does not do.
    case unsupported(path: String, reason: String)
    /// The vocabulary of a `tokenizer.json`, of `vocab.json` and `merges.txt`, or of a GGUF file contradicts itself or breaks off.
    case damagedVocabulary(source: String, reason: String)
    /// A sound vocabulary that asks for something this program does not do.
    case unsupportedVocabulary(source: String, reason: String)

    public var description: String {
        switch self {
        case .malformed(let path, let reason):
            "tokenizer model \(path) is damaged or not a SentencePiece model: \(reason); install the bundle again"
        case .unsupported(let path, let reason):
            "tokenizer model \(path) cannot be used: \(reason)"
        case .damagedVocabulary(let source, let reason):
            "the vocabulary of \(source) is damaged: \(reason); get the file again"
        case .unsupportedVocabulary(let source, let reason):
            "the vocabulary of \(source) cannot be used: \(reason)"
        }
    }
}
