internal import GRDB
internal import ReportModel

/// A version that is to be written: everything that goes out is fixed here, once.
struct NewVersion {
    var study: Row
    var kind: ReportRow.Kind
    var predecessor: ReportRow?
    var draftID: Int64
    var text: String
    /// Who signs; nil exactly for a draft.
    var signer: SignerRow?
}

struct SignerRow {
    var accountID: Int64
    var userName: String
    var personName: String
    var organization: String
}

struct WrittenVersion {
    var id: Int64
    var studyID: Int64
    var number: Int
}

extension Transaction {
    /// Writes the next version, with its signature before it. The names of its documents follow from what it says, so that
    /// a retry re-sends the same instance and other content never has a used name.
    func insertVersion(_ new: NewVersion) throws -> WrittenVersion {
        let uid: String = new.study["study_instance_uid"]
        let studyID: Int64 = new.study["id"]
        let number = (new.predecessor?.version ?? 0) + 1
        let id = try Int64.fetchOne(db, sql: "SELECT coalesce(max(id), 0) + 1 FROM report") ?? 1
        let (images, keyImage) = try contentImages(of: new)
        // A signed version speaks of the study as the draft that was shown did.
        let shown = new.kind == .draft ? nil : new.predecessor
        let studyText: String = shown?.row["study"] ?? new.study["description"]
        let textSHA256 = SHA256Text.of(new.text)
        guard let draft = try row("SELECT findings, provenance, flags FROM draft WHERE id = ?", [new.draftID]) else {
            throw QueueError.notFound(what: "draft \(new.draftID)")
        }
        let findings: String = draft["findings"]
        let provenance = try JSON.value(DraftProvenance.self, draft["provenance"], of: "a draft's provenance")
        let signature = new.signer.map { [$0.userName, $0.personName, $0.organization, textSHA256] } ?? []
        let flags = new.kind == .draft ? (draft["flags"] as String?).map { [$0] } ?? [] : []
        let content = SHA256Text.of(
            try JSON.text([new.kind.rawValue, new.text, findings, studyText, images, keyImage, String(now)] + flags + signature))
        let documentUID = DeterministicUID.uid("document", uid, String(number), provenance.bundleSHA256, content)
        if let signer = new.signer {
            try run(
                """
                INSERT INTO signature (report_id, account_id, user_name, person_name, organization, text_sha256, signed_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, [id, signer.accountID, signer.userName, signer.personName, signer.organization, textSHA256, now])
        }
        try run(
            """
            INSERT INTO report (id, study_id, version, kind, state, draft_id, predecessor_id, text, text_sha256, study, images, key_image,
                document_uid, document_series_uid, message_control_id, created_at, decided_by, decided_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                id, studyID, number, new.kind.rawValue, (new.signer == nil ? ReportState.preliminary : .signed).rawValue, new.draftID,
                new.predecessor?.id, new.text, textSHA256, studyText, images, keyImage, documentUID,
                DeterministicUID.uid("document series", uid), DeterministicUID.controlID("oru", documentUID), now, new.signer?.userName,
                new.signer == nil ? nil : now,
            ])
        return WrittenVersion(id: id, studyID: studyID, number: number)
    }

    /// What the version refers to: of a draft, all the study's images now; of a signed version, those of the version that
    /// was shown. An image that came after the text was shown is not part of what was signed.
    private func contentImages(of new: NewVersion) throws -> (images: String, keyImage: String) {
        if new.kind != .draft, let previous = new.predecessor { return (previous.row["images"], previous.row["key_image"]) }
        let stored = try instances(studyID: new.study["id"])
        let key = try String.fetchOne(
            db, sql: "SELECT i.sop_instance_uid FROM draft d JOIN instance i ON i.id = d.instance_id WHERE d.id = ?", arguments: [new.draftID])
        let references = stored.map { $0.description.reference }
        guard let keyReference = references.first(where: { $0.sopInstanceUID == key }) else {
            throw QueueError.notFound(what: "the image a draft was made from")
        }
        return (try JSON.text(references), try JSON.text(keyReference))
    }

    /// Moves a draft's row by the machine's table, guarded by the state it was read in.
    func decide(_ report: ReportRow, _ event: ReportState.Event, by who: String, reason: String?, uid: String) throws {
        var state = report.state
        guard let actions = state.handle(event, opened: report.openedBy != nil), state != report.state else {
            throw QueueError.Conflict.state(what: "version \(report.version) of study \(uid)", found: report.state.rawValue)
        }
        try runOne(
            "version \(report.version) of study \(uid)",
            "UPDATE report SET state = ?, decided_by = ?, decided_at = ?, reason = ? WHERE id = ? AND state = ?",
            [state.rawValue, who, now, reason, report.id, report.state.rawValue])
        if actions.contains(.cancelUnsentDeliveries) { try cancelDeliveries(reportID: report.id, reason: "the draft was \(state.rawValue)") }
        try audit(
            AuditEvent(
                code: .procedureRecord, type: "draft-\(state.rawValue)", action: .update, actor: who, studyInstanceUID: uid,
                object: "version \(report.version)", detail: "text sha256 \(report.textSHA256)"))
    }
}

extension InstanceDescription {
    var reference: InstanceReference {
        InstanceReference(sopClassUID: sopClassUID, sopInstanceUID: sopInstanceUID, seriesInstanceUID: seriesInstanceUID)
    }
}
