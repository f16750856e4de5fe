public import ReportModel

/// An opened and verified model bundle (docs/model-bundle.md). Immutable; shared by everything that reads weights.
public final class ModelBundle: Sendable {
    /// The folder as it was given.
    public let directory: String
    public let manifest: BundleManifest
    /// SHA-256 of manifest.json, lower-case hex: it contains every other file's hash.
    public let sha256: String
    package let tokenizer: any TextTokenizer
    /// What ends an answer.
    package let endToken: Int32
    private let sources: [String: any TensorSource]

    public var name: String { manifest.name }
    public var version: String { manifest.version }
    public var kind: BundleKind { manifest.kind }

    static let manifestName = "manifest.json"
    /// A manifest is some kilobytes.
    static let maximumManifestBytes = 1 << 20

    /// Opens the folder: decodes and checks the manifest, compares the folder with it file by file (names, sizes, SHA-256), checks
    /// every container, and maps the weights. Reads every byte once; two files are hashed at a time.
    ///
    /// The files stay mapped: a bundle that is in use is replaced by another folder, never written into.
    public static func open(_ directory: String) throws(BundleError) -> ModelBundle {
        let folder = try BundleFolder(directory)
        let manifestFile = try folder.map(manifestName, maximumBytes: maximumManifestBytes)
        let manifest = try decode(manifestFile)
        let files = try folder.verified(manifest.files)

        func file(_ name: String) throws(BundleError) -> MappedFile {
            guard let file = files[name] else { throw .missingFile(directory: directory, file: name) }
            return file
        }
        var sources: [String: any TensorSource] = [:]
        let language = manifest.languageModel.weights
        let tokenizer: any TextTokenizer
        do {
            for name in manifest.vision?.weights ?? [] { sources[name] = try Safetensors(file: file(name)) }
            sources[language] = try languageModel(file(language), manifest.languageModel)
            tokenizer = try Self.tokenizer(file(manifest.tokenizer.model), manifest.tokenizer.architecture)
        } catch let error as WeightsError {
            throw .badWeights(error)
        } catch let error as TokenizerError {
            throw .badTokenizer(error)
        } catch {
            throw error as? BundleError ?? .cannotRead(path: directory, reason: "\(error)")
        }
        guard tokenizer.vocabularySize <= manifest.languageModel.vocabulary else {
            throw .badManifest(
                path: manifestFile.path, key: "language_model.vocabulary",
                reason: "is smaller than the tokenizer's \(tokenizer.vocabularySize) pieces")
        }
        guard let endToken = manifest.prompts.format.endToken(tokenizer) else {
            throw .badManifest(
                path: manifestFile.path, key: "prompts.format",
                reason: "is \(manifest.prompts.format.rawValue), and the vocabulary has no token that ends its answers")
        }
        return ModelBundle(
            directory: directory, manifest: manifest, sha256: manifestFile.withBytes(sha256Hex), tokenizer: tokenizer, endToken: endToken,
            sources: sources)
    }

    private static func tokenizer(_ file: MappedFile, _ architecture: BundleManifest.Tokenizer.Architecture) throws -> any TextTokenizer {
        switch architecture {
        case .sentencePieceBPE:
            return try file.withBytes { bytes throws(TokenizerError) in try SentencePieceTokenizer(bytes: bytes, path: file.path) }
        case .gguf:
            guard let vocabulary = try VocabularyDescription(GGUF(file: file)) else {
                throw TokenizerError.damagedVocabulary(source: file.path, reason: "it carries no vocabulary (tokenizer.ggml.*)")
            }
            return try vocabulary.makeTokenizer(source: file.path)
        }
    }

    /// The container is told by the file's name.
    private static func languageModel(_ file: MappedFile, _ manifest: BundleManifest.LanguageModel) throws(WeightsError) -> any TensorSource {
        if manifest.weights.hasSuffix(".gguf") { return try languageModel(GGUF(file: file), manifest) }
        return manifest.weights.hasSuffix(".panels") ? try PanelFile(file: file) : try Safetensors(file: file)
    }

    /// A GGUF file says of itself what the manifest says of it: the two have to agree, since heads are not seen in a tensor's shape.
    private static func languageModel(_ gguf: GGUF, _ manifest: BundleManifest.LanguageModel) throws(WeightsError) -> GGUFLanguageWeights {
        let weights = try GGUFLanguageWeights(gguf)
        let llama = weights.llama
        for (key, found, expected) in [
            ("layers", llama.layers, manifest.layers), ("hidden", llama.hidden, manifest.hidden), ("heads", llama.heads, manifest.heads),
            ("key_value_heads", llama.keyValueHeads, manifest.keyValueHeads), ("feed_forward", llama.feedForward, manifest.feedForward),
            ("vocabulary", llama.vocabulary, manifest.vocabulary),
        ] where found != expected {
            throw .malformed(path: gguf.path, reason: "it has \(found) for what manifest.json calls language_model.\(key) = \(expected)")
        }
        return weights
    }

    private static func decode(_ file: MappedFile) throws(BundleError) -> BundleManifest {
        try file.withBytes { bytes throws(BundleError) in try BundleManifest(parsing: bytes, path: file.path) }
    }

    private init(
        directory: String, manifest: BundleManifest, sha256: String, tokenizer: any TextTokenizer, endToken: Int32, sources: [String: any TensorSource]
    ) {
        self.directory = directory
        self.manifest = manifest
        self.sha256 = sha256
        self.tokenizer = tokenizer
        self.endToken = endToken
        self.sources = sources
    }

    /// The weights file of that name, as the manifest's `weights` keys give it.
    package func weights(_ fileName: String) throws(BundleError) -> any TensorSource {
        guard let source = sources[fileName] else { throw .missingFile(directory: directory, file: fileName) }
        return source
    }
}
