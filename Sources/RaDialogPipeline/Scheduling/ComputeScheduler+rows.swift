internal import Dispatch
internal import Glibc
internal import Synchronization

// Steps of the language model: everybody's next token, and as much as there is room for of the prompts.

extension ComputeScheduler {
    /// Rows that go through the layers together: what one pass of the panel kernels holds.
    private static let rows = 256
    /// A request of so few rows goes on writing, and reads beside others at next to no cost; a longer one is the reading of a prompt.
    static let fewRows = 16

    /// Rows for the layers.
    final class Reading: @unchecked Sendable {  // as its request
        let rows: Activations
        let origins: [RowOrigin]
        let cache: KeyValueCache
        /// Rows at the end whose logits are wanted.
        let wanted: Int
        /// These are rows of a conversation that is within `writing`.
        let isWriting: Bool
        var done = 0
        var logits: Activations?

        init(rows: Activations, origins: [RowOrigin], cache: KeyValueCache, wanted: Int, isWriting: Bool) {
            self.rows = rows
            self.origins = origins
            self.cache = cache
            self.wanted = wanted
            self.isWriting = isWriting
        }

        var left: Int { rows.rows - done }
        /// Of the next row.
        var origin: RowOrigin { origins[done] }

        /// Rows from the next one on that have its origin, at most `limit`.
        func alike(atMost limit: Int) -> Int { origins[done...].prefix(limit).prefix { $0 == origin }.count }
    }

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
        let reading = Reading(rows: rows, origins: origins, cache: cache, wanted: wanted, isWriting: isWriting)
        let start = cache.length
        let request = enqueue(urgency, .rows(reading))
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
