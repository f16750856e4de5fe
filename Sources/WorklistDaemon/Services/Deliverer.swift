import Configuration
import Foundation
import Logging
import ReportModel
import ReportQueue

/// Hands versions to one destination, one after the other, until each is acknowledged or a person must look. Every
/// destination has a deliverer and a thread of its own: one that is away never holds back another.
struct Deliverer: Sendable {
    let destination: Destination
    let queue: ReportQueue
    let owner: String
    let log: Logger
    private let sender: any DestinationSender

    init(destination: Destination, queue: ReportQueue, owner: String, log: Logger) {
        self.destination = destination
        self.queue = queue
        self.owner = owner
        var log = log
        log[metadataKey: "destination"] = "\(destination.name)"
        self.log = log
        let documents = StoredDocuments(queue: queue, destination: destination.name)
        sender =
            switch destination.endpoint {
            case .hl7(let endpoint): HL7Sender(endpoint, documents: documents)
            case .dicom(let endpoint): DICOMSender(endpoint: endpoint, documents: documents)
            case .folder(let endpoint): FolderSender(endpoint: endpoint, documents: documents)
            }
    }

    /// Longer than any attempt can take, so that a lease ends only with its sender.
    private var lease: Duration {
        let attempt: Duration =
            switch destination.endpoint {
            case .hl7(let endpoint): endpoint.connectTimeout + endpoint.ackTimeout
            case .dicom(let endpoint): endpoint.connectTimeout + endpoint.responseTimeout
            case .folder: .seconds(60)
            }
        return attempt * 3 + .seconds(60)
    }

    func run(until signal: ServiceSignal) {
        var alarmed = ContinuousClock.now - .seconds(3600)
        repeat {
            do throws(QueueError) {
                while !signal.isStopped, let delivery = try queue.claimDelivery(destination: destination.name, owner: owner, lease: lease) {
                    try book(sender.send(delivery), of: delivery)
                }
                if ContinuousClock.now - alarmed > .seconds(60) {
                    try raiseAlarm()
                    alarmed = .now
                }
            } catch {
                log.error("the queue did not answer the deliverer; tried again", metadata: ["error": "\(error)"])
            }
        } while signal.pause(.milliseconds(500))
        sender.close()
    }

    /// A receiver's words may hold anything: they go into the delivery's row, never into the log.
    private func book(_ outcome: SendOutcome, of delivery: ClaimedDelivery) throws(QueueError) {
        let metadata: Logger.Metadata = [
            "study": "\(delivery.report.study.studyInstanceUID)", "version": "\(delivery.report.version)", "attempt": "\(delivery.attempt)",
        ]
        switch outcome {
        case .delivered(let detail):
            try queue.complete(delivery, detail: detail)
            log.info("delivered", metadata: metadata)
        case .cannotBeMade(let text):
            try queue.bury(delivery, reason: text)
            log.error("document cannot be made; a person must look", metadata: metadata)
        case .contentRefused(let text) where delivery.attempt >= destination.retry.contentAttempts:
            try queue.bury(delivery, reason: text)
            log.error("the receiver refuses the content; a person must look", metadata: metadata)
        case .contentRefused(let text), .unavailable(let text):
            if let limit = destination.retry.giveUpAfter, delivery.report.createdAt.timeIntervalSinceNow < -limit.seconds {
                try queue.bury(delivery, reason: text)
                log.error("given up after the configured time; a person must look", metadata: metadata)
            } else {
                try queue.retry(delivery, after: pause(after: delivery.attempt), error: text)
                log.warning("not delivered; tried again later", metadata: metadata)
            }
        }
    }

    /// Doubled after each failure, bounded, with jitter, so that many deliverers do not come back at one moment.
    private func pause(after attempt: Int) -> Duration {
        let doubled = destination.retry.firstPause * (1 << min(attempt - 1, 20))
        return min(doubled, destination.retry.longestPause) * Double.random(in: 0.8...1.2)
    }

    private func raiseAlarm() throws(QueueError) {
        guard let backlog = try queue.statistics().deliveries.first(where: { $0.destination == destination.name }) else { return }
        if let age = backlog.oldestUndeliveredSeconds, age > destination.retry.alarmAfter.seconds {
            log.error("reports wait for their receiver", metadata: ["oldest_seconds": "\(Int(age))", "waiting": "\(backlog.pending + backlog.sending)"])
        }
        if backlog.dead > 0 { log.warning("dead letters wait for a person (radialogctl delivery list)", metadata: ["count": "\(backlog.dead)"]) }
    }
}
