internal import GRDB
public import ReportModel

/// One stored object of a study, as a worker needs it.
public struct StoredInstance: Sendable, Equatable {
    public var description: InstanceDescription
    /// Below the spool.
    public var relativePath: String
    public var byteCount: Int64
    /// Of the data set, lower-case hex.
    public var dataSetSHA256: String
}

/// A study that a worker has until its lease ends. The value is the proof: every result is taken only with it.
public struct ClaimedJob: Sendable, Equatable {
    public var id: Int64
    public var owner: String
    /// 1 at the first claim.
    public var attempt: Int
    /// The study's when it was claimed.
    public var priority: StudyPriority
    public var study: StudyDescription
    /// In a fixed order: series number, instance number, SOP Instance UID.
    public var instances: [StoredInstance]
}

/// What became of a finished draft.
public enum FinishOutcome: Sendable, Equatable {
    /// It is the study's report now, as this version.
    case drafted(version: Int)
    /// Somebody opened or signed the version before: that one is kept, the study is flagged, the new text only filed.
    case keptEarlier(version: Int)
    /// The patient's identity came in doubt meanwhile: the study ends without a draft, the text is only filed.
    case withheld
}

extension ReportQueue {
    /// Ends collecting for studies to which nothing came for `quietPeriod`: they become ready for a worker, or end without
    /// a draft where the patient's identity is in doubt.
    ///
    /// - Returns: how many studies ended collecting.
    public func closeQuietStudies(quietPeriod: Duration) throws(QueueError) -> Int {
        // Asked first on the reader: most of the time there is nothing to do, and then nobody needs the writer's lock.
        let isDue = "j.state = 'waiting' AND s.last_received_at <= :before"
        let something = try read("looking for quiet studies") { transaction in
            try transaction.row(
                "SELECT 1 FROM job j JOIN study s ON s.id = j.study_id WHERE \(isDue) LIMIT 1", ["before": transaction.after(.zero - quietPeriod)]
            ) != nil
        }
        guard something else { return 0 }
        return try write("closing quiet studies") { transaction in
            let due = try transaction.rows(
                "SELECT j.*, s.study_instance_uid, s.identity_conflict FROM job j JOIN study s ON s.id = j.study_id WHERE \(isDue)",
                ["before": transaction.after(.zero - quietPeriod)])
            for row in due { try transaction.closeQuiet(try JobRow(row), uid: row["study_instance_uid"], doubt: row["identity_conflict"]) }
            return due.count
        }
    }

    /// Closes one study at once, for an archive that says how many instances there are.
    ///
    /// - Returns: false when the study is not collecting.
    @discardableResult
    public func closeStudy(_ uid: String) throws(QueueError) -> Bool {
        try write("closing study \(uid)") { transaction in
            let study = try transaction.study(uid)
            guard let job = try transaction.openJob(studyID: study["id"]), job.state == .waiting else { return false }
            try transaction.closeQuiet(job, uid: uid, doubt: study["identity_conflict"])
            return true
        }
    }

    /// Takes the study that is next: highest priority, then longest received. A crash after this counts as an attempt.
    ///
    /// - Parameters:
    ///   - owner: who works, unique among all processes.
    ///   - minimumPriority: studies of a lower one are left to other workers; nil for none.
    /// - Returns: nil when nothing is ready.
    public func claimJob(owner: String, lease: Duration, minimumPriority: StudyPriority? = nil) throws(QueueError) -> ClaimedJob? {
        let isReady = "j.state = 'ready' AND j.not_before <= :now AND s.priority >= :priority"
        let priority = minimumPriority?.rawValue ?? .min
        let something = try read("looking for work") { transaction in
            try transaction.row(
                "SELECT 1 FROM job j JOIN study s ON s.id = j.study_id WHERE \(isReady) LIMIT 1", ["now": transaction.now, "priority": priority]) != nil
        }
        guard something else { return nil }
        return try write("claiming a study") { transaction in
            guard
                let row = try transaction.row(
                    """
                    SELECT j.*, s.description, s.priority FROM job j JOIN study s ON s.id = j.study_id WHERE \(isReady)
                    ORDER BY s.priority DESC, s.received_at, j.id LIMIT 1
                    """, ["now": transaction.now, "priority": priority])
            else { return nil }
            let job = try JobRow(row)
            try transaction.move(job, .claimed, set: "owner = :owner, lease_until = :lease, attempt = attempt + 1", ["owner": owner, "lease": transaction.after(lease)])
            return ClaimedJob(
                id: job.id, owner: owner, attempt: job.attempt + 1, priority: StudyPriority(rawValue: row["priority"]) ?? .medium,
                study: try JSON.value(StudyDescription.self, row["description"], of: "a study"),
                instances: try transaction.instances(studyID: job.studyID))
        }
    }

