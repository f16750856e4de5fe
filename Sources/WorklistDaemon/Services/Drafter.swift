import Logging
import RaDialogPipeline
import ReportModel
import ReportQueue

/// Takes ready studies one after the other, drafts them, and books the result; several of these work side by side. A crash costs an attempt, never
/// a study.
struct Drafter: Sendable {
    let queue: ReportQueue
    let drafting: Drafting
    /// Where stored objects lie; a stored path is relative to it.
    let stateDirectory: String
    let owner: String
    /// Leaves studies that are not urgent to others.
    let urgentOnly: Bool
    let lease: Duration
    let maxAttempts: Int
    let destinations: [DestinationRule]
    let delivererSignals: [ServiceSignal]
    let log: Logger

    func run(until signal: ServiceSignal) {
        repeat {
            do throws(QueueError) {
                while !signal.isStopped, let job = try queue.claimJob(owner: owner, lease: lease, minimumPriority: urgentOnly ? .high : nil) {
                    try work(on: job, until: signal)
                }
            } catch {
                log.error("the queue did not answer the drafter; tried again", metadata: ["error": "\(error)"])
            }
        } while signal.pause(.seconds(1))
    }

    private func work(on job: ClaimedJob, until signal: ServiceSignal) throws(QueueError) {
        var log = log
        log[metadataKey: "study"] = "\(job.study.studyInstanceUID)"
        log[metadataKey: "attempt"] = "\(job.attempt)"
        let holder = LeaseHolder(queue: queue, job: job, lease: lease)
        do {
            let images = job.instances.map {
                Drafting.Image(description: $0.description, path: stateDirectory + "/" + $0.relativePath, sha256: $0.dataSetSHA256)
            }
            let outcome = try drafting.draft(study: job.study, images: images, urgency: Urgency(priority: job.priority)) { signal.isStopped || !holder.isHeld() }
            try book(outcome, of: job, log: log)
        } catch let error as QueueError {
            // The result could not be booked: the lease ends, and the work is found again.
            log.error("the outcome could not be booked", metadata: ["error": "\(error)"])
        } catch PipelineError.cancelled where signal.isStopped {
            try queue.release(job)
            log.info("draft given back for the shutdown")
        } catch PipelineError.cancelled {
            log.error("the lease was lost; the draft is dropped")
        } catch {
            log.error("drafting failed", metadata: ["error": "\(error)"])
            let again = try queue.fail(job, error: "\(error)", maxAttempts: maxAttempts, backoff: .seconds(1 << min(job.attempt, 8)))
            if !again { log.error("no attempt is left; the study has no draft") }
        }
    }

    private func book(_ outcome: Drafting.Outcome, of job: ClaimedJob, log: Logger) throws(QueueError) {
        switch outcome {
        case .none(let reason, let detail):
            try queue.finish(job, noDraft: reason, detail: detail)
            log.notice("no draft", metadata: ["reason": "\(reason.rawValue)", "detail": "\(detail)"])
        case .draft(let draft, let keyImage, _):
            let booked = try queue.finish(job, draft: draft, keyImage: keyImage.sopInstanceUID, destinations: destinations)
            let timings = draft.provenance.timings
            log.info("drafted", metadata: [
                "outcome": "\(booked)", "tokens": "\(draft.provenance.generatedTokens)", "flags": "\(draft.flags?.count ?? 0)",
                "seconds": "\(timings.decode + timings.preprocess + timings.classify + timings.encode + timings.prefill + timings.generate)",
            ])
            delivererSignals.forEach { $0.wake() }
        }
    }
}

extension Urgency {
    init(priority: StudyPriority) {
        self = switch priority {
        case .high: .stat
        case .medium: .routine
        case .low: .batch
        }
    }
}

/// Renews a job's lease from inside the work that needs it: asked at every token, it writes only when a third has passed.
private final class LeaseHolder {
    private let queue: ReportQueue
    private let job: ClaimedJob
    private let lease: Duration
    private var renewed = ContinuousClock.now

    init(queue: ReportQueue, job: ClaimedJob, lease: Duration) {
        self.queue = queue
        self.job = job
        self.lease = lease
    }

    /// False once somebody else has the job.
    func isHeld() -> Bool {
        guard ContinuousClock.now - renewed > lease / 3 else { return true }
        do throws(QueueError) {
            try queue.renew(job, lease: lease)
            renewed = .now
            return true
        } catch {
            // A busy database is no reason to drop the work while two thirds of the lease may be left.
            return error.consequence == .retry
        }
    }
}
