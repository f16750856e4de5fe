import DICOM
import Logging
import ReportModel
import ReportQueue

/// Books what the SCP received. When `objectReceived` answers success, the row is on the disk beside the file.
struct Receiver: ReceivedObjectHandler {
    let queue: ReportQueue
    let spool: Spool
    let log: Logger
    private let rejections = RejectionTally()

    init(queue: ReportQueue, spool: Spool, log: Logger) {
        self.queue = queue
        self.spool = spool
        self.log = log
    }

    func objectReceived(_ object: ReceivedObject) -> StoreStatus {
        let instance = ReceivedInstance(
            study: object.study, instance: object.instance, relativePath: object.path, byteCount: object.bytes,
            dataSetSHA256: object.dataSetSHA256, priority: object.priority, callingAETitle: object.callingAETitle, calledAETitle: object.calledAETitle,
            peerAddress: object.peerAddress)
        do throws(QueueError) {
            let outcome = try queue.recordInstance(instance)
            log.info("object stored", metadata: [
                "study": "\(object.study.studyInstanceUID)", "sop": "\(object.instance.sopInstanceUID)", "outcome": "\(outcome)",
                "bytes": "\(object.bytes)", "peer": "\(object.callingAETitle)",
                "flags": "\(object.flags.map(\.rawValue).sorted().joined(separator: ","))",
            ])
            if !outcome.keepsFile { removeFile(object.path) }
            return .success
        } catch {
            log.error("object not stored: the queue refused it", metadata: ["sop": "\(object.instance.sopInstanceUID)", "error": "\(error)"])
            return afterFailure(error, object)
        }
    }

    /// A commit may have reached the disk although it was reported as failed. Only when the queue says that no row names the
    /// file is it removed; when the queue cannot say, the file stays for the sweep of the next start.
    private func afterFailure(_ failure: QueueError, _ object: ReceivedObject) -> StoreStatus {
        do throws(QueueError) {
            if try queue.isKnownObjectPath(object.path) { return .success }
            removeFile(object.path)
        } catch {
            log.error("a refused object's file is kept: the queue does not say whether it knows it", metadata: ["error": "\(error)"])
        }
        return failure.consequence == .retry ? .outOfResources : .cannotUnderstand
    }

    /// A file that no row names. If it cannot be removed now, the sweep of the next start does.
    private func removeFile(_ path: String) {
        do throws(ReceivingError) {
            try spool.remove(path)
        } catch {
            log.warning("a file that no row names could not be removed", metadata: ["error": "\(error)"])
        }
    }

    func objectRefused(_ refusal: RefusedObject) {
        log.warning("object refused", metadata: [
            "status": "\(refusal.status)", "reason": "\(refusal.reason)", "sop": "\(refusal.sopInstanceUID)", "peer": "\(refusal.callingAETitle)",
        ])
        audit(AuditEvent(
            code: .instancesTransferred, type: "object-refused", action: .create, outcome: .minorFailure,
            actor: "\(refusal.callingAETitle) at \(refusal.peerAddress)", object: "sop \(refusal.sopInstanceUID)",
            detail: "\(refusal.status): \(refusal.reason)"))
    }

    func associationRejected(_ rejection: RejectedAssociation) {
        rejections.add(rejection).forEach(record)
    }

    /// Writes down the repetitions of refusals whose minute has ended; at the stop, all of them.
    func recordRepeatedRejections(stopping: Bool = false) {
        (stopping ? rejections.rest() : rejections.ended()).forEach(record)
    }

    private func record(_ entry: RejectionTally.Entry) {
        let rejection = entry.latest
        let result = rejection.result.map(\.description) ?? "aborted"
        log.warning("association refused", metadata: [
            "result": "\(result)", "reason": "\(rejection.reason)", "calling": "\(rejection.callingAETitle)",
            "called": "\(rejection.calledAETitle)", "address": "\(rejection.peerAddress)", "count": "\(entry.count)",
        ])
        audit(AuditEvent(
            code: .securityAlert, type: "association-rejected", action: .execute, outcome: .minorFailure,
            actor: "\(rejection.callingAETitle) at \(rejection.peerAddress)", object: "called \(rejection.calledAETitle)",
            detail: "\(result): \(rejection.reason)" + (entry.count > 1 ? ", \(entry.count) times" : "")))
    }

    private func audit(_ event: AuditEvent) {
        do throws(QueueError) {
            try queue.recordAudit(event)
        } catch {
            log.error("the audit trail could not be written", metadata: ["type": "\(event.type)", "error": "\(error)"])
        }
    }
}
