internal import Synchronization

/// A conversation: the report turn where there is a radiograph, and the turns after it.
///
/// Its key-value cache is kept from turn to turn, so that a question costs reading the question. `dropCache` gives that memory back; the
/// next question then reads everything again and gets the same answer, bit for bit.
public final class Dialogue: @unchecked Sendable {  // every access to its state is under `turn`
    private let pipeline: RaDialogPipeline
    /// Held for a whole answer.
    private let turn = Mutex(())
    private let conversation: Conversation
    /// Behind the report, or at the very beginning.
    private let beginning: Conversation.Mark
    private let hasReport: Bool
    /// What stands in the conversation behind `beginning`, oldest first.
    private var turns: [Turn] = []

    private struct Turn {
        var question: String
        var answer: [Int32]
    }

    /// Tokens that an answer gets at least: a conversation that leaves less is shortened first.
    static let answerRoom = 128

    /// - Parameter conversation: at rest: empty, or with a written report.
    init(_ pipeline: RaDialogPipeline, behind conversation: Conversation) {
        self.pipeline = pipeline
        self.conversation = conversation
        beginning = conversation.mark()
        hasReport = conversation.count > 0
    }

    /// Asks, and lets the model answer.
    ///
    /// A conversation that would not leave `answerRoom` tokens for the answer forgets its oldest turns first, never the report turn; the
    /// turn says how many.
    /// - Parameters:
    ///   - limits: in place of the bundle's.
    ///   - isCancelled: asked before every layer and every token.
    ///   - onText: gets the answer as it grows: the whole text so far, marked.
    /// - Throws: `PipelineError.badQuestion`; `.contextOverflow` where the report turn and the question alone are too long; `.cancelled`. The
    ///   dialogue is then what it was.
    public func ask(
        _ question: String, limits: GenerationLimits = GenerationLimits(), isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> DialogueTurn {
        let question = try Self.checkedQuestion(question)
        return try turn.withLock { _ in try answer(question, limits, isCancelled, onText) }
    }

    /// Forgets every turn but the report's.
    public func restart() {
        turn.withLock { _ in
            conversation.rewind(to: beginning)
            turns = []
        }
    }

    /// Gives the memory of the key-value cache back.
    public func dropCache() { turn.withLock { _ in conversation.dropCache() } }

    /// Bytes of the key-value cache.
    public var cacheBytes: Int { turn.withLock { _ in conversation.cacheBytes } }

    private func answer(_ question: String, _ limits: GenerationLimits, _ isCancelled: () -> Bool, _ onText: (String) -> Void) throws -> DialogueTurn {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        var watch = Stopwatch()
        let deadline = limits.seconds.map { ContinuousClock.now + .seconds($0) }
        let limit = min(limits.tokens ?? .max, pipeline.bundle.manifest.generation.maxAnswerTokens)
        let before = turns
        do {
            let forgotten = try makeRoom(for: question, answer: min(limit, Self.answerRoom))
            try conversation.read([.tokens(tokens(of: question, isFirst: turns.isEmpty))], urgency: .dialogue, check: check)
            let written = try pipeline.write(
                in: conversation, limit: limit, urgency: .dialogue, isOver: { deadline.map { $0 <= .now } ?? false }, check: check, onText: onText)
            turns.append(Turn(question: question, answer: written.tokens))
            return DialogueTurn(
                question: question, answer: written.text, generatedTokens: written.tokens.count, finishReason: written.finish,
                forgottenTurns: forgotten, seconds: watch.lap())
        } catch {
            rebuild(before)
            throw error
        }
    }

    /// Forgets the oldest turns until `question` and an answer of `room` tokens fit, or none is left.
    /// - Returns: how many it forgot.
    private func makeRoom(for question: String, answer room: Int) throws -> Int {
        var kept = turns[...]
        func needed() -> Int {
            let past = kept.count == turns.count ? conversation.count : beginning.tokenCount + pieces(of: kept).reduce(0) { $0 + $1.count }
            return past + tokens(of: question, isFirst: kept.isEmpty).count + room + 1
        }
        while needed() > conversation.context, !kept.isEmpty { kept.removeFirst() }
        guard needed() <= conversation.context else { throw PipelineError.contextOverflow(needed: needed(), context: conversation.context) }
        let forgotten = turns.count - kept.count
        if forgotten > 0 { rebuild(Array(kept)) }
        return forgotten
    }

    /// Makes the conversation one of `kept` turns. Nothing is computed before the next reading.
    private func rebuild(_ kept: [Turn]) {
        conversation.rewind(to: beginning)
        conversation.append(pieces(of: kept[...]))
        turns = kept
    }

    /// As the turns left them behind.
    private func pieces(of kept: ArraySlice<Turn>) -> [Conversation.Piece] {
        kept.enumerated().flatMap { index, turn -> [Conversation.Piece] in
            [.tokens(tokens(of: turn.question, isFirst: index == 0)), .written(turn.answer), .tokens([pipeline.bundle.endToken])]
        }
    }

    private func tokens(of question: String, isFirst: Bool) -> [Int32] {
        let (prompts, tokenizer) = (pipeline.bundle.manifest.prompts, pipeline.bundle.tokenizer)
        return isFirst && !hasReport
            ? prompts.format.opening(system: prompts.system, question: question, tokenizer)
            : prompts.format.followUp(question: question, tokenizer)
    }

    static func checkedQuestion(_ question: String) throws -> String {
        guard question.count <= UntrustedText.maximumQuestion else {
            throw PipelineError.badQuestion("it has \(question.count) characters; \(UntrustedText.maximumQuestion) are allowed")
        }
        let cleaned = UntrustedText.cleaned(question, maximum: UntrustedText.maximumQuestion)
        guard !cleaned.isEmpty else { throw PipelineError.badQuestion("it is empty") }
        return cleaned
    }
}

/// How long an answer may become.
public struct GenerationLimits: Sendable, Equatable {
    /// nil for the bundle's; never more than that.
    public var tokens: Int?
    /// From the question on; asked between tokens. What an answer holds then depends on the machine.
    public var seconds: Double?

    public init(tokens: Int? = nil, seconds: Double? = nil) {
        self.tokens = tokens
        self.seconds = seconds
    }
}