    /// Says how soon a study is wanted; a draft that is being written keeps its place.
    ///
    /// - Throws: `.notFound` for an unknown study, `.unauthorized` for a user who is no radiologist or admin.
    public func setPriority(study uid: String, _ priority: StudyPriority, by user: AuthenticatedUser) throws(QueueError) {
        try write("setting the priority of study \(uid)") { transaction in
            try transaction.requireCurrent(user, roles: [.radiologist, .admin], to: "set a study's priority")
            let study = try transaction.study(uid)
            try transaction.run("UPDATE study SET priority = ? WHERE id = ?", [priority.rawValue, study["id"] as Int64])
            try transaction.audit(
                AuditEvent(code: .patientRecord, type: "priority-set", action: .update, actor: user.name, studyInstanceUID: uid, detail: "\(priority)"))
        }
    }

    /// Extends the lease, counted from now.
    ///
    /// - Throws: `.leaseLost`: stop working, the result will not be taken.
    public func renew(_ job: ClaimedJob, lease: Duration) throws(QueueError) {
        try write("renewing a lease") { transaction in
            let row = try transaction.held(job)
            try transaction.move(row, .renewed, set: "lease_until = :lease", ["lease": transaction.after(lease)])
        }
    }

    /// Ends the job without a draft, for a stated reason.
    ///
    /// - Parameter detail: for a human; no patient data.
    public func finish(_ job: ClaimedJob, noDraft reason: NoDraftReason, detail: String) throws(QueueError) {
        try write("ending a job without a draft") { transaction in
            let row = try transaction.held(job)
            try transaction.endWithoutDraft(row, .draftDeclined, reason: reason, detail: detail)
        }
    }

    /// Notes a failed attempt: the study waits `backoff`, or ends with `model-failed` when this was attempt `maxAttempts`.
    ///
    /// - Returns: whether there will be another attempt.
    @discardableResult
    public func fail(_ job: ClaimedJob, error: String, maxAttempts: Int, backoff: Duration) throws(QueueError) -> Bool {
        try write("noting a failed attempt") { transaction in
            let row = try transaction.held(job)
            guard row.attempt < maxAttempts else {
                try transaction.endWithoutDraft(row, .attemptsExhausted, reason: .modelFailed, detail: error)
                return false
            }
            try transaction.move(row, .attemptFailed, set: "last_error = :error, not_before = :after", ["error": error, "after": transaction.after(backoff)])
            return true
        }
    }

    /// Gives a job back untried, for an orderly shutdown. The claim still counts as an attempt.
    public func release(_ job: ClaimedJob) throws(QueueError) {
        try write("giving a study back") { transaction in
            try transaction.move(try transaction.held(job), .attemptFailed, set: "last_error = 'given back'", [:])
        }
    }
}

extension Transaction {
    /// The job row, if the worker still has it: same owner, same attempt, and the lease not ended.
    func held(_ job: ClaimedJob) throws -> JobRow {
        let found = try row(
            "SELECT * FROM job WHERE id = ? AND state = 'claimed' AND owner = ? AND attempt = ? AND lease_until > ?",
            [job.id, job.owner, job.attempt, now])
        guard let found else { throw QueueError.leaseLost(what: "study \(job.study.studyInstanceUID), attempt \(job.attempt)") }
        return try JobRow(found)
    }

