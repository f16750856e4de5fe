import Logging
import ReportQueue

/// Returns what crashed workers and senders left behind: leases that ended become claimable again.
struct Rescuer: Sendable {
    let queue: ReportQueue
    let maxAttempts: Int
    let lease: Duration
    let log: Logger

    func run(until signal: ServiceSignal) {
        repeat {
            do throws(QueueError) {
                let report = try queue.rescueExpiredLeases(maxAttempts: maxAttempts)
                if report != RescueReport() {
                    log.warning("leases that ended were returned", metadata: [
                        "jobs": "\(report.jobs)", "exhausted": "\(report.exhaustedJobs)", "deliveries": "\(report.deliveries)",
                    ])
                }
            } catch {
                log.error("ended leases could not be returned; tried again", metadata: ["error": "\(error)"])
            }
        } while signal.pause(min(max(lease / 4, .seconds(1)), .seconds(60)))
    }
}
