public import ReportModel

// One radiograph's way to a draft. Every stage is a folder of this target.

/// The model, loaded: radiographs in, drafts and dialogues out. The same radiograph gives the same draft, bit for bit, for any
/// number of threads.
///
/// Calls block for as long as the model computes: call from threads of your own, never from Swift's cooperative pool. Calls from several
/// threads share the processor (`ComputeScheduler`): drafts that are written at the same time cost little more than one.
public final class RaDialogPipeline: Sendable {
    public let bundle: ModelBundle
    let pool: KernelPool
    /// nil for a bundle that only talks.
    private let vision: VisionModel?
    private let languageModel: LanguageModel
    let scheduler: ComputeScheduler
    /// The beginning of every report prompt; nil for a bundle that only talks.
    private let promptHead: PromptHead?
    private let phrases: PhraseMemory?

    /// Loads the weights of a verified bundle.
    ///
    /// - Parameters:
    ///   - options: how it is computed.
    ///   - rendering: in place of the bundle's; nil for the bundle's.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`: the bundle does not hold what its manifest says, cannot work, or the processor has
    ///   not what the options ask for.
    public convenience init(bundle: ModelBundle, options: ComputeOptions = ComputeOptions(), rendering: RenderingMode? = nil) throws {
        try self.init(bundle: bundle, pool: options.pool(), cache: options.cache.type, rendering: rendering)
    }

