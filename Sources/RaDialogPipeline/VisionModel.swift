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
    /// Films that wait, as many as a trunk computes at once.
    let films: Gathering<ModelInput, Reading>

    /// What one radiograph says.
    struct Reading {
        var classification: Classification
        /// `[tokens, hidden]`
        var image: Activations
        /// Seconds, of all that were read together.
        var timings: (classify: Double, encode: Double)
    }

    /// - Parameter arithmetic: of the pool that will compute: the trunks' weights are loaded for it.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`.
    init(_ bundle: ModelBundle, _ manifest: BundleManifest.Vision, rendering: RenderingMode?, arithmetic: KernelPool.ImageArithmetic) throws {
        self.manifest = manifest
        self.rendering = rendering ?? manifest.preprocessing.rendering
        // bfloat16 would move a score by up to 0.04, halves by 0.004, two bfloat16s by less than 0.0001: docs/speed.md.
        self.arithmetic = (encoder: arithmetic, classifier: arithmetic == .bf16 ? .bf16x3 : arithmetic)
        let sources = try [manifest.imageEncoder.weights, manifest.classifier.encoder.weights, manifest.alignment.weights].map(bundle.weights)
        encoder = try ImageEncoder(sources[0], manifest.imageEncoder, arithmetic: self.arithmetic.encoder)
        classifier = try Classifier(
            sources[1], side: manifest.preprocessing.classifierSide, manifest.classifier, arithmetic: self.arithmetic.classifier)
        alignment = try Alignment(sources[2], manifest.alignment)
        for source in sources { source.letGo() }
        films = Gathering(atMost: max(
            encoder.trunk.imagesTogether(side: manifest.preprocessing.encoderSide),
            classifier.encoder.trunk.imagesTogether(side: manifest.preprocessing.classifierSide)))
    }

    /// The radiograph as both networks see it.
    /// - Throws: `PreprocessError`: nothing can be read from this film.
    func input(_ radiograph: Radiograph) throws -> ModelInput {
        try ModelInput.make(from: radiograph, preprocessing: manifest.preprocessing, rendering: rendering)
    }

    /// Reads films; what one gives does not depend on the others.
    ///
    /// - Parameters:
    ///   - inputs: of this model's `input`, at least one.
    ///   - check: asked before every stage and every block of the trunks.
    /// - Returns: one for each; a film whose numbers leave the finite ones has an error of its own.
    /// - Throws: `PipelineError`; what `check` throws.
    func read(_ inputs: [ModelInput], _ pool: KernelPool, check: () throws -> Void) throws -> [Result<Reading, any Error>] {
        var watch = Stopwatch()
        let preprocessing = manifest.preprocessing
        let passes = try classifier.forward(pool, planes: inputs.map(\.classifier), side: preprocessing.classifierSide, check: check)
        let classifications = passes.map { pass in Result { try classifier.classification(pool, pass, maps: .positive) } }
        let classify = watch.lap()

        let features = try encoder.patchFeatures(pool, planes: inputs.map(\.encoder), side: preprocessing.encoderSide, check: check)  // [patches, 2C]
        let images = features.map { alignment(pool, manifest.alignment.readsProjection ? encoder.project(pool, $0) : $0) }
        let timings = (classify: classify, encode: watch.lap())
        return zip(classifications, images).map { classification, image in
            Result {
                let classification = try classification.get()
                guard image.isFinite else { throw PipelineError.notFinite(stage: "image encoder") }
                return Reading(classification: classification, image: image, timings: timings)
            }
        }
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
