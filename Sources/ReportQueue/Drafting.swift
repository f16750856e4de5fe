public import ReportModel
internal import GRDB

/// Which versions a configured destination gets. The queue knows destinations by name only.
public struct DestinationRule: Sendable, Hashable {
    public var name: String
    public var receivesDrafts: Bool
    public var receivesSigned: Bool

    public init(name: String, receivesDrafts: Bool, receivesSigned: Bool) {
        self.name = name
        self.receivesDrafts = receivesDrafts
        self.receivesSigned = receivesSigned
    }
}

extension ReportQueue {
    /// Ends the job with a draft: draft, report version, its documents' names, deliveries and audit in one transaction.
    ///
    /// - Parameters:
    ///   - keyImage: SOP Instance UID of the image that was read, one of the job's.
    ///   - destinations: every configured destination; those that receive drafts get a delivery.
    /// - Throws: `.leaseLost`: the study is another worker's now; `.invalid` when the key image is not the study's.
    public func finish(_ job: ClaimedJob, draft: DraftReport, keyImage: String, destinations: [DestinationRule]) throws(QueueError) -> FinishOutcome {
        try write("filing a draft") { transaction in
            let row = try transaction.held(job)
            let study = try transaction.study(job.study.studyInstanceUID)
            let draftID = try transaction.insertDraft(draft, job: row, keyImage: keyImage)
            if study["identity_conflict"] as String? != nil {
                try transaction.endWithoutDraft(
                    row, .draftDeclined, reason: .identityConflict, detail: "the patient's identity came in doubt while the draft was made")
                return .withheld
            }
            if !row.reopened { try transaction.run("UPDATE study SET late_instances = 0 WHERE id = ?", [row.studyID]) }
            try transaction.move(row, .draftWritten)
            return try transaction.offer(
                draft, draftID: draftID, study: study, destinations: destinations, by: job.owner)
        }
    }
}

extension Transaction {
    fileprivate func insertDraft(_ draft: DraftReport, job: JobRow, keyImage: String) throws -> Int64 {
        guard let instance = try row("SELECT id FROM instance WHERE study_id = ? AND sop_instance_uid = ?", [job.studyID, keyImage]) else {
            throw QueueError.invalid(what: "filing a draft", found: "its image \(keyImage) is not one of the study's")
        }
        try run(
            """
            INSERT INTO draft (study_id, job_id, instance_id, text, findings, prompt_findings, provenance, flags, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                job.studyID, job.id, instance["id"] as Int64, draft.text, try JSON.text(draft.findings), draft.promptFindings,
                try JSON.text(draft.provenance), try draft.flags.map { try JSON.text($0) }, now,
            ])
        return db.lastInsertedRowID
    }

    /// Makes the draft the study's newest version, unless a human has looked at the one before.
    fileprivate func offer(
        _ draft: DraftReport, draftID: Int64, study: Row, destinations: [DestinationRule], by owner: String
    ) throws -> FinishOutcome {
        let uid: String = study["study_instance_uid"]
        let head = try headReport(studyID: study["id"])
        if let head {
            var state = head.state
            guard let actions = state.handle(.newDraft, opened: head.openedBy != nil) else {
                throw QueueError.Conflict.state(what: "version \(head.version) of study \(uid)", found: head.state.rawValue)
            }
            if actions.contains(.keepAndFlag) {
                try run("UPDATE study SET late_instances = max(late_instances, 1) WHERE id = ?", [study["id"] as Int64])
                try audit(
                    AuditEvent(
                        code: .procedureRecord, type: "draft-not-offered", action: .create, actor: owner, studyInstanceUID: uid,
                        object: "version \(head.version)", detail: "the earlier version was opened or signed"))
                return .keptEarlier(version: head.version)
            }
            if head.state == .preliminary { try decide(head, .newDraft, by: owner, reason: "a newer draft", uid: uid) }
        }
        let version = try insertVersion(
            NewVersion(study: study, kind: .draft, predecessor: head, draftID: draftID, text: draft.text, signer: nil))
        try insertDeliveries(of: version, to: destinations.filter(\.receivesDrafts))
        try audit(
            AuditEvent(
                code: .procedureRecord, type: "draft-created", action: .create, actor: owner, studyInstanceUID: uid,
                object: "version \(version.number)",
                detail: "bundle \(draft.provenance.bundleName) \(draft.provenance.bundleSHA256), text sha256 \(SHA256Text.of(draft.text))"
                    + (draft.flags.map { ", flags \($0.count)" } ?? "")))
        return .drafted(version: version.number)
    }
}
