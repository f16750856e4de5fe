/// One of the models behind a draft, so that a document can name each: reports.md asks for encoder, classifier and language model.
public struct AlgorithmIdentity: Sendable, Codable, Equatable {
    public enum Role: String, Sendable, Codable {
        case imageEncoder = "image encoder"
        case classifier
        case alignment
        case languageModel = "language model"
    }

    public var role: Role
    /// As the bundle's manifest names it: "biovil-t", "chexpert", "mlp", "llama".
    public var architecture: String
    /// Of the file with its weights, lower-case hex.
    public var weightsSHA256: String

    public init(role: Role, architecture: String, weightsSHA256: String) {
        self.role = role
        self.architecture = architecture
        self.weightsSHA256 = weightsSHA256
    }

    enum CodingKeys: String, CodingKey {
        case role, architecture
        case weightsSHA256 = "weights_sha256"
    }
}
