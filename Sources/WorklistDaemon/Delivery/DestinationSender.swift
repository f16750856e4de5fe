import Configuration
import DICOM
import Foundation
import Glibc
import HL7Out
import ReportModel
import ReportQueue

/// What became of one attempt to hand one version to one destination.
enum SendOutcome: Sendable {
    case delivered(detail: String)
    /// The receiver refuses what is in it: a few attempts, then a person must look.
    case contentRefused(String)
    /// The receiver is away or busy: again, with growing pauses.
    case unavailable(String)
    /// We cannot make the document: no attempt will help.
    case cannotBeMade(String)
}

/// One way out. Used by one deliverer's thread at a time; blocks.
protocol DestinationSender: Sendable {
    func send(_ delivery: ClaimedDelivery) -> SendOutcome
    func close()
}

/// ORU^R01 over MLLP; the connection is kept between messages.
struct HL7Sender: DestinationSender {
    let endpoint: Destination.HL7Endpoint
    let documents: StoredDocuments
    private let connection: MLLPSender

    init(_ endpoint: Destination.HL7Endpoint, documents: StoredDocuments) {
        self.endpoint = endpoint
        self.documents = documents
        connection = MLLPSender(
            host: endpoint.host, port: endpoint.port, connectTimeout: endpoint.connectTimeout, ackTimeout: endpoint.ackTimeout,
            acknowledgement: endpoint.format.acknowledgement)
    }

    func send(_ delivery: ClaimedDelivery) -> SendOutcome {
        let message: [UInt8]
        do {
            message = try documents.bytes(of: delivery, as: .oru, hl7: endpoint.format)
        } catch {
            return .cannotBeMade("\(error)")
        }
        switch connection.send(message, controlID: delivery.report.messageControlID) {
        case .delivered(let code): return .delivered(detail: code)
        case .contentError(let text): return .contentRefused(text)
        case .receiverBusy(let text): return .unavailable(text)
        }
    }

    func close() { connection.close() }
}

/// SR by C-STORE, one association for each.
struct DICOMSender: DestinationSender {
    let endpoint: Destination.DICOMEndpoint
    let documents: StoredDocuments

    func send(_ delivery: ClaimedDelivery) -> SendOutcome {
        let document: [UInt8]
        do {
            document = try documents.bytes(of: delivery, as: .sr)
        } catch {
            return .cannotBeMade("\(error)")
        }
        let archive = StoreSCU(
            host: endpoint.host, port: UInt16(endpoint.port), callingAETitle: endpoint.callingAETitle, calledAETitle: endpoint.aeTitle,
            timeOuts: .init(connect: endpoint.connectTimeout, total: endpoint.connectTimeout + endpoint.responseTimeout))
        do throws(StoreSCUError) {
            let receipt = try archive.send(document)
            return .delivered(detail: receipt.isWarning ? "stored with a warning, status \(receipt.status)" : "stored")
        } catch {
            return error.consequence == .retry ? .unavailable("\(error)") : .contentRefused("\(error)")
        }
    }

    func close() {}
}

/// Files in a folder, each complete or not there: written beside, synced, renamed. The same version has the same names.
struct FolderSender: DestinationSender {
    let endpoint: Destination.FolderEndpoint
    let documents: StoredDocuments

    func send(_ delivery: ClaimedDelivery) -> SendOutcome {
        for document in endpoint.documents {
            let (format, suffix): (ReportDocuments.Format, String) =
                switch document {
                case .oru: (.oru, "hl7")
                case .sr: (.sr, "dcm")
                case .text: (.text, "txt")
                case .json: (.json, "json")
                }
            do {
                let bytes = try documents.bytes(of: delivery, as: format, hl7: endpoint.format)
                let name = "\(delivery.report.study.studyInstanceUID)-v\(delivery.report.version)-\(delivery.report.status.rawValue).\(suffix)"
                try Self.write(bytes, to: endpoint.path, name: name)
            } catch let error as FolderError {
                return .unavailable(error.description)
            } catch {
                return .cannotBeMade("\(error)")
            }
        }
        return .delivered(detail: "written")
    }

    func close() {}

    struct FolderError: Error, CustomStringConvertible {
        let description: String
    }

    private static func write(_ bytes: [UInt8], to folder: String, name: String) throws(FolderError) {
        let temporary = "\(folder)/.\(name).part"
        func check(_ result: Int32, _ what: String) throws(FolderError) {
            guard result >= 0 else { throw FolderError(description: "\(what) \(folder)/\(name): \(String(cString: strerror(errno)))") }
        }
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o640)
        try check(file, "creating")
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + written, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                Glibc.close(file)
                unlink(temporary)
                throw FolderError(description: "writing \(folder)/\(name): \(reason)")
            }
            written += count
        }
        let synced = fsync(file)
        let closed = Glibc.close(file)
        try check(min(synced, closed), "syncing")
        try check(rename(temporary, "\(folder)/\(name)"), "renaming")
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try check(directory, "opening the folder of")
        defer { Glibc.close(directory) }
        try check(fsync(directory), "syncing the folder of")
    }
}

/// A version's documents, rendered once: what was stored at the first rendering is what every retry sends.
struct StoredDocuments: Sendable {
    let queue: ReportQueue
    /// Destination name: an ORU differs between receivers.
    let destination: String

    func bytes(of delivery: ClaimedDelivery, as format: ReportDocuments.Format, hl7: ORUProfile = ORUProfile()) throws -> [UInt8] {
        let kind: DocumentKind
        switch format {
        case .oru: kind = .oru
        case .sr: kind = .sr
        case .text, .json: return try ReportDocuments.make(delivery.report, as: format)
        }
        let variant = kind == .oru ? destination : ""
        if let stored = try queue.document(reportID: delivery.reportID, kind: kind, variant: variant) { return Array(stored) }
        let made = try ReportDocuments.make(delivery.report, as: format, hl7: hl7)
        return Array(try queue.storeDocument(reportID: delivery.reportID, kind: kind, variant: variant, bytes: Data(made)))
    }
}
