internal import CDCMTK
public import ReportModel

/// A report as a DICOM document: SR kind B of reports.md.
public enum ReportDocument {
    /// Basic Text SR Storage. PS3.4 Table B.5-1.
    public static let basicTextSRStorage = "1.2.840.10008.5.1.4.1.1.88.11"

    /// The Part 10 file of this version of the report. The same value makes the same bytes.
    public static func basicTextSR(_ report: OutgoingReport) throws(ReportDocumentError) -> [UInt8] {
        throw .inconsistent("not written yet")
    }
}
