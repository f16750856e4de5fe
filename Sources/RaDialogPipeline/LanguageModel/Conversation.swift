internal import CKernels

/// A prompt and what the model answered, turn after turn, with the key-value cache of all of it.
///
/// What a conversation is, is its sequence of tokens and embeddings; texts are never tokenised again. The cache only saves computing
/// them again: it may be dropped at rest, and is rebuilt bit for bit by the next reading. One conversation is used by one thread at a time.
package final class Conversation {
    private let model: LanguageModel
    private let scheduler: ComputeScheduler
    private let head: PromptHead?
    private let phrases: PhraseMemory?
    private var cache: KeyValueCache
    /// Everything read so far, in order. The cache holds its beginning, or all of it.
    private var history = History()
    /// What belongs to the conversation and is not read yet: the end of an answer. Read with what comes next.
    private var pending = History()
    /// What may follow; nil before the first prompt, and while tokens are pending.
    private var logits: Activations?

    /// - Parameters:
    ///   - head: what conversations of this kind begin with, so that it is read once for all of them.
    ///   - phrases: what the model wrote in others, and will learn from this one.
    package init(_ model: LanguageModel, scheduler: ComputeScheduler, head: PromptHead? = nil, phrases: PhraseMemory? = nil) {
        self.model = model
        self.scheduler = scheduler
        self.head = head
        self.phrases = phrases
        cache = model.makeCache()
    }

    /// One that shares the processor with no other.
    package convenience init(_ model: LanguageModel, pool: KernelPool) {
        self.init(model, scheduler: ComputeScheduler(model, pool: pool))
    }

    /// Tokens so far, those of an image included.
    package var count: Int { history.count + pending.count }

    /// Positions the model has.
    package var context: Int { model.manifest.context }

    /// Bytes of memory that `dropCache` would give back.
    package var cacheBytes: Int { cache.byteCount }

    /// Gives the cache's memory back. What is asked next costs reading everything again, and is answered the same.
    /// - Precondition: at rest, that is before the first prompt or behind an answer.
    package func dropCache() {
        precondition(logits == nil, "a cache is dropped between turns")
        cache.release()
    }

    /// A place to come back to.
    package struct Mark {
        fileprivate let count: Int
        fileprivate let pending: History
        fileprivate let logits: Activations?

        /// `Conversation.count` of then.
        package var tokenCount: Int { count + pending.count }
    }

    package func mark() -> Mark { Mark(count: history.count, pending: pending, logits: logits) }

    /// Forgets everything after `mark`, which this conversation made; costs nothing.
    package func rewind(to mark: Mark) {
        precondition(mark.logits == nil || cache.length >= mark.count, "the cache was dropped since")
        history.cut(to: mark.count)
        cache.length = min(cache.length, mark.count)
        pending = mark.pending
        logits = mark.logits
    }

    /// A piece of a prompt.
    package enum Piece {
        case tokens([Int32])
        /// The model's own.
        case written([Int32])
        /// `[count, hidden]`: the alignment's output.
        case embeddings(Activations)

        package var count: Int {
            switch self {
            case .tokens(let tokens), .written(let tokens): tokens.count
            case .embeddings(let rows): rows.rows
            }
        }

        var origin: RowOrigin {
            if case .written = self { .written } else { .read }
        }
    }

    /// Appends what is read together with the next prompt.
    package func append(_ pieces: [Piece]) {
        precondition(logits == nil, "pieces are appended between turns")
        for piece in pieces { pending.append(piece) }
    }

    /// Reads a prompt, in one batch with what is pending and what the cache has lost.
    /// - Throws: `.contextOverflow` where not even one token of an answer would fit; `.cancelled` from `check`. The conversation
    ///   is then what it was.
    package func read(_ pieces: [Piece], urgency: Urgency = .routine, check: () throws -> Void = {}) throws {
        var extended = history
        for piece in pending.pieces + pieces { extended.append(piece) }
        precondition(extended.count > history.count, "an empty prompt cannot be read")
        let needed = extended.count + 1
        guard needed <= context else { throw PipelineError.contextOverflow(needed: needed, context: context) }
        if cache.length == 0, let head, case .tokens(let tokens)? = extended.pieces.first, extended.count > head.tokens.count, tokens.starts(with: head.tokens) {
            cache = try head.cache(model, scheduler, urgency: urgency, check: check)
        }
        let origins = Array(extended.pieces.flatMap { Array(repeating: $0.origin, count: $0.count) }[cache.length...])
        logits = try scheduler.read(rows(of: extended, from: cache.length), origins: origins, cache: cache, urgency: urgency, check: check)
        history = extended
        pending = History()
    }

    private func rows(of history: History, from first: Int) -> Activations {
        let rows = Activations(rows: history.count - first, columns: model.manifest.hidden)
        var place = 0
        for piece in history.pieces {
            let skipped = max(0, min(piece.count, first - place))
            if skipped < piece.count {
                let embedded: Activations
                switch piece {
                case .tokens(let tokens), .written(let tokens): embedded = model.embed(Array(tokens[skipped...]))
                case .embeddings(let embeddings):
                    precondition(embeddings.columns == rows.columns && skipped == 0, "embeddings are as wide as the model, and read whole")
                    embedded = embeddings
                }
                rows.row(place + skipped - first).update(from: embedded.pointer, count: embedded.rows * embedded.columns)
            }
            place += piece.count
        }
        return rows
    }

    /// Writes greedily until the model ends its text (`end`, which is not returned), `limit` tokens stand, time is up, or the context is full.
    ///
    /// What the text so far, or earlier texts suggest to come next is read along (`PromptLookup`, `PhraseMemory`) where that costs little; it saves
    /// steps where the model agrees, and never changes a token. Afterwards the answer is closed: whatever ended it, the conversation goes on behind an `end`.
    /// - Parameters:
    ///   - isOver: whether time is up; asked at every token.
    ///   - onToken: gets each token as it comes.
    package func write(
        limit: Int, end: Int32, urgency: Urgency = .routine, isOver: () -> Bool = { false }, check: () throws -> Void = {},
        onToken: (Int32) throws -> Void = { _ in }
    ) throws -> (tokens: [Int32], finish: FinishReason) {
        let before = mark()
        let context = Array(history.tokens.suffix(PhraseMemory.run))
        do {
            let written = try scheduler.writing {
                try write(limit, end, urgency, isOver, check, onToken)
            }
            phrases?.learn(written.finish == .stop ? written.tokens + [end] : written.tokens, behind: context)
            return written
        } catch {
            rewind(to: before)
            throw error
        }
    }

    private func write(
        _ limit: Int, _ end: Int32, _ urgency: Urgency, _ isOver: () -> Bool, _ check: () throws -> Void, _ onToken: (Int32) throws -> Void
    ) throws -> (tokens: [Int32], finish: FinishReason) {
        guard var rows = logits else { preconditionFailure("an answer follows a prompt") }
        var tokens: [Int32] = []
        var lookup = PromptLookup(history.tokens)
        // What was read behind the last token, and how much of it the model has agreed with: row `agreed` of the logits is the next one's.
        var (guesses, agreed): ([Int32], Int) = ([], 0)
        // Where all of the last guesses were right, the next ones likely are.
        var areLikely: Bool { !guesses.isEmpty && agreed == guesses.count }
        // One position is kept for the end.
        let room = min(limit, context - history.count - 1)
        while true {
            try check()
            let row = UnsafeMutableBufferPointer(start: rows.row(agreed), count: rows.columns)
            let token = rows.largest(ofRow: agreed)
            guard row.isFinite else { throw PipelineError.notFinite(stage: "language model") }
            if token == end {
                close(with: [.tokens([end])])
                return (tokens, .stop)
            }
            if tokens.count >= room {
                close(with: [.tokens([end])])
                return (tokens, .length)
            }
            if isOver() {
                close(with: [.tokens([end])])
                return (tokens, .time)
            }
            tokens.append(token)
            lookup.append(token)
            try onToken(token)
            if tokens.count == room {
                close(with: [.written([token]), .tokens([end])])
                return (tokens, .length)
            }
            history.append(.written([token]))
            if agreed < guesses.count, guesses[agreed] == token {
                agreed += 1
                continue
            }
            cache.length = history.count - 1
            guesses = lookup.guesses(atMost: min(scheduler.spareRows(likely: areLikely), PromptLookup.longest, context - history.count))
            if guesses.isEmpty, let phrases {
                let spare = min(scheduler.spareRows(likely: false), PromptLookup.longest, context - history.count)
                guesses = phrases.guesses(behind: lookup.suffix(PhraseMemory.run), atMost: spare)
            }
            agreed = 0
            rows = try scheduler.read(
                model.embed([token] + guesses), cache: cache, wanted: 1 + guesses.count, isWriting: true, urgency: urgency, check: check)
        }
    }

    private func close(with pieces: [Piece]) {
        logits = nil
        append(pieces)
        // Guesses that were not needed.
        cache.length = min(cache.length, history.count)
    }

    /// A sequence of tokens and embeddings.
    fileprivate struct History {
        private(set) var pieces: [Piece] = []
        private(set) var count = 0

        /// An image stands as -1, which is no token.
        var tokens: [Int32] {
            pieces.flatMap { piece -> [Int32] in
                switch piece {
                case .tokens(let tokens), .written(let tokens): tokens
                case .embeddings: [-1]
                }
            }
        }

        mutating func append(_ piece: Piece) {
            guard piece.count > 0 else { return }
            count += piece.count
            switch (pieces.last, piece) {
            case (.tokens(let tokens), .tokens(let more)): pieces[pieces.count - 1] = .tokens(tokens + more)
            case (.written(let tokens), .written(let more)): pieces[pieces.count - 1] = .written(tokens + more)
            default: pieces.append(piece)
            }
        }

        mutating func cut(to length: Int) {
            precondition(length <= count, "a conversation is rewound to its own past")
            while count > length, let last = pieces.popLast() {
                count -= last.count
                guard count < length else { continue }
                switch last {
                case .tokens(let tokens): append(.tokens(Array(tokens.prefix(length - count))))
                case .written(let tokens): append(.written(Array(tokens.prefix(length - count))))
                case .embeddings: preconditionFailure("embeddings are kept or forgotten whole")
                }
            }
        }
    }
}
