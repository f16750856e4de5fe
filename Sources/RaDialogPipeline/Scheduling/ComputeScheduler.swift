internal import Dispatch
internal import Glibc
internal import Synchronization

// Continuous batching (Orca, Yu et al. 2022) without a thread of its own: conversations live on their callers' threads, and whoever has the
// turn computes the rows of all that wait. Nothing of it shows in a result: a row's bits do not depend on what is computed beside it.

/// Hands the turn at the processor to the most urgent work, and lets conversations that wait at the same time read together.
///
/// Work that is more urgent than what is being computed does not wait for its end: the turn is lent to it between two layers.
package final class ComputeScheduler: Sendable {
    private let model: LanguageModel
    private let pool: KernelPool
    private let state = Mutex(State())
    /// How often `check` is asked while its caller waits for the turn: less urgent work may wait longer than its lease, and than its caller will.
    private let askingEvery: DispatchTimeInterval

    /// Rows that go through the layers together: what one pass of the panel kernels holds.
    private static let rows = 256
    /// A request of so few rows goes on writing, and reads beside others at next to no cost; a longer one is the reading of a prompt.
    static let fewRows = 16

    private struct State {
        /// Everybody who wants something, but for what is being computed.
        var waiting: [Request] = []
        /// Somebody has the turn.
        var isTaken = false
        /// Work that was interrupted, the innermost last, and waits for the turn to come back.
        var lenders: [Request] = []
        /// Conversations that are writing: each asks again as soon as it has its token.
        var writers = 0
        /// Writers among the requests that are being computed.
        var writersInside = 0
        var nextOrder: UInt64 = 0
        var lastStep = Duration.zero

        /// The most urgent, and the oldest of these.
        var next: Request? { waiting.min { ($0.urgency, $0.order) < ($1.urgency, $1.order) } }

        var writersWaiting: Int { waiting.count { $0.isWriting } }
    }

    /// Something that needs the turn. Its fields are the scheduler's under its lock, and its batch's while it is in one.
    private final class Request: @unchecked Sendable {
        let urgency: Urgency
        let order: UInt64
        let isWriting: Bool
        let reading: Reading?
        var hasTurn = false
        /// Signalled when `hasTurn` or the reading's `logits` are set.
        let wake = DispatchSemaphore(value: 0)

        init(_ urgency: Urgency, order: UInt64, isWriting: Bool, reading: Reading?) {
            self.urgency = urgency
            self.order = order
            self.isWriting = isWriting
            self.reading = reading
        }
    }

    /// Rows for the layers.
    private final class Reading: @unchecked Sendable {  // as its request
        let rows: Activations
        let origins: [RowOrigin]
        let cache: KeyValueCache
        /// Rows at the end whose logits are wanted.
        let wanted: Int
        var done = 0
        var logits: Activations?

        init(rows: Activations, origins: [RowOrigin], cache: KeyValueCache, wanted: Int) {
            self.rows = rows
            self.origins = origins
            self.cache = cache
            self.wanted = wanted
        }

        var left: Int { rows.rows - done }
        /// Of the next row.
        var origin: RowOrigin { origins[done] }

        /// Rows from the next one on that have its origin, at most `limit`.
        func alike(atMost limit: Int) -> Int { origins[done...].prefix(limit).prefix { $0 == origin }.count }
    }

    package init(_ model: LanguageModel, pool: KernelPool, askingEvery: Duration = .seconds(1)) {
        self.model = model
        self.pool = pool
        self.askingEvery = .nanoseconds(Int(askingEvery / .nanoseconds(1)))
    }

    // MARK: What callers ask

    /// A conversation that begins or ends writing.
    package func writing<Result>(_ body: () throws -> Result) rethrows -> Result {
        state.withLock { $0.writers += 1 }
        defer { state.withLock { $0.writers -= 1 } }
        return try body()
    }

    /// Rows that a conversation may add to its next one.
    /// - Parameter likely: whether they save steps; else no more than cost next to nothing.
    package func spareRows(likely: Bool) -> Int {
        let rows = likely ? Self.fewRows : min(Self.fewRows, pool.freeRows)
        return state.withLock { rows / max(1, $0.writers) - 1 }
    }

    /// Reads rows behind what `cache` holds, beside whatever else waits.
    ///
    /// - Parameters:
    ///   - rows: `[count, hidden]`, at least one.
    ///   - origins: of each row; nil where all are read.
    ///   - wanted: rows at the end whose logits are returned: 1, or several of at most `fewRows` rows.
    ///   - isWriting: within `writing`, rows that the model wrote.
    ///   - check: asked between steps, every second while others compute, and before every layer while nobody else's rows are computed; throws to
    ///     stop. The cache then holds what it held.
    /// - Returns: `[wanted, vocabulary]`.
    /// - Throws: `.contextOverflow`; what `check` throws.
    package func read(
        _ rows: Activations, origins: [RowOrigin]? = nil, cache: KeyValueCache, wanted: Int = 1, isWriting: Bool = false, urgency: Urgency,
        check: () throws -> Void
    ) throws -> Activations {
        precondition(wanted == 1 || wanted <= rows.rows && rows.rows <= Self.fewRows, "logits of the last rows")
        try model.requireRoom(rows.rows, in: cache)
        let origins = origins ?? Array(repeating: isWriting ? .written : .read, count: rows.rows)
        precondition(origins.count == rows.rows, "every row comes from somewhere")
        let reading = Reading(rows: rows, origins: origins, cache: cache, wanted: wanted)
        let start = cache.length
        let request = enqueue(urgency, isWriting: isWriting, reading)
        while true {
            do {
                try wait(request, check: check)
            } catch {
                cache.length = start
                throw error
            }
            guard takeTurn(request) else {
                guard let logits = reading.logits else { preconditionFailure("a request is woken for its turn or its logits") }
                return logits
            }
            do {
                try check()
                try step(request, check: check)
            } catch {
                withdraw(request)
                passTurn()
                cache.length = start
                throw error
            }
            passTurn()
        }
    }

    /// Has the processor for `body` alone; `body` lets more urgent work in between by calling `giveWay`. `check` is asked every second until its
    /// turn comes, and throws to stop.
    package func alone<Result>(_ urgency: Urgency, check: () throws -> Void, _ body: () throws -> Result) rethrows -> Result {
        let request = enqueue(urgency, isWriting: false, nil)
        try wait(request, check: check)
        withdraw(request)
        defer { passTurn() }
        return try body()
    }

    /// Requests that are not being computed.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Lends the turn to work that is more urgent than the caller's, which has the turn, and comes back when it is done. `check` is asked every second
    /// until then; what it throws, it throws again when the caller asks.
    package func giveWay(_ urgency: Urgency, check: () throws -> Void) {
        let lender: Request? = state.withLock { state in
            guard let next = state.next, next.urgency < urgency else { return nil }
            let lender = Request(urgency, order: 0, isWriting: false, reading: nil)
            state.lenders.append(lender)
            next.hasTurn = true
            next.wake.signal()
            return lender
        }
        guard let lender else { return }
        while lender.wake.wait(timeout: .now() + askingEvery) == .timedOut { try? check() }
    }

    // MARK: The turn

    private func enqueue(_ urgency: Urgency, isWriting: Bool, _ reading: Reading?) -> Request {
        state.withLock { state in
            let request = Request(urgency, order: state.nextOrder, isWriting: isWriting, reading: reading)
            state.nextOrder += 1
            state.waiting.append(request)
            if !state.isTaken {
                state.isTaken = true
                request.hasTurn = true
                request.wake.signal()
            }
            return request
        }
    }

    /// Whether the request was woken to compute: its logits may have come instead.
    private func takeTurn(_ request: Request) -> Bool {
        state.withLock { _ in
            defer { request.hasTurn = false }
            return request.hasTurn
        }
    }

    /// Waits until the request is woken.
    /// - Throws: what `check` throws, asked meanwhile, unless the request is being computed: it is withdrawn then.
    private func wait(_ request: Request, check: () throws -> Void) rethrows {
        while request.wake.wait(timeout: .now() + askingEvery) == .timedOut {
            do {
                try check()
            } catch {
                if withdrawIdle(request) { throw error }
            }
        }
    }

    private func withdraw(_ request: Request) {
        state.withLock { $0.waiting.removeAll { $0 === request } }
    }

    /// Withdraws a request that has not been given the turn and is in nobody's batch; false where it has or is.
    private func withdrawIdle(_ request: Request) -> Bool {
        state.withLock { state in
            guard !request.hasTurn, let place = state.waiting.firstIndex(where: { $0 === request }) else { return false }
            state.waiting.remove(at: place)
            return true
        }
    }

    /// To the most urgent that waits, or back to whoever lent it.
    private func passTurn() {
        state.withLock { state in
            let lender = state.lenders.last
            if let next = state.next, lender.map({ next.urgency < $0.urgency }) ?? true {
                next.hasTurn = true
                next.wake.signal()
            } else if let lender {
                state.lenders.removeLast()
                lender.wake.signal()
            } else {
                state.isTaken = false
            }
        }
    }

    // MARK: Computing

    private struct Part {
        var request: Request
        var reading: Reading
        var count: Int
    }

    /// Computes one step for everybody who can be in it. The caller has the turn, and waits itself.
    private func step(_ leader: Request, check: () throws -> Void) throws {
        awaitWriters(leader)
        let parts = compose(leader)
        let urgency = parts.map(\.request.urgency).min() ?? leader.urgency
        let isShared = parts.count > 1 || parts.first?.request !== leader
        defer { state.withLock { state in state.writersInside -= parts.count { $0.request.isWriting } } }

        let started = ContinuousClock.now
        let rows = Activations(rows: parts.reduce(0) { $0 + $1.count }, columns: model.manifest.hidden)
        var (first, picks): (Int, [[Int]]) = (0, [])
        for part in parts {
            rows.row(first).update(from: part.reading.rows.row(part.reading.done), count: part.count * rows.columns)
            let wanted = part.count == part.reading.left ? part.reading.wanted : 0
            picks.append(Array(first + part.count - wanted..<first + part.count))
            first += part.count
        }
        try model.advance(pool, rows.pointer, parts.map { .init(cache: $0.reading.cache, count: $0.count, origin: $0.reading.origin) }) {
            giveWay(urgency, check: check)
            if !isShared { try check() }
        }
        let all = picks.flatMap { $0 }
        let written = parts.reduce(0) { $0 + ($1.reading.origin == .written ? $1.count : 0) }
        let logits = all.isEmpty ? nil : model.logits(pool, rows, all, written: written)
        var place = 0
        for (part, own) in zip(parts, picks) {
            part.reading.done += part.count
            guard let logits, part.reading.left == 0 else { continue }
            let result = Activations(rows: own.count, columns: logits.columns)
            result.pointer.update(from: logits.row(place), count: own.count * logits.columns)
            place += own.count
            part.reading.logits = result
        }
        let duration = ContinuousClock.now - started
        state.withLock { state in
            state.lastStep = duration
            for part in parts {
                if part.reading.logits == nil { state.waiting.append(part.request) } else { part.request.wake.signal() }
            }
        }
    }

    /// A writer that has just got its token asks for the next in a moment: a step without it would make it wait for a whole one.
    private func awaitWriters(_ leader: Request) {
        guard leader.urgency != .dialogue else { return }
        let (isAlone, patience) = state.withLock { ($0.writers <= 1, min($0.lastStep / 20, .milliseconds(5))) }
        guard !isAlone else { return }
        let deadline = ContinuousClock.now + patience
        while state.withLock({ $0.writersWaiting + $0.writersInside < $0.writers }), ContinuousClock.now < deadline { sched_yield() }
    }

    /// The leader's rows and what goes along: everybody's next token, but for a dialogue, which nothing may slow down, and as much as there is
    /// room for of the prompts that are as urgent. A request brings rows of one origin at a time; written ones stand last.
    private func compose(_ leader: Request) -> [Part] {
        state.withLock { state in
            var room = Self.rows
            var parts: [Part] = []
            func take(_ request: Request, _ count: Int) {
                guard let reading = request.reading, count > 0 else { return }
                let count = reading.alike(atMost: count)
                parts.append(Part(request: request, reading: reading, count: count))
                room -= count
            }
            let others = state.waiting.filter { $0 !== leader }.sorted { ($0.urgency, $0.order) < ($1.urgency, $1.order) }
            let left = leader.reading?.left ?? 0
            if left <= Self.fewRows { take(leader, left) }
            for other in others where leader.urgency != .dialogue || other.urgency == .dialogue {
                guard let left = other.reading?.left, left <= Self.fewRows, left <= room else { continue }
                take(other, left)
            }
            if left > Self.fewRows { take(leader, min(left, room)) }
            for other in others where other.urgency == leader.urgency {
                guard let left = other.reading?.left, left > Self.fewRows, room > Self.fewRows else { continue }
                take(other, min(left, room))
            }
            state.waiting.removeAll { request in parts.contains { $0.request === request } }
            state.writersInside += parts.count { $0.request.isWriting }
            return parts.filter { $0.reading.origin == .read } + parts.filter { $0.reading.origin == .written }
        }
    }
}