    /// Moves a job by the machine's table, guarded by the state it was read in.
    func move(_ job: JobRow, _ event: JobState.Event, set assignments: String = "", _ arguments: StatementArguments = [:]) throws {
        var state = job.state
        guard let actions = state.handle(event, reopened: job.reopened) else {
            throw QueueError.Conflict.state(what: "job \(job.id), asked to take \(event.rawValue)", found: job.state.rawValue)
        }
        var set = ["state = :to", "changed_at = :now"]
        if !assignments.isEmpty { set.append(assignments) }
        if actions.contains(.clearLease) { set.append("owner = NULL, lease_until = NULL, reopened = 0") }
        if actions.contains(.markReopened) { set.append("reopened = 1") }
        let all: StatementArguments = ["to": state.rawValue, "now": now, "id": job.id, "from": job.state.rawValue]
        // The new job comes after the old one ended: one open job a study.
        try runOne("job \(job.id)", "UPDATE job SET \(set.joined(separator: ", ")) WHERE id = :id AND state = :from", all &+ arguments)
        if actions.contains(.openNewJob) { try openNewJob(studyID: job.studyID) }
    }

    func endWithoutDraft(_ job: JobRow, _ event: JobState.Event, reason: NoDraftReason, detail: String) throws {
        try move(job, event, set: "no_draft_reason = :reason, detail = :detail", ["reason": reason.rawValue, "detail": detail])
        let uid = try String.fetchOne(db, sql: "SELECT study_instance_uid FROM study WHERE id = ?", arguments: [job.studyID]) ?? ""
        try audit(
            AuditEvent(
                code: .procedureRecord, type: "no-draft", action: .create, outcome: reason == .modelFailed ? .seriousFailure : .success,
                actor: job.owner ?? AuditEvent.daemon, studyInstanceUID: uid, object: "job \(job.id)", detail: reason.rawValue))
    }

    fileprivate func closeQuiet(_ job: JobRow, uid: String, doubt: String?) throws {
        guard let doubt else { return try move(job, .becameQuiet) }
        let known = IdentityDoubt(rawValue: doubt)
        try endWithoutDraft(job, .identityInDoubt, reason: known?.noDraftReason ?? .identityConflict, detail: known?.detail ?? doubt)
    }

    /// What a new object does to the study's machines.
    ///
    /// - Returns: whether the study had ended collecting before.
    func objectArrived(studyID: Int64, studyInstanceUID uid: String, inDoubt: Bool) throws -> Bool {
        let head = try headReport(studyID: studyID)
        let open = try openJob(studyID: studyID)
        let hadJob = try row("SELECT 1 FROM job WHERE study_id = ? LIMIT 1", [studyID]) != nil
        // Late is what the newest draft, or the one that is being made, does not contain.
        let late = hadJob && (open == nil || open?.state == .claimed || head != nil)
        if late { try run("UPDATE study SET late_instances = late_instances + 1 WHERE id = ?", [studyID]) }
        if let open {
            try move(open, .objectArrived)
        } else if let head, head.state == .signed || (head.state == .preliminary && head.openedBy != nil) {
            // An opened or signed version stays what it is; the flag tells the reader that the images changed after it.
        } else {
            try openNewJob(studyID: studyID)
        }
        if inDoubt { try withholdUnread(studyID: studyID, uid: uid) }
        return late
    }

    /// Takes an unread draft back when the patient came in doubt after it.
    private func withholdUnread(studyID: Int64, uid: String) throws {
        guard let head = try headReport(studyID: studyID), head.state == .preliminary, head.openedBy == nil else { return }
        try decide(head, .withdrawn, by: AuditEvent.daemon, reason: "identity in doubt", uid: uid)
    }

    func instances(studyID: Int64) throws -> [StoredInstance] {
        let all = try rows("SELECT * FROM instance WHERE study_id = ? ORDER BY sop_instance_uid", [studyID]).map { row in
            StoredInstance(
                description: try JSON.value(InstanceDescription.self, row["description"], of: "an instance"), relativePath: row["relative_path"],
                byteCount: row["byte_count"], dataSetSHA256: row["sha256"])
        }
        // Numbers as numbers, where they are; the SOP Instance UID makes the order total. sorted() alone promises no stability.
        func key(_ instance: StoredInstance) -> (Int, Int, String) {
            func number(_ text: String) -> Int { Int(text.filter { $0 != " " }) ?? Int.max }
            return (number(instance.description.seriesNumber), number(instance.description.instanceNumber), instance.description.sopInstanceUID)
        }
        return all.sorted { key($0) < key($1) }
    }
}
