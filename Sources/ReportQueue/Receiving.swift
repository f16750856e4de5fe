public import ReportModel
internal import GRDB

/// One object that lies durable in the spool and is now to be acknowledged.
public struct ReceivedInstance: Sendable, Equatable {
    public var study: StudyDescription
    public var instance: InstanceDescription
    /// Below the spool; each reception has a path of its own, so that a second object never overwrites a first.
    public var relativePath: String
    public var byteCount: Int64
    /// SHA-256 of the data set as received, lower-case hex: decides between "the same again" and "another one".
    public var dataSetSHA256: String
    /// What the sender asked for; a study has the highest of its objects.
    public var priority: StudyPriority
    public var callingAETitle: String
    public var calledAETitle: String
    /// The peer's address from the socket.
    public var peerAddress: String

    public init(
        study: StudyDescription, instance: InstanceDescription, relativePath: String, byteCount: Int64, dataSetSHA256: String,
        priority: StudyPriority = .medium, callingAETitle: String, calledAETitle: String, peerAddress: String
    ) {
        self.study = study
        self.instance = instance
        self.relativePath = relativePath
        self.byteCount = byteCount
        self.dataSetSHA256 = dataSetSHA256
        self.priority = priority
        self.callingAETitle = callingAETitle
        self.calledAETitle = calledAETitle
        self.peerAddress = peerAddress
    }
}

/// What became of a received object. Each is answered Success: the object, or the same one, is safe.
public enum RecordOutcome: Sendable, Equatable {
    /// New. `late`: the study had ended collecting already.
    case stored(late: Bool)
    /// The same object again: nothing changed. `keepFile` is false when the file just received may be deleted.
    case duplicate(keepFile: Bool)
    /// The same SOP Instance UID with other bytes: the first is kept, this one lies in quarantine for a human.
    /// `keepFile` is false when the same other bytes lie there already.
    case conflict(keepFile: Bool)

    /// The queue refers to the file just received.
    public var keepsFile: Bool {
        switch self {
        case .stored: true
        case .duplicate(let keep), .conflict(let keep): keep
        }
    }
}

extension ReportQueue {
    /// Makes an object the queue's. When this returns, the row is on the disk and the object may be acknowledged; when
    /// it throws, nothing changed and it must not be.
    ///
    /// The study begins, or goes on, collecting; identity rules of `IdentityDoubt` apply. An object for a study that
    /// was drafted already opens a new round, unless somebody has opened or signed the draft: then it is only flagged.
    ///
    /// - Throws: `.invalid` without Study or SOP Instance UID, `.storage`, `.busy`.
    public func recordInstance(_ received: ReceivedInstance) throws(QueueError) -> RecordOutcome {
        try received.requireNames()
        return try write("recording object \(received.instance.sopInstanceUID)") { transaction in
            if let known = try transaction.row(
                "SELECT sha256, relative_path FROM instance WHERE sop_instance_uid = ?", [received.instance.sopInstanceUID])
            {
                let isSame = known["sha256"] as String == received.dataSetSHA256
                if isSame {
                    // The same again, but sooner: a study that waits moves up.
                    try transaction.raisePriority(ofStudyWith: received)
                    return .duplicate(keepFile: known["relative_path"] as String == received.relativePath)
                }
                return .conflict(keepFile: try transaction.quarantine(received, reason: "other-content"))
            }
            let doubt = try transaction.identityDoubt(received.study)
            let study = try transaction.studyRow(for: received, doubt: doubt)
            try transaction.insertInstance(received, studyID: study)
            let late = try transaction.objectArrived(studyID: study, studyInstanceUID: received.study.studyInstanceUID, inDoubt: doubt != nil)
            try transaction.audit(
                AuditEvent(
                    code: .instancesTransferred, type: late ? "object-received-late" : "object-received", action: .create,
                    actor: received.peer, studyInstanceUID: received.study.studyInstanceUID, object: "sop \(received.instance.sopInstanceUID)",
                    detail: "\(received.byteCount) bytes, sha256 \(received.dataSetSHA256)"))
            return .stored(late: late)
        }
    }

    /// Whether a file of the spool belongs to a row; what does not was never acknowledged and may be removed at the start.
    public func isKnownObjectPath(_ relativePath: String) throws(QueueError) -> Bool {
        try read("looking for a spooled file") { transaction in
            try transaction.row(
                """
                SELECT 1 FROM instance WHERE relative_path = :path
                UNION ALL SELECT 1 FROM quarantine WHERE relative_path = :path LIMIT 1
                """, ["path": relativePath]) != nil
        }
    }

    /// Every path that rows refer to, for a start that finds out what is missing from the spool.
    public func objectPaths() throws(QueueError) -> Set<String> {
        try read("listing the spooled files") { transaction in
            Set(try String.fetchAll(transaction.db, sql: "SELECT relative_path FROM instance UNION ALL SELECT relative_path FROM quarantine"))
        }
    }
}

