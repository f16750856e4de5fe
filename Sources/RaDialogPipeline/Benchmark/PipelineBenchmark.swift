import Foundation
package import ReportModel
internal import Synchronization

/// Times the whole pipeline with one film: alone, in a batch, and a question while a batch runs.
package struct PipelineBenchmark: Sendable {
    private let pipeline: RaDialogPipeline
    private let film: Radiograph
    /// Of every report; a random model never ends one.
    private let tokens: Int

    package init(_ pipeline: RaDialogPipeline, film: Radiograph, tokens: Int) {
        self.pipeline = pipeline
        self.film = film
        self.tokens = tokens
    }

    /// The stages of one draft with nothing else running.
    package func draft() throws -> DraftProvenance.Timings {
        try pipeline.draft(film, source: DraftSource(), limits: GenerationLimits(tokens: tokens)).provenance.timings
    }

    /// Seconds to draft `studies` studies, `together` at the same time.
    package func batch(_ studies: Int, together: Int) throws -> Double {
        var watch = Stopwatch()
        try inParallel(studies, together: together) { try draft(.batch) }
        return watch.lap()
    }

    /// Seconds from a follow-up question to the first of its answer: with nothing else running, and beside a batch of `together` drafts.
    package func firstToken(besides together: Int) throws -> (idle: [Double], busy: [Double]) {
        let dialogue = try pipeline.openDialogue(film, source: DraftSource(), limits: GenerationLimits(tokens: tokens)).dialogue
        @Sendable func ask() throws -> Double {
            var watch = Stopwatch()
            var first: Double?
            dialogue.restart()
            _ = try dialogue.ask("Is there a pleural effusion?", limits: GenerationLimits(tokens: 2), onText: { _ in first = first ?? watch.lap() })
            return first ?? watch.lap()
        }
        let idle = try (0..<5).map { _ in try ask() }
        guard together > 0 else { return (idle, []) }
        let isOver = Mutex(false)
        let busy = Mutex<[Double]>([])
        let started = Mutex(0)
        try inParallel(together + 1, together: together + 1) {
            if started.withLock({ count in
                count += 1
                return count <= together
            }) {
                while !isOver.withLock({ $0 }) { try draft(.batch, isOver: { isOver.withLock { $0 } }) }
            } else {
                defer { isOver.withLock { $0 = true } }
                // The batch is reading prompts at first, and writing later.
                for _ in 0..<10 {
                    Thread.sleep(forTimeInterval: 0.7)
                    let seconds = try ask()
                    busy.withLock { $0.append(seconds) }
                }
            }
        }
        return (idle, busy.withLock { $0 })
    }

    private func draft(_ urgency: Urgency, isOver: () -> Bool = { false }) throws {
        do {
            _ = try pipeline.draft(film, source: DraftSource(), urgency: urgency, limits: GenerationLimits(tokens: tokens), isCancelled: isOver)
        } catch PipelineError.cancelled {}
    }

    /// Calls `body` so often, on so many threads.
    private func inParallel(_ count: Int, together: Int, _ body: @escaping @Sendable () throws -> Void) throws {
        let state = Mutex<(left: Int, error: (any Error)?)>((count, nil))
        let group = DispatchGroup()
        for _ in 0..<min(count, together) {
            group.enter()
            let thread = Thread {
                while state.withLock({ state in
                    state.left -= 1
                    return state.left >= 0 && state.error == nil
                }) {
                    do { try body() } catch { state.withLock { $0.error = $0.error ?? error } }
                }
                group.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        group.wait()
        if let error = state.withLock({ $0.error }) { throw error }
    }
}
