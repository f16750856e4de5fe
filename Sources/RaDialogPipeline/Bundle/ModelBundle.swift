public import ReportModel

/// An opened and verified model bundle. Immutable; shared by everything that reads weights.
public final class ModelBundle: Sendable {
    /// The folder as it was given.
    public let directory: String
    public let manifest: BundleManifest
    /// SHA-256 of manifest.json, lower-case hex: it contains every other file's hash.
    public let sha256: String
    /// The tokenizer of the bundle.
    public let tokenizer: SentencePieceTokenizer
    private let sources: [String: any TensorSource]

    public var name: String { manifest.name }
    public var version: String { manifest.version }
    public var kind: BundleKind { manifest.kind }

    init(directory: String, manifest: BundleManifest, sha256: String, tokenizer: SentencePieceTokenizer, sources: [String: any TensorSource]) {
        self.directory = directory
        self.manifest = manifest
        self.sha256 = sha256
        self.tokenizer = tokenizer
        self.sources = sources
    }

    /// Opens the folder, decodes and checks the manifest, and verifies size and SHA-256 of every file.
    public static func open(_ directory: String) throws(BundleError) -> ModelBundle {
        throw .cannotRead(path: directory, reason: "not written yet")
    }

    /// The weights file of that name, as the manifest's `weights` keys give it.
    package func weights(_ fileName: String) throws(BundleError) -> any TensorSource {
        guard let source = sources[fileName] else { throw .missingFile(directory: directory, file: fileName) }
        return source
    }
}
