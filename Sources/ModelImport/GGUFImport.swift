import Foundation
package import RaDialogPipeline
import ReportModel

/// Makes a bundle that only talks from a GGUF file of the LLaMA architecture: for experiments and tests. What it writes is marked as demonstration.
package struct GGUFImport: Sendable {
    package var file: String
    /// nil keeps the file's bytes.
    package var quantization: ModelImport.Quantization?
    /// Panels are made of matrices whose type has them; where one has not, the bundle keeps GGUF.
    package var layout = ModelImport.Layout.gguf
    package var output: String
    /// nil for the file's `general.name`.
    package var name: String?
    package var version: String
    /// nil for what the file's chat template shows.
    package var format: DialogueFormat?
    package var system: String

    package init(
        file: String, quantization: ModelImport.Quantization?, output: String, name: String?, version: String, format: DialogueFormat?, system: String
    ) {
        self.file = file
        self.quantization = quantization
        self.output = output
        self.name = name
        self.version = version
        self.format = format
        self.system = system
    }

    /// The language model; with panels, its vocabulary alone.
    private static let weightsName = "language_model.gguf"
    private static let panelsName = "language_model.panels"

    /// Blocks; call from a thread of your own. The file is checked whole before anything is written.
    /// - Throws: `ImportError`; nothing is left of an incomplete bundle.
    package func run(threads: Int, progress: (ModelImport.Step) -> Void) throws {
        let gguf: GGUF
        let llama: GGUFLlama
        let tokenizer: any TextTokenizer
        do {
            gguf = try GGUF(path: file)
            llama = try GGUFLlama(gguf)
            guard let vocabulary = try VocabularyDescription(gguf) else {
                throw ImportError.unsupported(path: file, reason: "it carries no vocabulary (tokenizer.ggml.model, tokenizer.ggml.tokens)")
            }
            tokenizer = try vocabulary.makeTokenizer(source: file)
            try checkTensors(gguf, llama)
        } catch let error as WeightsError {
            throw ImportError(error)
        } catch let error as TokenizerError {
            throw ImportError.unsupported(path: file, reason: "\(error)")
        }
        guard tokenizer.vocabularySize <= llama.vocabulary else {
            throw ImportError.unsupported(path: file, reason: "it has \(tokenizer.vocabularySize) tokens and only \(llama.vocabulary) rows of embeddings")
        }
        let format = try self.format ?? dialogueFormat(gguf)
        guard format.endToken(tokenizer) != nil else {
            throw ImportError.unsupported(path: file, reason: "its vocabulary has no token that ends an answer in the format \(format.rawValue)")
        }
        let name = try self.name ?? gguf.string("general.name") ?? "gguf"
        let pool = try KernelPool(threads: threads)
        let panels = layout == .panels ? try panelWriter(gguf, pool) : nil
        let manifest = try manifest(llama, name: name, format: format, weights: panels == nil ? Self.weightsName : Self.panelsName)

        let total = LlamaConfiguration(llama).tensors().reduce(0) { $0 + $1.shape.reduce(1, *) }
        var done = 0
        func advance(_ count: Int) {
            done += count
            progress(.languageModel(done: done, of: total))
        }
        let writer = try BundleFolderWriter(output: output)
        if let panels {
            try writer.file(Self.panelsName) { descriptor, path in try panels.write(descriptor, path, advance: advance) }
            try writer.file(Self.weightsName) { descriptor, path in
                try GGUFFile(vocabularyOf: gguf, pool: pool).write(descriptor, path) { _ in }
            }
        } else if let quantization {
            try writer.file(Self.weightsName) { descriptor, path in
                try GGUFFile(requantizing: gguf, type: quantization.blockType, pool: pool).write(descriptor, path, advance: advance)
            }
        } else {
            try writer.copy(file, as: Self.weightsName, maximumBytes: .max)
        }
        try writer.publish(manifest)
    }

    /// nil where a matrix has a type or a width that panels do not have.
    private func panelWriter(_ gguf: GGUF, _ pool: KernelPool) throws -> PanelFileWriter? {
        do throws(WeightsError) {
            let weights = try GGUFLanguageWeights(gguf)
            let rows = LlamaConfiguration(weights.llama).tensors().compactMap { weights.block($0.name) }.map { StoredRows(block: $0, path: file) }
            return PanelFileWriter(rows, pool: pool) { tensor in
                guard let quantization else { return weights.block(tensor.name)?.type ?? .f32 }
                return StoredType.of(
                    GGUFNames.gguf(tensor.name) ?? "", shape: tensor.shape, wanted: quantization.blockType, tiedEmbeddings: weights.llama.tiedEmbeddings)
            }
        } catch {
            throw ImportError(error)
        }
    }

    /// Exactly the architecture's tensors: a bias or an expert that is not computed would make quietly wrong text.
    private func checkTensors(_ gguf: GGUF, _ llama: GGUFLlama) throws {
        let weights = try GGUFLanguageWeights(gguf)
        let expected = LlamaConfiguration(llama).tensors()
        for tensor in expected { _ = try weights.block(tensor.name, shape: tensor.shape) }
        let known = Set(expected.compactMap { GGUFNames.gguf($0.name) })
        if let extra = gguf.storedNames.first(where: { !known.contains($0) }) {
            throw ImportError.unexpectedTensor(path: file, name: extra, reason: "which the LLaMA architecture as it is computed here does not have")
        }
    }

    /// - Throws: `.unsupported` for a template of another kind: an untold format gives text that looks only almost right.
    private func dialogueFormat(_ gguf: GGUF) throws -> DialogueFormat {
        guard let template = try gguf.string("tokenizer.chat_template") else { return .plain }
        if template.contains("<|im_start|>") { return .chatML }
        if template.contains("USER:"), template.contains("ASSISTANT:") { return .vicuna }
        let known = DialogueFormat.allCases.map(\.rawValue).joined(separator: ", ")
        throw ImportError.unsupported(path: file, reason: "its chat template is none that is written here; name the format to use instead with --format (\(known))")
    }

    private func manifest(_ llama: GGUFLlama, name: String, format: DialogueFormat, weights: String) throws(ImportError) -> [String: Any] {
        var language: [String: Any] = [
            "architecture": "llama", "weights": weights, "layers": llama.layers, "hidden": llama.hidden, "heads": llama.heads,
            "key_value_heads": llama.keyValueHeads, "feed_forward": llama.feedForward, "vocabulary": llama.vocabulary, "context": llama.context,
            "rms_norm_eps": llama.rmsNormEpsilon, "rope_theta": llama.ropeTheta, "tied_embeddings": llama.tiedEmbeddings,
        ]
        switch llama.ropeScaling.kind {
        case "none": break
        case "linear": language["rope_scaling"] = ["type": "linear", "factor": llama.ropeScaling.factor] as [String: Any]
        default: throw .unsupported(path: file, reason: "its rotary embedding is scaled by \"\(llama.ropeScaling.kind)\"; \"linear\" is computed")
        }
        let source = try hashFile(file)
        return [
            "format": "radialog-bundle", "format_version": 1, "name": name, "version": version, "kind": BundleKind.demo.rawValue,
            "description": "A language model alone, for experiments: it reads no image.",
            "licence": "The weights belong to their publisher; see the file's own licence.",
            "language_model": language, "tokenizer": ["architecture": "gguf", "model": Self.weightsName],
            "prompts": ["system": system, "format": format.rawValue], "generation": ["max_report_tokens": 300, "max_answer_tokens": 600],
            "provenance": [
                "generator": "radialogctl model import gguf", "quantization": quantization?.rawValue ?? "as in the file",
                "sha256 of \((file as NSString).lastPathComponent)": source.sha256,
            ],
        ]
    }
}

extension LlamaConfiguration {
    init(_ llama: GGUFLlama) {
        self.init(
            architectures: ["LlamaForCausalLM"], hidden: llama.hidden, layers: llama.layers, heads: llama.heads, keyValueHeads: llama.keyValueHeads,
            feedForward: llama.feedForward, vocabulary: llama.vocabulary, context: llama.context, rmsNormEpsilon: llama.rmsNormEpsilon,
            ropeTheta: llama.ropeTheta, ropeScaling: nil, tiedEmbeddings: llama.tiedEmbeddings)
    }
}
