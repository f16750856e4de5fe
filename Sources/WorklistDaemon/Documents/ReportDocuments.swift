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
    public static func make(_ report: OutgoingReport, as format: Format, hl7: ORUProfile = ORUProfile()) throws -> [UInt8] {
        switch format {
        case .text: Array(ReportText.make(report).utf8)
        case .json: try ReportJSON.make(report)
        case .oru: try ORUMessage.encode(report, profile: hl7)
        case .sr: try ReportDocument.basicTextSR(report)
        }
    }
}
