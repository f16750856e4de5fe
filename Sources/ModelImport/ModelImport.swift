import Dispatch
import Foundation
import RaDialogPipeline
import Synchronization

/// Makes a model bundle from RaDialog's published files (model.md section 7). Nothing in them is executed, nothing is downloaded, and the same files
/// give the same bundle byte for byte.
package struct ModelImport: Sendable {
    package enum Generation: String, Sendable, CaseIterable {
        case v1, v2
    }

    package enum Quantization: String, Sendable, CaseIterable {
        case q8_0, q4_0, q4_k, f16, none

        var blockType: BlockType {
            switch self {
            case .q8_0: .q8_0
            case .q4_0: .q4_0
            case .q4_k: .q4_K
            case .f16: .f16
            case .none: .f32
            }
        }
    }

    /// How the language model's matrices lie in the bundle.
    package enum Layout: String, Sendable, CaseIterable {
        /// In the order that the fastest kernels read them; where a type or a width has no panels, `gguf`.
        case panels
        /// As llama.cpp reads them too.
        case gguf
    }

    package enum Step: Sendable {
        /// Writing the language model: numbers of it so far, and in all.
        case languageModel(done: Int, of: Int)
        case note(String)
    }

    package var generation: Generation
    /// Folder with adapter_config.json and the adapter's weights.
    package var adapter: String
    /// Folder of the base language model in Hugging Face layout.
    package var base: String
    package var biovil: String
    package var classifier: String
    /// v1: checkpoint_4.pth; v2: non_lora_trainables.bin.
    package var alignment: String
    package var quantization: Quantization
    package var layout = Layout.panels
    package var output: String
    package var name: String
    package var version: String
    package var isDemonstration: Bool
    /// nil where the bundle is to have no labeler.
    package var labeler: Labeler?

    package struct Labeler: Sendable {
        /// chexbert.pth
        package var checkpoint: String
        /// vocab.txt of bert-base-uncased.
        package var vocabulary: String

        package init(checkpoint: String, vocabulary: String) {
            self.checkpoint = checkpoint
            self.vocabulary = vocabulary
        }
    }

    package init(
        generation: Generation, adapter: String, base: String, biovil: String, classifier: String, alignment: String, quantization: Quantization,
        output: String, name: String, version: String, isDemonstration: Bool
    ) {
        self.generation = generation
        self.adapter = adapter
        self.base = base
        self.biovil = biovil
        self.classifier = classifier
        self.alignment = alignment
        self.quantization = quantization
        self.output = output
        self.name = name
        self.version = version
        self.isDemonstration = isDemonstration
    }

    /// Blocks; call from a thread of your own. Every source is opened and checked by name and shape before anything is written; what is written stands
    /// in `output`.partial until the bundle is complete.
    /// - Throws: `ImportError`; nothing is left of an incomplete bundle.
    package func run(threads: Int, progress: (Step) -> Void) throws {
        let pool = try KernelPool(threads: threads)
        let folder = try FolderTensors(path: base, kind: .model)
        let configuration = try LlamaConfiguration(folder: base)
        let lora = try LoraAdapter(folder: adapter)
        let encoderFile = try openCheckpoint(path: biovil)
        let classifierPart = try ClassifierPart(path: classifier)
        let vision = try VisionParts(self, encoderFile, lora)
        let weights = try LanguageModelWeights(
            base: folder, configuration: configuration, adapter: lora, extras: generation == .v1 ? QFormerPart.adapterExtras : [])
        let chexbert = try labeler.map { files throws(ImportError) in try CheXbertPart(checkpoint: files.checkpoint, vocabulary: files.vocabulary) }
        guard vision.output == configuration.hidden else {
            throw ImportError.unsupported(
                path: alignment, reason: "its tokens are \(vision.output) wide, and the language model of \(base) is \(configuration.hidden) wide")
        }
        progress(.note("image encoder: \(vision.encoder.replaced.count) tensors from the fine-tuned file in place of BioViL-T's"))
        if let chexbert, !chexbert.hasPublishedVocabulary {
            progress(.note("labeler: \(chexbert.vocabulary) is not the published vocab.txt of bert-base-uncased, byte for byte; wrong tokens give wrong labels"))
        }
        let panels = layout == .panels ? panelWriter(weights, pool) : nil
        let languageFile = panels == nil ? "language_model.gguf" : "language_model.panels"
        let manifest = BundleManifestText(
            request: self, languageFile: languageFile, vision: vision, classifier: classifierPart, weights: weights, scaling: try BundleManifestText.scaling(configuration, base))
        let body = try manifest.body()
        let tokenizer = base + "/tokenizer.model"
        try checkTokenizer(tokenizer, vocabulary: weights.vocabulary)

        let hashes = SourceHashes(sources(folder))
        let writer = try BundleFolderWriter(output: output)
        try writer.file("image_encoder.safetensors") { try SafetensorsFile.write(vision.encoder.tensors, $0, $1) }
        try writer.file("classifier.safetensors") { try SafetensorsFile.write(classifierPart.tensors, $0, $1) }
        try writer.file("alignment.safetensors") { try SafetensorsFile.write(vision.tensors, $0, $1) }
        try writer.copy(tokenizer, as: "tokenizer.model", maximumBytes: Self.maximumTokenizerBytes)
        if let chexbert {
            try writer.file(Self.labelerWeights) { try SafetensorsFile.write(chexbert.tensors, $0, $1) }
            try writer.copy(chexbert.vocabulary, as: Self.labelerVocabulary, maximumBytes: Self.maximumTokenizerBytes)
        }
        let total = weights.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
        var done = 0
        func advance(_ count: Int) {
            done += count
            progress(.languageModel(done: done, of: total))
        }
        try writer.file(languageFile) { descriptor, path in
            if let panels {
                try panels.write(descriptor, path, advance: advance)
            } else {
                try GGUFFile(merging: weights, type: quantization.blockType, name: name, pool: pool).write(descriptor, path, advance: advance)
            }
        }
        var complete = body
        complete["labeler"] = chexbert?.manifest(weights: Self.labelerWeights, tokenizer: Self.labelerVocabulary)
        var provenance = ["generator": "radialogctl model import \(generation.rawValue)", "quantization": quantization.rawValue]
        for (role, hash) in try hashes.wait() { provenance["sha256 of \(role)"] = hash }
        complete["provenance"] = provenance
        try writer.publish(complete)
    }

    /// nil where a matrix would have a type or a width that panels do not have.
    private func panelWriter(_ weights: LanguageModelWeights, _ pool: KernelPool) -> PanelFileWriter? {
        PanelFileWriter(weights.tensors.map { MergedRows(weights: weights, tensor: $0) }, pool: pool) {
            StoredType.of(
                GGUFNames.gguf($0.name) ?? "", shape: $0.shape, wanted: quantization.blockType, tiedEmbeddings: weights.configuration.tiedEmbeddings)
        }
    }

    private static let maximumTokenizerBytes = 64 << 20
    private static let labelerWeights = "labeler.safetensors"
    private static let labelerVocabulary = "labeler_vocabulary.txt"

    /// What a bundle asks of its tokenizer: else an hour's import would end in a bundle that does not open.
    private func checkTokenizer(_ path: String, vocabulary: Int) throws(ImportError) {
        let file = try mapFile(path)
        let tokenizer: SentencePieceTokenizer
        do throws(TokenizerError) {
            tokenizer = try file.withBytes { bytes throws(TokenizerError) in try SentencePieceTokenizer(bytes: bytes, path: path) }
        } catch {
            switch error {
            case .malformed(_, let reason): throw .malformed(path: path, reason: reason)
            case .unsupported(_, let reason): throw .unsupported(path: path, reason: reason)
            case .damagedVocabulary, .unsupportedVocabulary: throw .unsupported(path: path, reason: "\(error)")
            }
        }
        guard tokenizer.vocabularySize <= vocabulary else {
            throw .unsupported(path: path, reason: "it has \(tokenizer.vocabularySize) pieces, and the language model beside it only \(vocabulary) rows")
        }
    }

    /// Every file that is read, by its role.
    private func sources(_ folder: FolderTensors) -> [(role: String, path: String)] {
        var files = folder.files.map { ("base/\($0)", base + "/" + $0) }
        files += ["config.json", "tokenizer.model"].map { ("base/\($0)", base + "/" + $0) }
        files += ["adapter_config.json", "adapter_model.bin", "adapter_model.safetensors"]
            .filter { FileManager.default.fileExists(atPath: adapter + "/" + $0) }.map { ("adapter/\($0)", adapter + "/" + $0) }
        var parts = [("biovil", biovil), ("classifier", classifier), ("alignment", alignment)]
        if let labeler { parts += [("chexbert", labeler.checkpoint), ("chexbert-vocabulary", labeler.vocabulary)] }
        for (role, path) in parts {
            files.append(("\(role)/\((path as NSString).lastPathComponent)", path))
        }
        return files
    }
}

