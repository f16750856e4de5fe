internal import CKernels

/// A prompt and what the model answered, turn after turn, with the key-value cache of all of it.
///
/// What stands in the cache is the token sequence itself; texts are never tokenised again. One conversation is used by one thread
/// at a time.
package final class Conversation {
    private let model: LanguageModel
    private let pool: KernelPool
    private let cache: KeyValueCache
    /// Tokens that belong to the conversation and are not yet in the cache: the end of an answer. Read with what comes next.
    private var pending: [Int32] = []
    /// What may follow; nil before the first prompt, and while tokens are pending.
    private var logits: Activations?

    package init(_ model: LanguageModel, pool: KernelPool) {
        self.model = model
        self.pool = pool
        cache = KeyValueCache(model.manifest)
    }

    private init(forkOf other: Conversation) {
        model = other.model
        pool = other.pool
        cache = other.cache.copy(other.model.manifest)
        pending = other.pending
        logits = other.logits
    }

    /// Tokens so far.
    package var count: Int { cache.length + pending.count }

    /// An independent continuation of the same past; costs a copy of the cache.
    package func fork() -> Conversation { Conversation(forkOf: self) }

    /// A place to come back to.
    package struct Mark {
        fileprivate let length: Int
        fileprivate let pending: [Int32]
        fileprivate let logits: Activations?
    }

    package func mark() -> Mark { Mark(length: cache.length, pending: pending, logits: logits) }

    /// Forgets everything after `mark`, which this conversation made; costs nothing.
    package func rewind(to mark: Mark) {
        precondition(mark.length <= cache.length, "a conversation is rewound to its own past")
        cache.length = mark.length
        pending = mark.pending
        logits = mark.logits
    }

    /// A piece of a prompt.
    package enum Piece {
        case tokens([Int32])
        /// `[count, hidden]`: the alignment's output.
        case embeddings(Activations)

        package var count: Int {
            switch self {
            case .tokens(let tokens): tokens.count
            case .embeddings(let rows): rows.rows
            }
        }
    }

    /// Reads a prompt, in one batch with what is pending.
    /// - Throws: `.contextOverflow` where not even one token of an answer would fit; `.cancelled` from `check`. The conversation
    ///   is then what it was.
    package func read(_ pieces: [Piece], check: () throws -> Void = {}) throws {
        let pieces = [.tokens(pending)] + pieces
        let count = pieces.reduce(0) { $0 + $1.count }
        precondition(count > 0, "an empty prompt cannot be read")
        let needed = cache.length + count + 1
        guard needed <= model.manifest.context else {
            throw PipelineError.contextOverflow(needed: needed, context: model.manifest.context)
        }
        let rows = Activations(rows: count, columns: model.manifest.hidden)
        var next = 0
        for piece in pieces where piece.count > 0 {
            let embedded =
                switch piece {
                case .tokens(let tokens): model.embed(tokens)
                case .embeddings(let embeddings): embeddings
                }
            precondition(embedded.columns == rows.columns, "embeddings are as wide as the model")
            rows.row(next).update(from: embedded.pointer, count: embedded.rows * embedded.columns)
            next += embedded.rows
        }
        let logits = try model.read(pool, rows, cache: cache, check: check)
        self.logits = logits
        pending = []
    }

    /// Writes greedily until the model ends its text (`end`, which is not returned), `limit` tokens stand, or the context is full.
    ///
    /// Afterwards the answer is closed: whatever ended it, the conversation goes on behind an `end`.
    /// - Parameter onToken: gets each token as it comes.
    package func write(
        limit: Int, end: Int32, check: () throws -> Void = {}, onToken: (Int32) throws -> Void = { _ in }
    ) throws -> (tokens: [Int32], finish: FinishReason) {
        let before = mark()
        do {
            var tokens: [Int32] = []
            // One position is kept for the end.
            let room = min(limit, model.manifest.context - cache.length - 1)
            while let logits {
                try check()
                let best = ck_argmax(logits.pointer, logits.columns)
                guard logits.isFinite else { throw PipelineError.notFinite(stage: "language model") }
                let token = Int32(best)
                if token == end {
                    close(with: [end])
                    return (tokens, .stop)
                }
                if tokens.count >= room {
                    break
                }
                tokens.append(token)
                try onToken(token)
                if tokens.count == room {
                    close(with: [token, end])
                    return (tokens, .length)
                }
                self.logits = try model.read(pool, model.embed([token]), cache: cache, check: check)
            }
            close(with: [end])
            return (tokens, .length)
        } catch {
            rewind(to: before)
            throw error
        }
    }

    private func close(with tokens: [Int32]) {
        pending = tokens
        logits = nil
    }
}
