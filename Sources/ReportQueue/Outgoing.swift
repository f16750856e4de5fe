public import Foundation
internal import GRDB
public import ReportModel

/// Which version of a study's report.
public enum ReportVersionSelector: Sendable, Equatable {
    /// The newest machine draft that was offered.
    case draft
    /// The newest signed version.
    case final
    case number(Int)
}

/// What a document was rendered as.
public enum DocumentKind: String, Sendable, Codable, CaseIterable {
    case oru, sr
}

extension ReportQueue {
    /// Everything an ORU or SR is made from, as it was fixed when the version came into being: the same value every time.
    ///
    /// - Throws: `.notFound` for an unknown study or a version that does not exist.
    public func outgoingReport(study uid: String, version: ReportVersionSelector) throws(QueueError) -> OutgoingReport {
        try read("reading the report of study \(uid)") { transaction in
            try transaction.outgoing(reportID: try transaction.reportID(study: uid, version: version))
        }
    }

    /// The row a document belongs to.
    public func reportID(study uid: String, version: ReportVersionSelector) throws(QueueError) -> Int64 {
        try read("reading the report of study \(uid)") { try $0.reportID(study: uid, version: version) }
    }

    /// Stores what was rendered first, so that every retry sends the same bytes.
    ///
    /// - Parameter variant: what else the bytes depend on: the destination, or "" where they are the same for all.
    /// - Returns: the bytes to send: these, or those of an earlier rendering.
    public func storeDocument(reportID: Int64, kind: DocumentKind, variant: String, bytes: Data) throws(QueueError) -> Data {
        try write("storing a rendered document") { transaction in
            if let known = try transaction.document(reportID: reportID, kind: kind, variant: variant) { return known }
            try transaction.run(
                "INSERT INTO document (report_id, kind, variant, sha256, bytes, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                [reportID, kind.rawValue, variant, SHA256Text.of(bytes), bytes, transaction.now])
            return bytes
        }
    }

    /// What was rendered before, or nil.
    ///
    /// - Throws: `.database` when the stored bytes are not those that were stored.
    public func document(reportID: Int64, kind: DocumentKind, variant: String) throws(QueueError) -> Data? {
        try read("reading a rendered document") { try $0.document(reportID: reportID, kind: kind, variant: variant) }
    }
}

extension Transaction {
    func document(reportID: Int64, kind: DocumentKind, variant: String) throws -> Data? {
        guard
            let row = try row(
                "SELECT sha256, bytes FROM document WHERE report_id = ? AND kind = ? AND variant = ?", [reportID, kind.rawValue, variant])
        else { return nil }
        let bytes: Data = row["bytes"]
        guard SHA256Text.of(bytes) == row["sha256"] as String else {
            throw QueueError.database(doing: "reading the \(kind.rawValue) of report \(reportID)", code: 11, found: "its digest does not match")
        }
        return bytes
    }

    func reportID(study uid: String, version: ReportVersionSelector) throws -> Int64 {
        let studyID: Int64 = try study(uid)["id"]
        let (condition, name, number): (String, String, Int?) =
            switch version {
            case .draft: ("kind = 'draft'", "a draft", nil)
            case .final: ("kind <> 'draft'", "a signed version", nil)
            case .number(let number): ("version = :number", "version \(number)", number)
            }
        let id = try Int64.fetchOne(
            db, sql: "SELECT id FROM report WHERE study_id = :study AND (:number IS NULL OR 1) AND \(condition) ORDER BY version DESC LIMIT 1",
            arguments: ["study": studyID, "number": number])
        guard let id else { throw QueueError.notFound(what: "\(name) of the report of study \(uid)") }
        return id
    }

    func outgoing(reportID: Int64) throws -> OutgoingReport {
        let row = try row(
            """
            SELECT r.*, d.findings, d.provenance, d.flags, p.document_uid AS predecessor_uid, g.user_name, g.person_name, g.organization,
                g.text_sha256 AS signed_sha256, g.signed_at
            FROM report r JOIN draft d ON d.id = r.draft_id LEFT JOIN report p ON p.id = r.predecessor_id
                LEFT JOIN signature g ON g.report_id = r.id
            WHERE r.id = ?
            """, [reportID])
        guard let row else { throw QueueError.notFound(what: "report \(reportID)") }
        let report = try ReportRow(row)
        let what = "report \(reportID)"
        let signature = (row["user_name"] as String?).map { name in
            Signature(
                userName: name, personName: row["person_name"], organization: row["organization"], signedAt: Date(milliseconds: row["signed_at"]),
                textSHA256: row["signed_sha256"])
        }
        // Said a third time, after machine and schema, because here it would leave the house.
        guard SHA256Text.of(report.text) == report.textSHA256, (report.kind == .draft) == (signature == nil),
            signature == nil || signature?.textSHA256 == report.textSHA256
        else { throw QueueError.database(doing: "reading \(what)", code: 11, found: "its text and its signature do not belong together") }
        return OutgoingReport(
            study: try JSON.value(StudyDescription.self, row["study"], of: what),
            images: try JSON.value([InstanceReference].self, row["images"], of: what),
            keyImage: try JSON.value(InstanceReference.self, row["key_image"], of: what), version: report.version,
            status: report.kind.status, text: report.text, findings: try JSON.value([Finding].self, row["findings"], of: what),
            provenance: try JSON.value(DraftProvenance.self, row["provenance"], of: what), signature: signature,
            createdAt: Date(milliseconds: row["created_at"]), documentUID: report.documentUID, documentSeriesUID: row["document_series_uid"],
            predecessorUID: row["predecessor_uid"], messageControlID: row["message_control_id"],
            flags: report.kind == .draft ? try JSON.flags(row["flags"], of: what) : nil)
    }
}

extension ReportRow.Kind {
    var status: ReportStatus {
        switch self {
        case .draft: .preliminary
        case .final: .final
        case .corrected: .corrected
        }
    }
}
