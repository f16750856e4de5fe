internal import Dispatch
internal import Synchronization

// Continuous batching (Orca, Yu et al. 2022) without a thread of its own: conversations live on their callers' threads, and whoever has the
// turn computes for all that wait. Nothing of it shows in a result: its bits do not depend on what is computed beside it.
// Here the turn; ComputeScheduler+rows.swift has the steps of the language model, ComputeScheduler+gathering.swift what else is done together.

/// Hands the turn at the processor to the most urgent work, and computes together what waits at the same time: conversations' rows, films.
///
/// Work that is more urgent than what is being computed does not wait for its end: the turn is lent to it between two layers.
package final class ComputeScheduler: Sendable {
    let model: LanguageModel
    let pool: KernelPool
    let state = Mutex(State())
    /// How often `check` is asked while its caller waits for the turn: less urgent work may wait longer than its lease, and than its caller will.
    private let askingEvery: DispatchTimeInterval

    struct State {
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
    final class Request: @unchecked Sendable {
        let urgency: Urgency
        let order: UInt64
        let work: Work
        var hasTurn = false
        /// Signalled when `hasTurn` or the work's result is set.
        let wake = DispatchSemaphore(value: 0)

        init(_ urgency: Urgency, order: UInt64, _ work: Work) {
            self.urgency = urgency
            self.order = order
            self.work = work
        }

        var reading: Reading? { if case .rows(let reading) = work { reading } else { nil } }
        var isWriting: Bool { reading?.isWriting ?? false }
    }

    enum Work {
        /// The caller's own.
        case alone
        case rows(Reading)
        /// A `Gathering`'s job.
        case gathered(AnyObject)
    }

    package init(_ model: LanguageModel, pool: KernelPool, askingEvery: Duration = .seconds(1)) {
        self.model = model
        self.pool = pool
        self.askingEvery = .nanoseconds(Int(askingEvery / .nanoseconds(1)))
    }

    // MARK: What callers ask

    /// Has the processor for `body` alone; `body` lets more urgent work in between by calling `giveWay`. `check` is asked every second until its
    /// turn comes, and throws to stop.
    package func alone<Result>(_ urgency: Urgency, check: () throws -> Void, _ body: () throws -> Result) rethrows -> Result {
        let request = enqueue(urgency, .alone)
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
            let lender = Request(urgency, order: 0, .alone)
            state.lenders.append(lender)
            next.hasTurn = true
            next.wake.signal()
            return lender
        }
        guard let lender else { return }
        while lender.wake.wait(timeout: .now() + askingEvery) == .timedOut { try? check() }
    }

    // MARK: The turn

    func enqueue(_ urgency: Urgency, _ work: Work) -> Request {
        state.withLock { state in
            let request = Request(urgency, order: state.nextOrder, work)
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

    /// Whether the request was woken to compute: its result may have come instead.
    func takeTurn(_ request: Request) -> Bool {
        state.withLock { _ in
            defer { request.hasTurn = false }
            return request.hasTurn
        }
    }

    /// Waits until the request is woken.
    /// - Throws: what `check` throws, asked meanwhile, unless the request is being computed: it is withdrawn then.
    func wait(_ request: Request, check: () throws -> Void) rethrows {
        while request.wake.wait(timeout: .now() + askingEvery) == .timedOut {
            do {
                try check()
            } catch {
                if withdrawIdle(request) { throw error }
            }
        }
    }

    func withdraw(_ request: Request) {
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
    func passTurn() {
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
}
