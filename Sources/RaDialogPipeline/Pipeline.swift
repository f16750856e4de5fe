public import ReportModel
internal import Synchronization

// One radiograph's way to a draft. Every stage is a folder of this target.

/// The model, loaded: radiographs in, drafts out. The same radiograph gives the same draft, bit for bit, for any number of threads.
///
/// Calls block for as long as the model computes, and wait for each other: call from a thread of your own, never from Swift's
/// cooperative pool.
public final class RaDialogPipeline: Sendable {
    public let bundle: ModelBundle
    let rendering: RenderingMode
    let pool: KernelPool
    private let encoder: ImageEncoder
    let classifier: Classifier
    private let alignment: Alignment
    private let languageModel: LanguageModel
    /// Held for a whole draft: one film's working memory at a time.
    let turn = Mutex(())

    /// Loads the weights of a verified bundle.
    ///
    /// - Parameters:
    ///   - threads: that work on one radiograph.
    ///   - rendering: in place of the bundle's; nil for the bundle's.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`: the bundle does not hold what its manifest says, or cannot work.
    public init(bundle: ModelBundle, threads: Int, rendering: RenderingMode? = nil) throws {
        let manifest = bundle.manifest
        self.bundle = bundle
        self.rendering = rendering ?? manifest.preprocessing.rendering
        pool = try KernelPool(threads: threads)
        encoder = try ImageEncoder(bundle.weights(manifest.imageEncoder.weights), manifest.imageEncoder)
        classifier = try Classifier(
            bundle.weights(manifest.classifier.encoder.weights), side: manifest.preprocessing.classifierSide, manifest.classifier)
        alignment = try Alignment(bundle.weights(manifest.alignment.weights), manifest.alignment)
        languageModel = try LanguageModel(bundle.weights(manifest.languageModel.weights), manifest.languageModel)
        try checkSizes()
    }

    /// The arithmetic path, as it stands in provenance.
    public var arithmetic: String { pool.arithmeticName }

