public import Foundation
internal import GRDB
public import ReportModel

/// The three state machines as one word, for listings; nothing decides by it.
public enum StudyState: String, Sendable, Codable, CaseIterable {
    case collecting, queued, drafting, drafted
    case noDraft = "no-draft"
    case signed, rejected, superseded, withdrawn
}

/// One study as listings and `study show --json` give it.
public struct StudySummary: Sendable, Codable, Equatable {
    public struct Report: Sendable, Codable, Equatable {
        /// preliminary, final or corrected.
        public var status: ReportStatus
        public var state: ReportState
        public var version: Int
        /// The newest version's text: what a person is to be shown before signing.
        public var text: String
        public var textSHA256: String
        public var openedBy: String?
        public var signedBy: String?
        public var signedAt: Date?
        public var rejectedBy: String?
        public var reason: String?

        enum CodingKeys: String, CodingKey {
            case status, state, version, text, reason
            case textSHA256 = "text_sha256"
            case openedBy = "opened_by"
            case signedBy = "signed_by"
            case signedAt = "signed_at"
            case rejectedBy = "rejected_by"
        }
    }

    public var studyInstanceUID: String
    public var accessionNumber: String
    public var patientID: String
    public var state: StudyState
    public var noDraftReason: NoDraftReason?
    /// For a human, beside the reason.
    public var detail: String?
    /// What the last failed attempt said; the study may still be drafted.
    public var lastError: String?
    public var attempt: Int
    public var identityConflict: IdentityDoubt?
    /// Objects that came after the newest draft was begun.
    public var lateInstances: Int
    /// A newer draft is being made.
    public var isRedrafting: Bool
    public var instances: Int
    public var receivedAt: Date
    public var lastReceivedAt: Date
    public var study: StudyDescription
    /// The newest offered machine draft; stays when a signed version follows it.
    public var draft: DraftReport?
    /// The newest version.
    public var report: Report?

    enum CodingKeys: String, CodingKey {
        case studyInstanceUID = "study_instance_uid"
        case accessionNumber = "accession_number"
        case patientID = "patient_id"
        case state
        case noDraftReason = "no_draft_reason"
        case detail
        case lastError = "last_error"
        case attempt
        case identityConflict = "identity_conflict"
        case lateInstances = "late_instances"
        case isRedrafting = "redrafting"
        case instances
        case receivedAt = "received_at"
        case lastReceivedAt = "last_received_at"
        case study, draft, report
    }
}

public struct StudyFilter: Sendable, Equatable {
    /// nil: any.
    public var states: Set<StudyState>?
    public var accessionNumber: String?
    public var patientID: String?

    public init(states: Set<StudyState>? = nil, accessionNumber: String? = nil, patientID: String? = nil) {
        self.states = states
        self.accessionNumber = accessionNumber
        self.patientID = patientID
    }
}

extension ReportQueue {
    /// Newest first.
    public func studies(filter: StudyFilter = StudyFilter(), limit: Int = 100) throws(QueueError) -> [StudySummary] {
        try read("listing studies") { transaction in
            let states = filter.states.map { "|" + $0.map(\.rawValue).joined(separator: "|") + "|" }
            return try transaction.summaries(
                where: """
                    (:states IS NULL OR instr(:states, '|' || v.state || '|') > 0)
                    AND (:accession IS NULL OR s.accession_number = :accession) AND (:patient IS NULL OR s.patient_id = :patient)
                    """, ["states": states, "accession": filter.accessionNumber, "patient": filter.patientID], limit: limit)
        }
    }

    /// One study, by Study Instance UID or by accession number.
    ///
    /// - Throws: `.notFound`, `.ambiguous`.
    public func study(_ name: String) throws(QueueError) -> StudySummary {
        let uid = try studyInstanceUID(for: name)
        return try read("reading study \(uid)") { transaction in
            guard let study = try transaction.summaries(where: "s.study_instance_uid = :uid", ["uid": uid], limit: 1).first else {
                throw QueueError.notFound(what: "study \(uid)")
            }
            return study
        }
    }

