import Logging
import ReportQueue

/// Tells systemd that the daemon lives, only while its database answers. Silence makes systemd restart it.
struct Watchdog: Sendable {
    let queue: ReportQueue
    let notifier: ServiceManagerNotifier
    let log: Logger

    func run(until signal: ServiceSignal) {
        notifier.ready()
        let interval = notifier.watchdogInterval ?? .seconds(3600)
        repeat {
            guard notifier.watchdogInterval != nil else { continue }
            do throws(QueueError) {
                _ = try queue.auditHead()
                notifier.alive()
            } catch {
                log.error("the database does not answer; the service manager is not told that all is well", metadata: ["error": "\(error)"])
            }
        } while signal.pause(interval)
        notifier.stopping()
    }
}
