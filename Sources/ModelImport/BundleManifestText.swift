import Foundation
import RaDialogPipeline
import ReportModel

/// The keys of manifest.json for an imported model, without `files` and `provenance`. Format: docs/model-bundle.md.
struct BundleManifestText {
    let request: ModelImport
    let languageFile: String
    let vision: VisionParts
    let classifier: ClassifierPart
    let weights: LanguageModelWeights
    let scaling: [String: Any]?

    // model.md section 1: what both networks were trained on.
    private static let shorterSide = 512
    private static let encoderSide = 448
    private static let classifierSide = 488
    private static let batchNormEpsilon = 1e-5

    // model.md section 6, byte for byte.
    private static let system =
        "A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist. "
        + "The assistant gives professional, detailed, and polite answers to the user's questions."
    /// Without the blank behind it: v1's tokenizer (transformers 4.28.1) strips white space in front of `<IMG>`.
    private static let firstGenerationOpening = "Image information:"
    private static let instruction =
        "<image>. Predicted Findings: {findings}. You are to act as a radiologist and write the finding section of a chest x-ray radiology "
        + "report for this X-ray image and the given predicted findings. Write in the style of a radiologist, write one fluent text without "
        + "enumeration, be concise and don't provide explanations or reasons."

    func body() throws(ImportError) -> [String: Any] {
        let model = weights.configuration
        var language: [String: Any] = [
            "architecture": "llama", "weights": languageFile, "layers": model.layers, "hidden": model.hidden, "heads": model.heads,
            "key_value_heads": model.keyValueHeads, "feed_forward": model.feedForward, "vocabulary": weights.vocabulary, "context": model.context,
            "rms_norm_eps": model.rmsNormEpsilon, "rope_theta": model.ropeTheta, "tied_embeddings": model.tiedEmbeddings,
        ]
        if let scaling { language["rope_scaling"] = scaling }
        var classifierKeys = encoder(classifier.layout, "classifier.safetensors", architecture: "chexpert")
        classifierKeys["pool"] = try pool()
        classifierKeys["hidden"] = classifier.hidden
        classifierKeys["labels"] = FindingLabel.allCases.map(\.rawValue)
        classifierKeys["thresholds"] = FindingLabel.allCases.map { _ in 0.5 }
        let firstGeneration = request.generation == .v1
        return [
            "format": "radialog-bundle", "format_version": 1, "name": request.name, "version": request.version,
            "kind": (request.isDemonstration ? BundleKind.demo : .clinical).rawValue,
            "description": "RaDialog \(request.generation.rawValue), language model in \(request.quantization.rawValue)",
            "licence": "Weights belong to their publishers: RaDialog (CompAI, TU Munich), BioViL-T (Microsoft), and the base language model under its own "
                + "licence. Read those licences before any use beyond research.",
            "preprocessing": [
                "rendering": "mimic-cxr-jpg", "shorter_side": Self.shorterSide, "encoder_side": Self.encoderSide, "classifier_side": Self.classifierSide,
            ] as [String: Any],
            "image_encoder": encoder(vision.encoder.layout, "image_encoder.safetensors", architecture: "biovil-t"),
            "classifier": classifierKeys, "alignment": alignment(), "language_model": language,
            "tokenizer": ["architecture": "sentencepiece-bpe", "model": "tokenizer.model"],
            "prompts": ["system": Self.system, "report_instruction": (firstGeneration ? Self.firstGenerationOpening : "") + Self.instruction],
            "generation": ["max_report_tokens": 300, "max_answer_tokens": 600],
        ]
    }

    private func encoder(_ layout: EncoderLayout, _ file: String, architecture: String) -> [String: Any] {
        [
            "architecture": architecture, "weights": file, "stem_channels": layout.stemChannels, "stage_blocks": layout.stageBlocks,
            "stage_channels": layout.stageChannels, "expansion": layout.expansion, "patch_channels": layout.patchChannels,
            "projection": layout.projection.map { $0 as Any } ?? NSNull(), "batch_norm_eps": Self.batchNormEpsilon,
        ]
    }

    private func alignment() -> [String: Any] {
        switch vision.kind {
        case .mlp(let input, let hidden):
            ["architecture": "mlp", "weights": "alignment.safetensors", "input": input, "hidden": hidden, "output": vision.output]
        case .qFormer(let layout):
            // Heads and epsilons are not in a checkpoint: BERT-base's, and ln_vision's (model.md section 4b).
            [
                "architecture": "q-former", "weights": "alignment.safetensors", "input": layout.imageWidth, "output": layout.output,
                "queries": layout.queries, "layers": layout.layers, "hidden": layout.width, "heads": max(1, layout.width / 64),
                "feed_forward": layout.feedForward, "cross_attention_every": layout.crossAttentionEvery, "layer_norm_eps": 1e-12,
                "vision_norm_eps": 1e-5,
            ]
        }
    }

    /// The average pooling that makes the grid as small as `fc1` expects.
    private func pool() throws(ImportError) -> Int {
        let grid = (Self.classifierSide + 31) / 32
        guard let projection = classifier.layout.projection, classifier.labels == FindingLabel.allCases.count else {
            throw .unsupported(path: request.classifier, reason: "it has \(classifier.labels) outputs; CheXpert's \(FindingLabel.allCases.count) labels are expected")
        }
        for pool in 1...grid where grid % pool == 0 && classifier.flattened == projection * (grid / pool) * (grid / pool) { return pool }
        throw .unsupported(
            path: request.classifier, reason: "fc1 reads \(classifier.flattened) numbers, which no pooling of \(projection) x \(grid) x \(grid) gives")
    }

    /// `rope_scaling` of config.json as the manifest writes it.
    static func scaling(_ configuration: LlamaConfiguration, _ path: String) throws(ImportError) -> [String: Any]? {
        guard let scaling = configuration.ropeScaling else { return nil }
        func number(_ key: String) throws(ImportError) -> Double {
            guard let value = scaling.numbers[key] else { throw .badConfiguration(path: path + "/config.json", key: "rope_scaling.\(key)", reason: "is missing") }
            return value
        }
        switch scaling.kind {
        case "linear": return ["type": "linear", "factor": try number("factor")]
        case "llama3":
            return [
                "type": "llama3", "factor": try number("factor"), "low_freq_factor": try number("low_freq_factor"),
                "high_freq_factor": try number("high_freq_factor"), "original_context": Int(try number("original_max_position_embeddings")),
            ]
        default: throw .badConfiguration(path: path + "/config.json", key: "rope_scaling", reason: "is \"\(scaling.kind)\"; \"linear\" and \"llama3\" are computed")
        }
    }
}
