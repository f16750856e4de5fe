import Foundation
import ReportModel

/// A report version as JSON: stable key order, ISO 8601 times, the words of DICOM in snake case.
enum ReportJSON {
    static func make(_ report: OutgoingReport) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return try Array(encoder.encode(Document(report))) + [UInt8(ascii: "\n")]
    }

    private struct Document: Encodable {
        var format = "radialogd-report/1"
        var marks: [String]
        var study_instance_uid: String
        var accession_number: String
        var patient_id: String
        var patient_name: String
        var patient_birth_date: String
        var patient_sex: String
        var version: Int
        var status: ReportStatus
        var text: String
        var signed_by: String?
        var signed_name: String?
        var signed_at: Date?
        var text_sha256: String?
        var created_at: Date
        var document_uid: String
        var predecessor_uid: String?
        var key_image: String
        var images: [String]
        var findings: [Finding]
        /// Of a preliminary version that was compared with its findings.
        var flags: [DraftFlag]?
        var provenance: DraftProvenance

        init(_ report: OutgoingReport) {
            marks = (report.provenance.bundleKind == .demo ? [MachineText.demonstrationMark] : [])
                + (report.status == .preliminary ? [MachineText.unreviewedMark] : [])
            study_instance_uid = report.study.studyInstanceUID
            accession_number = report.study.accessionNumber
            patient_id = report.study.patient.patientID
            patient_name = report.study.patient.patientName
            patient_birth_date = report.study.patient.patientBirthDate
            patient_sex = report.study.patient.patientSex
            version = report.version
            status = report.status
            text = report.text
            signed_by = report.signature?.userName
            signed_name = report.signature?.personName
            signed_at = report.signature?.signedAt
            text_sha256 = report.signature?.textSHA256
            created_at = report.createdAt
            document_uid = report.documentUID
            predecessor_uid = report.predecessorUID
            key_image = report.keyImage.sopInstanceUID
            images = report.images.map(\.sopInstanceUID)
            findings = report.findings
            flags = report.flags
            provenance = report.provenance
        }
    }
}