/// The encoder and the alignment of either generation.
struct VisionParts {
    let encoder: EncoderPart
    let tensors: ImportedPart
    let kind: Kind
    let output: Int

    enum Kind {
        case mlp(input: Int, hidden: Int)
        case qFormer(QFormerLayout)
    }

    init(_ request: ModelImport, _ biovil: any CheckpointTensors, _ lora: LoraAdapter) throws(ImportError) {
        switch request.generation {
        case .v2:
            let file = try openCheckpoint(path: request.alignment)
            let part = try MLPAlignmentPart(nonLoraTrainables: file, biovil: biovil, pooler: false)
            // Tower weights under keys that nobody recognises would leave BioViL-T's in their place, silently.
            guard !part.encoder.replaced.isEmpty || !file.names.contains(where: { $0.contains("vision_tower") }) else {
                throw .unsupported(path: request.alignment, reason: "it has vision_tower weights, and none of their names is one of BioViL-T's encoder")
            }
            (encoder, tensors, kind, output) = (part.encoder, part.tensors, .mlp(input: part.input, hidden: part.hidden), part.output)
        case .v1:
            let part = try QFormerPart(
                checkpoint: try openCheckpoint(path: request.alignment, under: "model"), biovil: biovil, adapter: lora, pooler: false)
            (encoder, tensors, kind, output) = (part.encoder, part.tensors, .qFormer(part.layout), part.layout.output)
        }
    }
}

/// SHA-256 of the sources, on a thread beside the import.
private final class SourceHashes: Sendable {
    private let result = Mutex<[(String, Result<String, ImportError>)]>([])
    private let group = DispatchGroup()

    init(_ files: [(role: String, path: String)]) {
        DispatchQueue.global().async(group: group) { [self] in
            for (role, path) in files {
                let hash: Result<String, ImportError>
                do throws(ImportError) { hash = .success(try hashFile(path).sha256) } catch { hash = .failure(error) }
                result.withLock { $0.append((role, hash)) }
            }
        }
    }

    func wait() throws(ImportError) -> [(String, String)] {
        group.wait()
        var hashes: [(String, String)] = []
        for (role, hash) in result.withLock({ $0 }) { hashes.append((role, try hash.get())) }
        return hashes
    }
}