extension ReceivedInstance {
    /// Who sent it, for the audit trail.
    var peer: String { "\(callingAETitle) at \(peerAddress)" }

    func requireNames() throws(QueueError) {
        let needed = [
            ("Study Instance UID", study.studyInstanceUID), ("SOP Instance UID", instance.sopInstanceUID),
            ("SOP Class UID", instance.sopClassUID), ("spool path", relativePath), ("data set digest", dataSetSHA256),
        ]
        for (name, value) in needed where value.isEmpty {
            throw .invalid(what: "recording an object", found: "\(name) is empty")
        }
    }
}

extension Transaction {
    /// - Returns: whether the file is now the queue's; false when the same bytes lie in quarantine already.
    fileprivate func quarantine(_ received: ReceivedInstance, reason: String) throws -> Bool {
        if let known = try row(
            "SELECT relative_path FROM quarantine WHERE sop_instance_uid = ? AND sha256 = ?",
            [received.instance.sopInstanceUID, received.dataSetSHA256])
        {
            return known["relative_path"] as String == received.relativePath
        }
        try run(
            """
            INSERT INTO quarantine (sop_instance_uid, study_instance_uid, reason, relative_path, byte_count, sha256, calling_ae_title,
                peer_address, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                received.instance.sopInstanceUID, received.study.studyInstanceUID, reason, received.relativePath, received.byteCount,
                received.dataSetSHA256, received.callingAETitle, received.peerAddress, now,
            ])
        try audit(
            AuditEvent(
                code: .securityAlert, type: "object-quarantined", action: .create, outcome: .minorFailure, actor: received.peer,
                studyInstanceUID: received.study.studyInstanceUID, object: "sop \(received.instance.sopInstanceUID)",
                detail: "\(reason), sha256 \(received.dataSetSHA256)"))
        return true
    }

    fileprivate func insertInstance(_ received: ReceivedInstance, studyID: Int64) throws {
        try run(
            """
            INSERT INTO instance (study_id, sop_instance_uid, sop_class_uid, series_instance_uid, transfer_syntax_uid, description,
                relative_path, byte_count, sha256, calling_ae_title, called_ae_title, peer_address, received_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                studyID, received.instance.sopInstanceUID, received.instance.sopClassUID, received.instance.seriesInstanceUID,
                received.instance.transferSyntaxUID, try JSON.text(received.instance), received.relativePath, received.byteCount,
                received.dataSetSHA256, received.callingAETitle, received.calledAETitle, received.peerAddress, now,
            ])
    }

    fileprivate func raisePriority(ofStudyWith received: ReceivedInstance) throws {
        try run(
            """
            UPDATE study SET priority = :priority
            WHERE id = (SELECT study_id FROM instance WHERE sop_instance_uid = :sop) AND priority < :priority
            """, ["priority": received.priority.rawValue, "sop": received.instance.sopInstanceUID])
    }

    /// Finds or makes the study, moves its last-received time, fills what earlier objects left empty, notes a doubt.
    fileprivate func studyRow(for received: ReceivedInstance, doubt: IdentityDoubt?) throws -> Int64 {
        let uid = received.study.studyInstanceUID
        let id: Int64
        if let known = try row("SELECT id, description FROM study WHERE study_instance_uid = ?", [uid]) {
            id = known["id"]
            var description = try JSON.value(StudyDescription.self, known["description"], of: "study \(uid)")
            if doubt != .studyOfAnotherPatient { description.fillEmpty(from: received.study) }
            try run(
                "UPDATE study SET last_received_at = ?, description = ?, accession_number = ?, priority = MAX(priority, ?) WHERE id = ?",
                [now, try JSON.text(description), description.accessionNumber, received.priority.rawValue, id])
        } else {
            try run(
                """
                INSERT INTO study (study_instance_uid, accession_number, patient_id, patient, description, received_at, last_received_at, priority)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    uid, received.study.accessionNumber, received.study.patient.patientID, try JSON.text(received.study.patient),
                    try JSON.text(received.study), now, now, received.priority.rawValue,
                ])
            id = db.lastInsertedRowID
        }
        if let doubt {
            try run(
                "UPDATE study SET identity_conflict = ?, identity_released_by = NULL WHERE id = ? AND identity_conflict IS NULL",
                [doubt.rawValue, id])
            try audit(
                AuditEvent(
                    code: .patientRecord, type: "identity-in-doubt", action: .update, outcome: .minorFailure, actor: AuditEvent.daemon,
                    studyInstanceUID: uid, object: "sop \(received.instance.sopInstanceUID)", detail: doubt.rawValue))
        }
        return id
    }
}
