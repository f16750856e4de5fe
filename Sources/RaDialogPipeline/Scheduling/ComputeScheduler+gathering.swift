internal import Dispatch
internal import Synchronization

// Work of one kind that costs less together: whoever gets the turn does it for all that wait for the same.

/// Inputs of one kind that several callers may have computed at once.
package final class Gathering<Input: Sendable, Output>: Sendable {
    /// Inputs that are computed together at most.
    let limit: Int

    /// - Parameter limit: at least 1.
    package init(atMost limit: Int) {
        precondition(limit >= 1, "an input is computed at least alone")
        self.limit = limit
    }

    /// One caller's input. The result is written by whoever computes, before the caller is woken.
    fileprivate final class Job: @unchecked Sendable {
        let gathering: Gathering
        let input: Input
        var result: Result<Output, any Error>?

        init(_ gathering: Gathering, _ input: Input) {
            self.gathering = gathering
            self.input = input
        }

        func outcome() throws -> Output {
            guard let result else { preconditionFailure("a request is woken for its turn or its result") }
            return try result.get()
        }
    }
}

extension ComputeScheduler {
    /// Has `input` computed, beside others that wait for the same gathering and are as urgent.
    ///
    /// - Parameters:
    ///   - check: asked every second until the turn comes; throws to stop.
    ///   - compute: one result for each of 1 to the gathering's limit of inputs, which does not depend on the others; an error that it throws is
    ///     everybody's. It lets more urgent work in between by calling `giveWay`, and may stop while there is but one input. Whose `compute` runs is
    ///     chance: everybody's does the same.
    /// - Throws: what `check` throws; what `compute` has for this input.
    package func together<Input, Output>(
        _ gathering: Gathering<Input, Output>, _ input: Input, urgency: Urgency, check: () throws -> Void,
        compute: (_ inputs: [Input]) throws -> [Result<Output, any Error>]
    ) throws -> Output {
        let job = Gathering<Input, Output>.Job(gathering, input)
        let request = enqueue(urgency, .gathered(job))
        try wait(request, check: check)
        guard takeTurn(request) else { return try job.outcome() }
        defer { passTurn() }
        let others: [Request]
        do {
            try check()
            others = takeAlike(request, gathering)
        } catch {
            withdraw(request)
            throw error
        }
        let jobs = [job] + others.compactMap { $0.job(of: gathering) }
        let results = Result { try compute(jobs.map(\.input)) }
        for (index, job) in jobs.enumerated() { job.result = results.flatMap { $0[index] } }
        for other in others { other.wake.signal() }
        return try job.outcome()
    }

    /// Takes the leader out of those that wait, and the oldest of those that can be computed with it, which are returned.
    private func takeAlike<Input, Output>(_ leader: Request, _ gathering: Gathering<Input, Output>) -> [Request] {
        state.withLock { state in
            let alike = state.waiting
                .filter { $0 !== leader && $0.urgency == leader.urgency && $0.job(of: gathering) != nil }
                .sorted { $0.order < $1.order }
                .prefix(gathering.limit - 1)
            state.waiting.removeAll { request in request === leader || alike.contains { $0 === request } }
            return Array(alike)
        }
    }
}

extension ComputeScheduler.Request {
    /// nil where it wants something else.
    fileprivate func job<Input, Output>(of gathering: Gathering<Input, Output>) -> Gathering<Input, Output>.Job? {
        guard case .gathered(let work) = work, let job = work as? Gathering<Input, Output>.Job, job.gathering === gathering else { return nil }
        return job
    }
}
