import ReportModel

// Decoding of the parts that read radiographs: `preprocessing`, `image_encoder`, `classifier`, `alignment`, `prompts.report_instruction`.

extension BundleManifest.Vision {
    private static let parts = ["preprocessing", "image_encoder", "classifier", "alignment"]
    private static let instruction = "report_instruction"

    /// nil where the manifest has none of the parts; an error where it has some of them.
    init?(keysOf root: inout ManifestObject, prompts: inout ManifestObject) throws(ManifestProblem) {
        guard Self.parts.contains(where: { root.holds($0) }) || prompts.holds(Self.instruction) else { return nil }
        preprocessing = try .init(try root.object("preprocessing"))
        imageEncoder = try .init(try root.object("image_encoder"))
        classifier = try .init(try root.object("classifier"))
        alignment = try .init(try root.object("alignment"))
        reportInstruction = try prompts.string(Self.instruction, maximumBytes: 16_384)
        try Self.checkSlots(of: reportInstruction, in: prompts)
    }

    private static func checkSlots(of text: String, in prompts: ManifestObject) throws(ManifestProblem) {
        for mark in [ReportPrompt.imageMark, ReportPrompt.findingsMark] {
            guard text.split(separator: mark, omittingEmptySubsequences: false).count == 2 else {
                throw prompts.problem(instruction, "has to hold \(mark) exactly once")
            }
        }
        // A slot that nothing fills would be read by the model as it stands.
        let others = text.matches(of: /\{[^{}]*\}/).map(\.output).filter { $0 != ReportPrompt.findingsMark }
        if let other = others.first {
            throw prompts.problem(instruction, "holds \(other.prefix(80)); the only slot is \(ReportPrompt.findingsMark): nothing of a DICOM header enters a prompt")
        }
    }

    func checkTogether(with languageModel: BundleManifest.LanguageModel) throws(ManifestProblem) {
        guard preprocessing.encoderSide <= preprocessing.shorterSide, preprocessing.classifierSide <= preprocessing.shorterSide else {
            throw ManifestProblem(key: "preprocessing.shorter_side", reason: "is smaller than a crop of it")
        }
        guard let channels = alignmentChannels else {
            throw ManifestProblem(key: "image_encoder.projection", reason: "has to be a number: the Q-Former reads the projector's output")
        }
        guard alignment.input == channels else {
            let name = alignment.readsProjection ? "image_encoder.projection" : "2 x image_encoder.patch_channels"
            throw ManifestProblem(key: "alignment.input", reason: "has to be \(name) = \(channels)")
        }
        guard alignment.output == languageModel.hidden else {
            throw ManifestProblem(key: "alignment.output", reason: "has to be language_model.hidden = \(languageModel.hidden)")
        }
        let grid = classifier.encoder.grid(side: preprocessing.classifierSide)
        guard grid % classifier.pool == 0 else {
            throw ManifestProblem(key: "classifier.pool", reason: "has to divide the classifier's grid of \(grid)")
        }
        guard imageTokens < languageModel.context else {
            throw ManifestProblem(key: "language_model.context", reason: "has no room for \(imageTokens) image tokens")
        }
    }
}

extension BundleManifest.Preprocessing {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        rendering = try object.choice("rendering", of: RenderingMode.allCases)
        shorterSide = try object.integer("shorter_side", in: 32...2048)
        encoderSide = try object.integer("encoder_side", in: 32...2048)
        classifierSide = try object.integer("classifier_side", in: 32...2048)
        try object.finish()
    }
}

extension BundleManifest.ImageEncoder {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        try object.fixed("architecture", Self.architecture)
        try self.init(trunkOf: &object)
        if let keys = try object.optionalObject("prior") {
            let pooler = try Prior(keys)
            guard patchChannels % pooler.heads == 0, patchChannels % 4 == 0 else {
                throw object.problem("prior.heads", "has to divide patch_channels, which has to be a multiple of 4 (a sine and a cosine for each axis)")
            }
            prior = pooler
        }
        try object.finish()
    }

    /// The keys that encoder and classifier share.
    fileprivate init(trunkOf object: inout ManifestObject) throws(ManifestProblem) {
        weights = try object.fileName("weights")
        stemChannels = try object.integer("stem_channels", in: 1...4096)
        stageBlocks = try object.integers("stage_blocks", count: 4, in: 1...64)
        stageChannels = try object.integers("stage_channels", count: 4, in: 1...4096)
        expansion = try object.integer("expansion", in: 1...8)
        patchChannels = try object.integer("patch_channels", in: 1...8192)
        if case .null = try object.peek("projection") {
            _ = try object.value("projection")
            projection = nil
        } else {
            projection = try object.integer("projection", in: 1...8192)
        }
        batchNormEpsilon = try object.number("batch_norm_eps", in: 1e-12...0.1)
    }
}

extension BundleManifest.ImageEncoder.Prior {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        blocks = try object.integer("blocks", in: 1...64)
        heads = try object.integer("heads", in: 1...1024)
        feedForward = try object.integer("feed_forward", in: 1...65_536)
        layerNormEpsilon = try object.number("layer_norm_eps", in: 1e-12...0.1)
        try object.finish()
    }
}

extension BundleManifest.Classifier {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        try object.fixed("architecture", Self.architecture)
        encoder = try BundleManifest.ImageEncoder(trunkOf: &object)
        guard let projection = encoder.projection else { throw object.problem("projection", "has to be a number: the classifier reads the projector's output") }
        self.projection = projection
        pool = try object.integer("pool", in: 1...64)
        hidden = try object.integer("hidden", in: 1...65_536)
        labels = try object.labels("labels", count: 1...FindingLabel.allCases.count)
        thresholds = []
        for (index, value) in try object.array("thresholds", count: labels.count...labels.count).enumerated() {
            thresholds.append(try ManifestObject.number(value, in: 0...1, key: object.key("thresholds[\(index)]")))
        }
        try object.finish()
    }
}

extension BundleManifest.Alignment {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        let kind = try object.choice("architecture", of: Kind.allCases)
        weights = try object.fileName("weights")
        input = try object.integer("input", in: 1...16_384)
        output = try object.integer("output", in: 1...65_536)
        architecture =
            switch kind {
            case .mlp: .mlp(hidden: try object.integer("hidden", in: 1...65_536))
            case .qFormer: .qFormer(try QFormer(keysOf: &object))
            }
        try object.finish()
    }
}

extension BundleManifest.Alignment.QFormer {
    fileprivate init(keysOf object: inout ManifestObject) throws(ManifestProblem) {
        queries = try object.integer("queries", in: 1...4096)
        layers = try object.integer("layers", in: 1...1024)
        hidden = try object.integer("hidden", in: 1...65_536)
        heads = try object.integer("heads", in: 1...1024)
        feedForward = try object.integer("feed_forward", in: 1...262_144)
        crossAttentionEvery = try object.integer("cross_attention_every", in: 1...1024)
        layerNormEpsilon = try object.number("layer_norm_eps", in: 1e-12...0.1)
        visionNormEpsilon = try object.number("vision_norm_eps", in: 1e-12...0.1)
        guard hidden % heads == 0 else { throw object.problem("heads", "has to divide hidden") }
    }
}
