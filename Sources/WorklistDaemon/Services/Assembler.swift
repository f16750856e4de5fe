import Logging
import ReportQueue

/// Ends collecting for studies that have been quiet long enough, and tells the drafters.
struct Assembler: Sendable {
    let queue: ReportQueue
    let quietPeriod: Duration
    let drafterSignals: [ServiceSignal]
    let log: Logger

    /// A tenth of the quiet period, so that a study waits at most a tenth longer than configured.
    private var interval: Duration { min(max(quietPeriod / 10, .milliseconds(100)), .seconds(5)) }

    func run(until signal: ServiceSignal) {
        repeat {
            do throws(QueueError) {
                let closed = try queue.closeQuietStudies(quietPeriod: quietPeriod)
                if closed > 0 {
                    log.info("studies complete", metadata: ["count": "\(closed)"])
                    drafterSignals.forEach { $0.wake() }
                }
            } catch {
                log.error("quiet studies could not be closed; tried again", metadata: ["error": "\(error)"])
            }
        } while signal.pause(interval)
    }
}