    /// The Study Instance UID that a person means, who typed one or an accession number.
    ///
    /// - Throws: `.notFound`, `.ambiguous` with all the matches.
    public func studyInstanceUID(for name: String) throws(QueueError) -> String {
        try read("looking up a study") { transaction in
            if try transaction.row("SELECT 1 FROM study WHERE study_instance_uid = ?", [name]) != nil { return name }
            let matches = try String.fetchAll(
                transaction.db, sql: "SELECT study_instance_uid FROM study WHERE accession_number = ? AND accession_number <> '' ORDER BY id",
                arguments: [name])
            if matches.count > 1 { throw QueueError.ambiguous(accessionMatches: matches) }
            guard let match = matches.first else { throw QueueError.notFound(what: "a study with this UID or accession number") }
            return match
        }
    }

    /// The objects of a study, in the fixed order that workers and documents see.
    public func storedInstances(study uid: String) throws(QueueError) -> [StoredInstance] {
        try read("listing the objects of study \(uid)") { try $0.instances(studyID: try $0.study(uid)["id"]) }
    }
}

extension Transaction {
    fileprivate func summaries(where condition: String, _ arguments: StatementArguments, limit: Int) throws -> [StudySummary] {
        let limited: StatementArguments = ["limit": limit]
        return try rows(
            """
            SELECT s.*, v.state AS study_state, j.state AS job_state, j.no_draft_reason, j.detail, j.last_error, j.attempt,
                (SELECT count(*) FROM instance WHERE study_id = s.id) AS instances,
                r.id AS report_id, d.text AS draft_text, d.findings, d.prompt_findings, d.provenance, d.flags, g.signed_at
            FROM study_state v JOIN study s ON s.id = v.study_id JOIN job j ON j.id = v.job_id
                LEFT JOIN report r ON r.id = v.report_id LEFT JOIN draft d ON d.id = r.draft_id LEFT JOIN signature g ON g.report_id = r.id
            WHERE \(condition) ORDER BY s.received_at DESC, s.id DESC LIMIT :limit
            """, arguments &+ limited
        ).map(summary)
    }

    private func summary(_ row: Row) throws -> StudySummary {
        let uid: String = row["study_instance_uid"]
        let what = "study \(uid)"
        let state: StudyState = try stateValue(row["study_state"], of: "study")
        let job: JobState = try stateValue(row["job_state"], of: "job")
        let draft = try (row["draft_text"] as String?).map { text in
            DraftReport(
                text: text, findings: try JSON.value([Finding].self, row["findings"], of: what), promptFindings: row["prompt_findings"],
                provenance: try JSON.value(DraftProvenance.self, row["provenance"], of: what), flags: try JSON.flags(row["flags"], of: what))
        }
        let report = try (row["report_id"] as Int64?).map { try summary(ofReport: $0, signedAt: row["signed_at"]) }
        let reason = (row["no_draft_reason"] as String?).map { NoDraftReason(rawValue: $0) ?? .modelFailed }
        return StudySummary(
            studyInstanceUID: uid, accessionNumber: row["accession_number"], patientID: row["patient_id"], state: state,
            noDraftReason: state == .noDraft ? reason : nil, detail: row["detail"], lastError: row["last_error"], attempt: row["attempt"],
            identityConflict: (row["identity_conflict"] as String?).flatMap(IdentityDoubt.init(rawValue:)),
            lateInstances: row["late_instances"], isRedrafting: report != nil && job.isOpen, instances: row["instances"],
            receivedAt: Date(milliseconds: row["received_at"]), lastReceivedAt: Date(milliseconds: row["last_received_at"]),
            study: try JSON.value(StudyDescription.self, row["description"], of: what), draft: draft, report: report)
    }

    private func summary(ofReport id: Int64, signedAt: Int64?) throws -> StudySummary.Report {
        guard let report = try row("SELECT * FROM report WHERE id = ?", [id]).map(ReportRow.init) else {
            throw QueueError.notFound(what: "report \(id)")
        }
        return StudySummary.Report(
            status: report.kind.status, state: report.state, version: report.version, text: report.text, textSHA256: report.textSHA256,
            openedBy: report.openedBy, signedBy: report.kind == .draft ? nil : report.decidedBy, signedAt: signedAt.map(Date.init(milliseconds:)),
            rejectedBy: report.state == .rejected ? report.decidedBy : nil, reason: report.row["reason"])
    }
}
