/// Why a model bundle was refused. Nothing of a refused bundle is used.
public enum BundleError: Error, CustomStringConvertible {
    case cannotRead(path: String, reason: String)
    /// manifest.json is not JSON of this format.
    case badManifest(path: String, key: String, reason: String)
    case missingFile(directory: String, file: String)
    case unexpectedFile(directory: String, file: String)
    case wrongSize(path: String, found: Int, expected: Int)
    case wrongHash(path: String, found: String, expected: String)
    case badWeights(WeightsError)
    case badTokenizer(TokenizerError)
    /// A sound bundle whose manifest has no `labeler`.
    case noLabeler(directory: String)

    public var description: String {
        switch self {
        case .cannotRead(let path, let reason):
            "cannot read the model bundle at \(path): \(reason)"
        case .badManifest(let path, let key, let reason):
            "\(path): \(key.isEmpty ? "" : "\(key): ")\(reason)"
        case .missingFile(let directory, "manifest.json"):
            "\(directory) is no model bundle: it has no manifest.json; name the folder that holds one"
        case .missingFile(let directory, let file):
            "model bundle \(directory) has no file \(file), which its manifest names; install the bundle again"
        case .unexpectedFile(let directory, let file):
            "model bundle \(directory) holds \(file), which its manifest does not name; remove it or install the bundle again"
        case .wrongSize(let path, let found, let expected):
            "\(path) has \(found) bytes, its manifest says \(expected): the copy is incomplete or altered; install the bundle again"
        case .wrongHash(let path, let found, let expected):
            "\(path) has SHA-256 \(found), its manifest says \(expected): the file is damaged or altered; install the bundle again"
        case .badWeights(let error): error.description
        case .badTokenizer(let error): error.description
        case .noLabeler(let directory):
            "model bundle \(directory) has no report labeler: import it again with --chexbert and --chexbert-vocabulary"
        }
    }
}
