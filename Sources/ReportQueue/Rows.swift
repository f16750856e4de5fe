internal import GRDB
internal import ReportModel

/// Rows that several transactions look up the same way.
extension Transaction {
    /// The study with this Study Instance UID.
    ///
    /// - Throws: `.notFound`.
    func study(_ uid: String) throws -> Row {
        guard let row = try row("SELECT * FROM study WHERE study_instance_uid = ?", [uid]) else {
            throw QueueError.notFound(what: "study \(uid)")
        }
        return row
    }

    /// The study's job that is not ended; there is at most one.
    func openJob(studyID: Int64) throws -> JobRow? {
        try row("SELECT * FROM job WHERE study_id = ? AND state IN ('waiting', 'ready', 'claimed')", [studyID]).map(JobRow.init)
    }

    func openNewJob(studyID: Int64) throws {
        try run("INSERT INTO job (study_id, state, created_at, changed_at) VALUES (?, 'waiting', ?, ?)", [studyID, now, now])
    }

    /// The newest version of the study's report.
    func headReport(studyID: Int64) throws -> ReportRow? {
        try row("SELECT * FROM report WHERE study_id = ? ORDER BY version DESC LIMIT 1", [studyID]).map(ReportRow.init)
    }
}

struct JobRow {
    let id: Int64
    let studyID: Int64
    let state: JobState
    let attempt: Int
    let owner: String?
    let reopened: Bool

    init(_ row: Row) throws {
        id = row["id"]
        studyID = row["study_id"]
        state = try stateValue(row["state"], of: "job")
        attempt = row["attempt"]
        owner = row["owner"]
        reopened = row["reopened"]
    }
}

struct ReportRow {
    enum Kind: String { case draft, final, corrected }

    let id: Int64
    let studyID: Int64
    let version: Int
    let kind: Kind
    let state: ReportState
    let draftID: Int64
    let text: String
    let textSHA256: String
    let openedBy: String?
    let decidedBy: String?
    let documentUID: String
    let row: Row

    init(_ row: Row) throws {
        self.row = row
        id = row["id"]
        studyID = row["study_id"]
        version = row["version"]
        kind = try stateValue(row["kind"], of: "report")
        state = try stateValue(row["state"], of: "report")
        draftID = row["draft_id"]
        text = row["text"]
        textSHA256 = row["text_sha256"]
        openedBy = row["opened_by"]
        decidedBy = row["decided_by"]
        documentUID = row["document_uid"]
    }
}

/// A word that the schema allows and this program must know.
func stateValue<T: RawRepresentable<String>>(_ text: String, of what: String) throws -> T {
    guard let value = T(rawValue: text) else {
        throw QueueError.database(doing: "reading a \(what)", code: 11, found: "the unknown word \(text)")
    }
    return value
}