    /// - Parameters:
    ///   - pool: decides the arithmetic; one that is cut to fp32 computes exactly.
    ///   - cache: how keys and values are stored; nil for what suits the weights.
    ///   - phrases: what speeds texts up that resemble earlier ones; nil to write each as if it were the first.
    package init(
        bundle: ModelBundle, pool: KernelPool, cache: KeyValueType? = nil, rendering: RenderingMode? = nil, phrases: PhraseMemory? = PhraseMemory()
    ) throws {
        self.bundle = bundle
        self.pool = pool
        self.phrases = phrases
        vision = try bundle.manifest.vision.map { try VisionModel(bundle, $0, rendering: rendering, arithmetic: pool.imageArithmetic) }
        languageModel = try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel, cache: cache)
        scheduler = ComputeScheduler(languageModel, pool: pool)
        let prompt = try vision?.reportPrompt(system: bundle.manifest.prompts.system, findings: "")
        promptHead = prompt.map { PromptHead(tokens: bundle.tokenizer.encode($0.beforeImage, bos: true)) }
        try checkSizes()
    }

    /// Threads that compute.
    public var threads: Int { pool.threads }

    package func languageBenchmark() -> LanguageModelBenchmark { LanguageModelBenchmark(languageModel, pool: pool) }

    /// nil for a bundle that only talks.
    package func trunkBenchmark() -> TrunkBenchmark? { vision.map { TrunkBenchmark($0, pool: pool) } }

    /// The arithmetic path, as it stands in provenance.
    public var arithmetic: String {
        var parts = [pool.arithmeticName]
        if let trunks = vision?.arithmetic {
            if trunks.encoder != .fp32 { parts.append("image encoder \(pool.name(of: trunks.encoder))") }
            if trunks.classifier != .fp32 { parts.append("classifier \(pool.name(of: trunks.classifier))") }
        }
        let cache = "\(languageModel.keyValueType.name) cache"
        if languageModel.isInPanels {
            parts.append("language model \(pool.panelArithmeticName) with \(cache)")
        } else if languageModel.keyValueType != .f32 {
            parts.append(cache)
        }
        return parts.joined(separator: ", ")
    }

    /// Whether it reads radiographs. One that does not only talks.
    public var readsImages: Bool { vision != nil }

    /// Drafts the findings section.
    ///
    /// - Parameters:
    ///   - limits: in place of the bundle's.
    ///   - isCancelled: asked before every stage and every token, before every layer while nobody else computes, and every second of a wait.
    ///   - onText: gets the report as it grows: the whole text so far, marked.
    /// - Throws: `PreprocessError` (this film has no draft), `PipelineError`.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, urgency: Urgency = .routine, limits: GenerationLimits = GenerationLimits(),
        isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> DraftReport {
        try openDialogue(radiograph, source: source, urgency: urgency, limits: limits, isCancelled: isCancelled, onText: onText).report
    }

    /// Drafts, then answers `questions`, each as if it were the first after the report.
    /// - Throws: as above, and `PipelineError.badQuestion` before anything is computed.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, questions: [String], urgency: Urgency = .routine, isCancelled: () -> Bool = { false },
        onText: (String) -> Void = { _ in }
    ) throws -> (report: DraftReport, turns: [DialogueTurn]) {
        for question in questions { _ = try Dialogue.checkedQuestion(question) }
        let (report, dialogue) = try openDialogue(radiograph, source: source, urgency: urgency, isCancelled: isCancelled, onText: onText)
        let turns = try questions.map { question in
            dialogue.restart()
            return try dialogue.ask(question, isCancelled: isCancelled)
        }
        return (report, turns)
    }

    /// Drafts, and stays ready for questions about the radiograph.
    /// - Throws: as `draft`.
    public func openDialogue(
        _ radiograph: Radiograph, source: DraftSource, urgency: Urgency = .routine, limits: GenerationLimits = GenerationLimits(),
        isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> (report: DraftReport, dialogue: Dialogue) {
        let (report, conversation) = try draftReport(
            requireVision(), radiograph, source: source, urgency: urgency, limits: limits, isCancelled: isCancelled, onText: onText)
        return (report, Dialogue(self, behind: conversation))
    }

    /// A dialogue without a radiograph.
    public func openDialogue() -> Dialogue { Dialogue(self, behind: Conversation(languageModel, scheduler: scheduler, phrases: phrases)) }

    /// What reads radiographs.
    /// - Throws: `PipelineError.readsNoImages`.
    func requireVision() throws(PipelineError) -> VisionModel {
        guard let vision else { throw .readsNoImages(bundle: bundle.name) }
        return vision
    }

    private func draftReport(
        _ vision: VisionModel, _ radiograph: Radiograph, source: DraftSource, urgency: Urgency, limits: GenerationLimits, isCancelled: () -> Bool,
        onText: (String) -> Void
    ) throws -> (report: DraftReport, conversation: Conversation) {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        let deadline = limits.seconds.map { ContinuousClock.now + .seconds($0) }
        let manifest = bundle.manifest
        var timings = DraftProvenance.Timings(decode: source.decodeSeconds)
        var watch = Stopwatch()
        let input = try vision.input(radiograph)
        timings.preprocess = watch.lap()
        let reading = try scheduler.together(vision.films, input, urgency: urgency, check: check) { inputs in
            try vision.read(inputs, pool) {
                if inputs.count == 1 { try check() }
                scheduler.giveWay(urgency, check: check)
            }
        }
        (timings.classify, timings.encode) = reading.timings

        watch = Stopwatch()
        let prompt = try vision.reportPrompt(system: manifest.prompts.system, findings: reading.classification.promptFindings)
        let conversation = Conversation(languageModel, scheduler: scheduler, head: promptHead, phrases: phrases)
        try conversation.read(pieces(of: prompt, image: reading.image), urgency: urgency, check: check)
        timings.prefill = watch.lap()

        let written = try write(
            in: conversation, limit: min(limits.tokens ?? .max, manifest.generation.maxReportTokens), urgency: urgency,
            isOver: { deadline.map { $0 <= .now } ?? false }, check: check, onText: onText)
        guard !written.text.isEmpty else { throw PipelineError.emptyReport }
        timings.generate = watch.lap()

        let provenance = DraftProvenance(
            bundleName: bundle.name, bundleVersion: bundle.version, bundleKind: bundle.kind, bundleSHA256: bundle.sha256,
            algorithms: manifest.algorithms, build: Build.version, arithmetic: arithmetic, sopInstanceUID: source.sopInstanceUID,
            selectionReason: source.selectionReason, inputSHA256: source.inputSHA256, rendering: vision.rendering.rawValue,
            renderedSHA256: input.renderedSHA256, promptSHA256: Array(prompt.text.utf8).withUnsafeBytes(sha256Hex),
            generatedTokens: written.tokens.count, finishReason: written.finish.rawValue, timings: timings)
        let report = DraftReport(
            text: written.text, findings: reading.classification.findings, promptFindings: reading.classification.promptFindings,
            provenance: provenance)
        return (report, conversation)
    }

    /// Lets the model write. The text is cleaned, and marked: the one place where a text leaves the model.
    func write(
        in conversation: Conversation, limit: Int, urgency: Urgency, isOver: () -> Bool = { false }, check: () throws -> Void, onText: (String) -> Void
    ) throws -> (text: String, tokens: [Int32], finish: FinishReason) {
        var decoder = bundle.tokenizer.makeTokenDecoder()
        var text = ""
        func marked() -> String { MachineText.marked(UntrustedText.cleaned(text, maximum: UntrustedText.maximumAnswer), kind: bundle.kind) }
        let (tokens, finish) = try conversation.write(limit: limit, end: bundle.endToken, urgency: urgency, isOver: isOver, check: check) { token in
            text += decoder.append(token)
            onText(marked())
        }
        text += decoder.finish()
        return (marked(), tokens, finish)
    }

    private func pieces(of prompt: ReportPrompt, image: Activations) -> [Conversation.Piece] {
        let tokenizer = bundle.tokenizer
        return [
            .tokens(tokenizer.encode(prompt.beforeImage, bos: true)), .embeddings(image),
            .tokens(tokenizer.encode(prompt.afterImage, bos: false)),
        ]
    }

    /// What no file can say alone: the longest report prompt fits the model.
    private func checkSizes() throws {
        guard let vision else { return }
        let everything = vision.manifest.classifier.labels.map { $0.rawValue.lowercased() }.joined(separator: ", ")
        let longest = try vision.reportPrompt(system: bundle.manifest.prompts.system, findings: everything)
        let needed =
            bundle.tokenizer.encode(longest.beforeImage, bos: true).count + vision.manifest.imageTokens
            + bundle.tokenizer.encode(longest.afterImage, bos: false).count + 1
        guard needed <= bundle.manifest.languageModel.context else {
            throw PipelineError.inconsistent(
                "the longest report prompt has \(needed) tokens, and the language model a context of \(bundle.manifest.languageModel.context)")
        }
    }
}
