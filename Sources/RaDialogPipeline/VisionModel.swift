internal import ReportModel

/// Image encoder, classifier and alignment: what turns a radiograph into findings and into tokens of the language model.
final class VisionModel: Sendable {
    let manifest: BundleManifest.Vision
    let rendering: RenderingMode
    let encoder: ImageEncoder
    let classifier: Classifier
    private let alignment: Alignment
    /// Of the two trunks.
    let arithmetic: (encoder: KernelPool.ImageArithmetic, classifier: KernelPool.ImageArithmetic)

    /// What one radiograph says.
    struct Reading {
        var classification: Classification
        /// `[tokens, hidden]`
        var image: Activations
    }

    /// - Parameter arithmetic: of the pool that will compute: the trunks' weights are loaded for it.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`.
    init(_ bundle: ModelBundle, _ manifest: BundleManifest.Vision, rendering: RenderingMode?, arithmetic: KernelPool.ImageArithmetic) throws {
        self.manifest = manifest
        self.rendering = rendering ?? manifest.preprocessing.rendering
        // bfloat16 would move a score by up to 0.04, halves by 0.004, two bfloat16s by less than 0.0001: docs/speed.md.
        self.arithmetic = (encoder: arithmetic, classifier: arithmetic == .bf16 ? .bf16x3 : arithmetic)
        encoder = try ImageEncoder(bundle.weights(manifest.imageEncoder.weights), manifest.imageEncoder, arithmetic: self.arithmetic.encoder)
        classifier = try Classifier(
            bundle.weights(manifest.classifier.encoder.weights), side: manifest.preprocessing.classifierSide, manifest.classifier,
            arithmetic: self.arithmetic.classifier)
        alignment = try Alignment(bundle.weights(manifest.alignment.weights), manifest.alignment)
    }

    /// The radiograph as both networks see it.
    /// - Throws: `PreprocessError`: nothing can be read from this film.
    func input(_ radiograph: Radiograph) throws -> ModelInput {
        try ModelInput.make(from: radiograph, preprocessing: manifest.preprocessing, rendering: rendering)
    }

    /// - Parameters:
    ///   - timings: gets the seconds of every stage.
    ///   - check: asked before every stage and every layer.
    /// - Throws: `PipelineError`.
    func read(_ input: ModelInput, _ pool: KernelPool, timings: inout DraftProvenance.Timings, check: () throws -> Void) throws -> Reading {
        var watch = Stopwatch()
        let classification = try classifier(pool, plane: input.classifier, side: input.classifierSide, check: check)
        timings.classify = watch.lap()

        let features = try encoder.patchFeatures(pool, plane: input.encoder, side: input.encoderSide, check: check)  // [patches, 2C]
        let image = alignment(pool, manifest.alignment.readsProjection ? encoder.project(pool, features) : features)
        guard image.isFinite else { throw PipelineError.notFinite(stage: "image encoder") }
        timings.encode = watch.lap()
        return Reading(classification: classification, image: image)
    }

    /// The prompt of the report turn.
    func reportPrompt(system: String, findings: String) throws -> ReportPrompt {
        try ReportPrompt(system: system, instruction: manifest.reportInstruction, findings: findings)
    }
}

/// Seconds between laps.
struct Stopwatch {
    private var last = ContinuousClock.now

    mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return (now - last) / .seconds(1)
    }
}
