public import ReportModel
internal import Synchronization

// One radiograph's way to a draft. Every stage is a folder of this target.

/// The model, loaded: radiographs in, drafts and dialogues out. The same radiograph gives the same draft, bit for bit, for any
/// number of threads.
///
/// Calls block for as long as the model computes, and wait for each other: call from a thread of your own, never from Swift's
/// cooperative pool.
public final class RaDialogPipeline: Sendable {
    public let bundle: ModelBundle
    let pool: KernelPool
    /// nil for a bundle that only talks.
    private let vision: VisionModel?
    private let languageModel: LanguageModel
    /// Held for a whole draft or answer: one film's working memory at a time.
    private let turn = Mutex(())

    /// Loads the weights of a verified bundle.
    ///
    /// - Parameters:
    ///   - threads: that work on one radiograph; 0 for one on each processor that the process may run on.
    ///   - rendering: in place of the bundle's; nil for the bundle's.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`: the bundle does not hold what its manifest says, or cannot work.
    public init(bundle: ModelBundle, threads: Int, rendering: RenderingMode? = nil) throws {
        self.bundle = bundle
        let pool = try KernelPool(threads: threads)
        self.pool = pool
        vision = try bundle.manifest.vision.map { try VisionModel(bundle, $0, rendering: rendering, arithmetic: pool.panelArithmetic) }
        languageModel = try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel)
        try checkSizes()
    }

    /// The arithmetic path, as it stands in provenance.
    public var arithmetic: String {
        var parts = [pool.arithmeticName]
        if let trunks = vision?.arithmetic {
            if trunks.encoder != .fp32 { parts.append("image encoder \(pool.name(of: trunks.encoder))") }
            if trunks.classifier != .fp32 { parts.append("classifier \(pool.name(of: trunks.classifier))") }
        }
        if languageModel.isInPanels { parts.append("language model \(pool.panelArithmeticName)") }
        return parts.joined(separator: ", ")
    }

    /// Whether it reads radiographs. One that does not only talks.
    public var readsImages: Bool { vision != nil }

    /// Drafts the findings section.
    ///
    /// - Parameters:
    ///   - isCancelled: asked before every stage, every layer and every token.
    ///   - onText: gets the report as it grows: the whole text so far, marked.
    /// - Throws: `PreprocessError` (this film has no draft), `PipelineError`.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> DraftReport {
        try openDialogue(radiograph, source: source, isCancelled: isCancelled, onText: onText).report
    }

    /// Drafts, then answers `questions`, each as if it were the first after the report.
    /// - Throws: as above, and `PipelineError.badQuestion` before anything is computed.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, questions: [String], isCancelled: () -> Bool = { false },
        onText: (String) -> Void = { _ in }
    ) throws -> (report: DraftReport, turns: [DialogueTurn]) {
        for question in questions { _ = try Dialogue.checkedQuestion(question) }
        let (report, dialogue) = try openDialogue(radiograph, source: source, isCancelled: isCancelled, onText: onText)
        let turns = try questions.map { question in
            dialogue.restart()
            return try dialogue.ask(question, isCancelled: isCancelled)
        }
        return (report, turns)
    }

    /// Drafts, and stays ready for questions about the radiograph.
    /// - Throws: as `draft`.
    public func openDialogue(
        _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> (report: DraftReport, dialogue: Dialogue) {
        let vision = try requireVision()
        return try alone {
            let (report, conversation) = try draftReport(vision, radiograph, source: source, isCancelled: isCancelled, onText: onText)
            return (report, Dialogue(self, behind: conversation))
        }
    }

    /// A dialogue without a radiograph.
    public func openDialogue() -> Dialogue { Dialogue(self, behind: Conversation(languageModel, pool: pool)) }

    /// What reads radiographs.
    /// - Throws: `PipelineError.readsNoImages`.
    func requireVision() throws(PipelineError) -> VisionModel {
        guard let vision else { throw .readsNoImages(bundle: bundle.name) }
        return vision
    }

    /// One at a time.
    func alone<Result>(_ body: () throws -> Result) rethrows -> Result {
        // The result belongs to the caller alone; `withLock` wants it Sendable, which a dialogue's parts are not.
        var result: Result?
        try turn.withLock { _ in result = try body() }
        guard let result else { preconditionFailure("a body that returned has a result") }
        return result
    }

    private func draftReport(
        _ vision: VisionModel, _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool, onText: (String) -> Void
    ) throws -> (report: DraftReport, conversation: Conversation) {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        let manifest = bundle.manifest
        var timings = DraftProvenance.Timings(decode: source.decodeSeconds)
        let reading = try vision.read(radiograph, pool, timings: &timings, check: check)

        var watch = Stopwatch()
        let prompt = try vision.reportPrompt(system: manifest.prompts.system, findings: reading.classification.promptFindings)
        let conversation = Conversation(languageModel, pool: pool)
        try conversation.read(pieces(of: prompt, image: reading.image), check: check)
        timings.prefill = watch.lap()

        let written = try write(in: conversation, limit: manifest.generation.maxReportTokens, check: check, onText: onText)
        guard !written.text.isEmpty else { throw PipelineError.emptyReport }
        timings.generate = watch.lap()

        let provenance = DraftProvenance(
            bundleName: bundle.name, bundleVersion: bundle.version, bundleKind: bundle.kind, bundleSHA256: bundle.sha256,
            algorithms: manifest.algorithms, build: Build.version, arithmetic: arithmetic, sopInstanceUID: source.sopInstanceUID,
            selectionReason: source.selectionReason, inputSHA256: source.inputSHA256, rendering: reading.rendering.rawValue,
            renderedSHA256: reading.renderedSHA256, promptSHA256: Array(prompt.text.utf8).withUnsafeBytes(sha256Hex),
            generatedTokens: written.tokens.count, finishReason: written.finish.rawValue, timings: timings)
        let report = DraftReport(
            text: written.text, findings: reading.classification.findings, promptFindings: reading.classification.promptFindings,
            provenance: provenance)
        return (report, conversation)
    }

    /// Lets the model write. The text is cleaned, and marked: the one place where a text leaves the model.
    func write(
        in conversation: Conversation, limit: Int, isOver: () -> Bool = { false }, check: () throws -> Void, onText: (String) -> Void
    ) throws -> (text: String, tokens: [Int32], finish: FinishReason) {
        var decoder = bundle.tokenizer.makeTokenDecoder()
        var text = ""
        func marked() -> String { MachineText.marked(UntrustedText.cleaned(text, maximum: UntrustedText.maximumAnswer), kind: bundle.kind) }
        let (tokens, finish) = try conversation.write(limit: limit, end: bundle.endToken, isOver: isOver, check: check) { token in
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
