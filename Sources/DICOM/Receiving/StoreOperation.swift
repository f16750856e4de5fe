internal import Foundation
import ReportModel

/// One C-STORE: command → data set into the spool → scan → durable → handler → status.
///
/// Whatever is wrong with an object, its data set is read to the end, so that the association lives and the peer learns
/// why. Nothing of a refused object is kept.
struct StoreOperation {
    let service: AssociationService
    let request: AssociateRequest
    let command: DIMSECommand
    let contextID: UInt8
    let context: AssociationService.AcceptedContext

    /// What the peer is told.
    struct Answer {
        var status: StoreStatus
        /// Error Comment (0000,0902): no patient data.
        var comment = ""
    }

    /// A status that is not success, and why.
    private struct Refusal: Error {
        var status: StoreStatus
        var reason: String
    }

    func run(_ association: borrowing Association) throws(Association.End) -> Answer {
        let receivedAt = Date()
        var file: SpoolFile?
        var refusal: Refusal?
        do throws(Refusal) {
            try checkCommand()
            file = try spooling { () throws(ReceivingError) in
                try SpoolFile(in: service.spool, header: header, receivedAt: receivedAt)
            }
        } catch {
            refusal = error
        }
        try service.drain(command, contextID, association) { bytes in
            guard refusal == nil, let open = file else { return }
            do throws(Refusal) {
                guard open.dataSetBytes + Int64(bytes.count) <= service.configuration.maximumObjectBytes else {
                    throw Refusal(status: .outOfResources, reason: "the object is larger than the limit")
                }
                try spooling { () throws(ReceivingError) in try open.append(bytes) }
            } catch {
                refusal = error
                file = nil  // the partial file goes at once: the disk may be full
            }
        }
        do throws(Refusal) {
            if let refusal { throw refusal }
            guard let file else { throw Refusal(status: .outOfResources, reason: "the object was not spooled") }
            return try keep(file, receivedAt: receivedAt)
        } catch {
            file = nil
            return refused(error)
        }
    }

    private var header: [UInt8] {
        // An AE title that is not what an AE title may be is shown escaped elsewhere, and left out here.
        let source = request.callingAETitle
        return FileMetaInformation.header(
            sopClassUID: command.sopClassUID, sopInstanceUID: command.sopInstanceUID,
            transferSyntaxUID: context.transferSyntax,
            sourceAETitle: source.utf8.count <= 16 && !source.contains("\\") ? source : "")
    }

    private func checkCommand() throws(Refusal) {
        guard command.sopClassUID == context.abstractSyntax else {
            throw Refusal(status: .sopClassNotSupported, reason: "the SOP class is not the presentation context's")
        }
        guard UID.isUsable(command.sopInstanceUID) else {
            throw Refusal(status: .invalidIdentification, reason: "the affected SOP Instance UID is no UID")
        }
    }

    /// Translates what the disk says: the peer may try again.
    private func spooling<Value>(_ body: () throws(ReceivingError) -> Value) throws(Refusal) -> Value {
        do throws(ReceivingError) {
            return try body()
        } catch {
            service.event(.error, "the spool cannot take an object", request, ["error": error.description])
            throw Refusal(
                status: .outOfResources,
                reason: error.isWatermark ? "too little space is left on the disk" : "the object could not be written to disk")
        }
    }

    private func keep(_ file: SpoolFile, receivedAt: Date) throws(Refusal) -> Answer {
        let description = try describe(file)
        let (path, bytes, hash) = try spooling { () throws(ReceivingError) in try file.commit() }
        let status = service.handler.objectReceived(
            ReceivedObject(
                path: path, bytes: bytes, dataSetSHA256: hash, study: description.study,
                instance: description.instance, flags: description.flags, priority: command.priority, callingAETitle: request.callingAETitle,
                calledAETitle: request.calledAETitle, peerAddress: service.peerAddress, receivedAt: receivedAt))
        var metadata = [
            "dicom.sop_instance_uid": command.sopInstanceUID, "dicom.study_instance_uid": description.study.studyInstanceUID,
            "dicom.status": status.description, "bytes": String(bytes),
        ]
        if !description.flags.isEmpty { metadata["flags"] = description.flags.map(\.rawValue).sorted().joined(separator: ",") }
        if status.isSuccess {
            service.event(.info, "object stored", request, metadata)
            return Answer(status: status)
        }
        service.event(.warning, "object refused by the queue", request, metadata)
        return Answer(status: status, comment: "not queued")
    }

    /// The scan, and what must be in every object.
    ///
    /// 0xA900 when the UIDs are not the command's, 0xC000 when the structure is broken or hostile, 0xC001 when a UID
    /// that names study or series is missing or no UID.
    private func describe(_ file: SpoolFile) throws(Refusal) -> DataSetDescription {
        guard file.dataSetBytes > 0, let encoding = TransferSyntax.elementEncoding(of: context.transferSyntax) else {
            throw Refusal(status: .cannotUnderstand, reason: "the data set is empty")
        }
        let result = try spooling { () throws(ReceivingError) in
            try file.withDataSet { bytes in
                Result { () throws(DataSetError) in
                    DataSetDescription(
                        try DataSetScan(bytes, encoding: encoding), transferSyntaxUID: context.transferSyntax)
                }
            }
        }
        let description: DataSetDescription
        do throws(DataSetError) {
            description = try result.get()
        } catch {
            throw Refusal(status: .cannotUnderstand, reason: error.description)
        }
        guard description.instance.sopClassUID == command.sopClassUID else {
            throw Refusal(status: .dataSetDoesNotMatchSOPClass, reason: "the data set's SOP Class UID is not the command's")
        }
        guard description.instance.sopInstanceUID == command.sopInstanceUID else {
            throw Refusal(status: .dataSetDoesNotMatchSOPClass, reason: "the data set's SOP Instance UID is not the command's")
        }
        guard UID.isUsable(description.study.studyInstanceUID) else {
            throw Refusal(status: .invalidIdentification, reason: "the Study Instance UID is missing or no UID")
        }
        guard UID.isUsable(description.instance.seriesInstanceUID) else {
            throw Refusal(status: .invalidIdentification, reason: "the Series Instance UID is missing or no UID")
        }
        return description
    }

    private func refused(_ refusal: Refusal) -> Answer {
        service.event(
            .warning, "object refused", request,
            [
                "dicom.status": refusal.status.description, "dicom.sop_instance_uid": command.sopInstanceUID,
                "reason": refusal.reason,
            ])
        service.handler.objectRefused(
            RefusedObject(
                status: refusal.status, reason: refusal.reason, sopClassUID: command.sopClassUID,
                sopInstanceUID: command.sopInstanceUID, callingAETitle: request.callingAETitle,
                peerAddress: service.peerAddress))
        return Answer(status: refusal.status, comment: refusal.reason)
    }
}

extension ReceivingError {
    var isWatermark: Bool { if case .belowWatermark = self { true } else { false } }
}
