/// Why a tokenizer model was refused.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// Not a SentencePiece model, or a damaged one.
    case malformed(path: String, reason: String)
    /// A valid model that asks for something this program does not do.
    case unsupported(path: String, reason: String)

    public var description: String {
        switch self {
        case .malformed(let path, let reason):
            "tokenizer model \(path) is damaged or not a SentencePiece model: \(reason); install the bundle again"
        case .unsupported(let path, let reason):
            "tokenizer model \(path) cannot be used: \(reason)"
        }
    }
}
