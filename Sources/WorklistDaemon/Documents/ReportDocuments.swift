public import Configuration
internal import DICOM
internal import Foundation
internal import HL7Out
public import ReportModel

/// A report version as bytes, in the forms that leave the daemon. The same version always makes the same bytes.
public enum ReportDocuments {
    public enum Format: String, Sendable, CaseIterable {
        case text, json, oru, sr
    }

    /// - Parameter hl7: what the ORU of this receiver looks like; the defaults where nobody in particular receives it.
    /// - Throws: what the form cannot carry, or must not say; nothing half-made is returned.
    public static func make(_ report: OutgoingReport, as format: Format, hl7: Destination.HL7Format? = nil) throws -> [UInt8] {
        switch format {
        case .text: Array(ReportText.make(report).utf8)
        case .json: try ReportJSON.make(report)
        case .oru: try ORUMessage.encode(report, profile: hl7.map(ORUProfile.init) ?? ORUProfile())
        case .sr: try ReportDocument.basicTextSR(report)
        }
    }

    public static let structuredReportSOPClassUID = ReportDocument.basicTextSRStorage
}

extension ORUProfile {
    /// The configuration's words are the profile's raw values.
    init(_ format: Destination.HL7Format) {
        self.init()
        version = Version(rawValue: format.version.rawValue) ?? version
        charset = Charset(rawValue: format.charset.rawValue) ?? charset
        textType = TextType(rawValue: format.textType.rawValue) ?? textType
        processingID = ProcessingID(rawValue: format.processingID.rawValue) ?? processingID
        draftStatus = DraftStatus(rawValue: format.draftStatus.rawValue) ?? draftStatus
        acknowledgement = Acknowledgement(rawValue: format.acknowledgement.rawValue) ?? acknowledgement
        isArchive = format.isArchive
        sendingApplication = format.sendingApplication
        sendingFacility = format.sendingFacility
        receivingApplication = format.receivingApplication
        receivingFacility = format.receivingFacility
    }
}