    /// Drafts the findings section.
    ///
    /// - Parameters:
    ///   - isCancelled: asked before every stage, every layer and every token.
    ///   - onText: gets the report as it grows: the whole text so far, marked.
    /// - Throws: `PreprocessError` (this film has no draft), `PipelineError`.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> DraftReport {
        try turn.withLock { _ in
            try draftReport(radiograph, source: source, isCancelled: isCancelled, onText: onText).report
        }
    }

    /// Drafts, then answers `questions`, each as if it were the first after the report.
    /// - Throws: as above, and `PipelineError.badQuestion` before anything is computed.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, questions: [String], isCancelled: () -> Bool = { false },
        onText: (String) -> Void = { _ in }
    ) throws -> (report: DraftReport, turns: [DialogueTurn]) {
        let questions = try questions.map(Self.checkedQuestion)
        return try turn.withLock { _ in
            let (report, conversation) = try draftReport(radiograph, source: source, isCancelled: isCancelled, onText: onText)
            let endOfReport = conversation.mark()
            let turns = try questions.map { question in
                conversation.rewind(to: endOfReport)
                return try answer(question, in: conversation, isCancelled: isCancelled)
            }
            return (report, turns)
        }
    }

    // MARK: The stages

    private func draftReport(
        _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool, onText: (String) -> Void
    ) throws -> (report: DraftReport, conversation: Conversation) {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        var watch = Stopwatch()
        var timings = DraftProvenance.Timings(decode: source.decodeSeconds)
        let manifest = bundle.manifest

        let input = try ModelInput.make(from: radiograph, preprocessing: manifest.preprocessing, rendering: rendering)
        timings.preprocess = watch.lap()

        let classification = try classifier(pool, plane: input.classifier, side: input.classifierSide, check: check)
        timings.classify = watch.lap()

        let features = try encoder.patchFeatures(pool, plane: input.encoder, side: input.encoderSide, check: check)  // [patches, 2C]
        let read = manifest.alignment.readsProjection ? encoder.project(pool, features) : features
        let image = alignment(pool, read)  // [tokens, hidden]
        guard image.isFinite else { throw PipelineError.notFinite(stage: "image encoder") }
        timings.encode = watch.lap()

        let prompt = try reportPrompt(findings: classification.promptFindings)
        let conversation = Conversation(languageModel, pool: pool)
        try conversation.read(pieces(of: prompt, image: image), check: check)
        timings.prefill = watch.lap()

        let written = try write(in: conversation, limit: manifest.generation.maxReportTokens, check: check, onText: onText)
        guard !written.text.isEmpty else { throw PipelineError.emptyReport }
        timings.generate = watch.lap()

        let provenance = DraftProvenance(
            bundleName: bundle.name, bundleVersion: bundle.version, bundleKind: bundle.kind, bundleSHA256: bundle.sha256,
            algorithms: manifest.algorithms, build: Build.version, arithmetic: arithmetic, sopInstanceUID: source.sopInstanceUID,
            selectionReason: source.selectionReason, inputSHA256: source.inputSHA256, rendering: rendering.rawValue,
            renderedSHA256: input.renderedSHA256, promptSHA256: Array(prompt.text.utf8).withUnsafeBytes(sha256Hex),
            generatedTokens: written.tokens, finishReason: written.finish.rawValue, timings: timings)
        let report = DraftReport(
            text: marked(written.text), findings: classification.findings, promptFindings: classification.promptFindings,
            provenance: provenance)
        return (report, conversation)
    }

    private func answer(_ question: String, in conversation: Conversation, isCancelled: () -> Bool) throws -> DialogueTurn {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        var watch = Stopwatch()
        let tokens = bundle.tokenizer.encode(FollowUpPrompt.text(question: question), bos: false)
        try conversation.read([.tokens(tokens)], check: check)
        let written = try write(in: conversation, limit: bundle.manifest.generation.maxAnswerTokens, check: check) { _ in }
        return DialogueTurn(
            question: question, answer: marked(written.text), generatedTokens: written.tokens, finishReason: written.finish,
            seconds: watch.lap())
    }

    /// The text is cleaned and unmarked.
    private func write(
        in conversation: Conversation, limit: Int, check: () throws -> Void, onText: (String) -> Void
    ) throws -> (text: String, tokens: Int, finish: FinishReason) {
        var decoder = bundle.tokenizer.makeDecoder()
        var text = ""
        let (tokens, finish) = try conversation.write(limit: limit, end: bundle.tokenizer.endToken, check: check) { token in
            text += decoder.append(token)
            onText(marked(UntrustedText.cleaned(text, maximum: UntrustedText.maximumAnswer)))
        }
        text += decoder.finish()
        return (UntrustedText.cleaned(text, maximum: UntrustedText.maximumAnswer), tokens.count, finish)
    }

    private func reportPrompt(findings: String) throws -> ReportPrompt {
        let prompts = bundle.manifest.prompts
        return try ReportPrompt(system: prompts.system, instruction: prompts.reportInstruction, findings: findings)
    }

    private func pieces(of prompt: ReportPrompt, image: Activations) -> [Conversation.Piece] {
        [
            .tokens(bundle.tokenizer.encode(prompt.beforeImage, bos: true)), .embeddings(image),
            .tokens(bundle.tokenizer.encode(prompt.afterImage, bos: false)),
        ]
    }

    /// The one place where a text leaves the model.
    private func marked(_ text: String) -> String { MachineText.marked(text, kind: bundle.kind) }

    // MARK: Checks

    /// What no file can say alone: the parts fit each other, and the longest prompt fits the model.
    private func checkSizes() throws {
        let manifest = bundle.manifest
        func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
            if !condition { throw PipelineError.inconsistent(message()) }
        }
        try require(
            manifest.alignment.input == manifest.alignmentChannels,
            "alignment.input is \(manifest.alignment.input), and what it reads has \(manifest.alignmentChannels ?? 0) channels")
        try require(
            manifest.alignment.output == manifest.languageModel.hidden,
            "alignment.output is \(manifest.alignment.output), and the language model is \(manifest.languageModel.hidden) wide")
        try require(
            bundle.tokenizer.vocabularySize <= manifest.languageModel.vocabulary,
            "the tokenizer has \(bundle.tokenizer.vocabularySize) pieces, and the language model \(manifest.languageModel.vocabulary)")
        let everything = manifest.classifier.labels.map { $0.rawValue.lowercased() }.joined(separator: ", ")
        let longest = try reportPrompt(findings: everything)
        let needed =
            bundle.tokenizer.encode(longest.beforeImage, bos: true).count + manifest.imageTokens
            + bundle.tokenizer.encode(longest.afterImage, bos: false).count + 1
        try require(
            needed <= manifest.languageModel.context,
            "the longest report prompt has \(needed) tokens, and the language model a context of \(manifest.languageModel.context)")
    }

    private static func checkedQuestion(_ question: String) throws -> String {
        guard question.count <= UntrustedText.maximumQuestion else {
            throw PipelineError.badQuestion("it has \(question.count) characters; \(UntrustedText.maximumQuestion) are allowed")
        }
        let cleaned = UntrustedText.cleaned(question, maximum: UntrustedText.maximumQuestion)
        guard !cleaned.isEmpty else { throw PipelineError.badQuestion("it is empty") }
        return cleaned
    }
}

/// Seconds between laps.
private struct Stopwatch {
    private var last = ContinuousClock.now

    mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return (now - last) / .seconds(1)
    }
}
