import ReportModel
import ReportQueue
import Testing

/// The same rules by raw SQL, as any program that opens the file would meet them.
@Suite struct SchemaRuleTests {
    private func refuses(_ scratch: Scratch, _ sql: String, _ rule: String = "", sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(sourceLocation: sourceLocation) {
            try scratch.raw(sql)
        } throws: {
            guard case .database(_, let code, let found)? = $0 as? QueueError else { return false }
            return code & 0xFF == 19 && found.contains(rule)  // SQLITE_CONSTRAINT
        }
    }

    /// Everything a row must have to be in the state, so that only the move itself can be what is refused.
    private func assignments(_ state: JobState) -> String {
        switch state {
        case .claimed: "state = 'claimed', owner = 'o', lease_until = 1, attempt = attempt + 1, no_draft_reason = NULL, reopened = 0"
        case .noDraft: "state = 'no-draft', owner = NULL, lease_until = NULL, no_draft_reason = 'r', reopened = 0"
        default: "state = '\(state.rawValue)', owner = NULL, lease_until = NULL, no_draft_reason = NULL, reopened = 0"
        }
    }

    @Test func `every illegal move of a job is refused, every legal one allowed`() throws {
        let legal: Set<[JobState]> = [
            [.waiting, .waiting], [.waiting, .ready], [.waiting, .noDraft], [.ready, .waiting], [.ready, .claimed], [.claimed, .drafted],
            [.claimed, .noDraft], [.claimed, .ready], [.claimed, .waiting],
        ]
        let paths: [JobState: [JobState]] = [
            .waiting: [], .ready: [.ready], .claimed: [.ready, .claimed], .drafted: [.ready, .claimed, .drafted], .noDraft: [.noDraft],
        ]
        for from in JobState.allCases {
            for to in JobState.allCases where [from, to] != [.claimed, .claimed] {  // a renewal: below
                let scratch = try Scratch()
                _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
                try scratch.raw(
                    "INSERT INTO draft (study_id, job_id, instance_id, text, findings, prompt_findings, provenance, created_at) VALUES (1, 1, 1, '', '[]', '', '{}', 0)")
                for step in paths[from] ?? [] { try scratch.raw("UPDATE job SET \(assignments(step))") }
                if legal.contains([from, to]) {
                    try scratch.raw("UPDATE job SET \(assignments(to))")
                } else {
                    refuses(scratch, "UPDATE job SET \(assignments(to))")
                }
            }
        }
    }

    @Test func `a job's claim, owner, attempts and end are guarded`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        #expect(job.attempt == 1)
        try scratch.raw("UPDATE job SET lease_until = lease_until + 1")
        refuses(scratch, "UPDATE job SET owner = 'thief'", "keeps its owner")
        refuses(scratch, "UPDATE job SET attempt = attempt + 1", "one attempt")
        refuses(scratch, "UPDATE job SET state = 'drafted', owner = NULL, lease_until = NULL", "has a draft")
        refuses(scratch, "UPDATE job SET state = 'no-draft', owner = NULL, lease_until = NULL", "CHECK")
        refuses(scratch, "UPDATE job SET state = 'ready'", "CHECK")
        refuses(scratch, "INSERT INTO job (study_id, state, created_at, changed_at) VALUES (1, 'waiting', 0, 0)", "UNIQUE")
        refuses(scratch, "INSERT INTO job (study_id, state, created_at, changed_at) VALUES (1, 'drafted', 0, 0)", "begins as waiting")
        refuses(scratch, "DELETE FROM job", "not deleted")
        refuses(scratch, "UPDATE job SET state = 'gone'")
    }

    @Test func `every illegal move of a draft is refused, every legal one allowed`() throws {
        func move(_ state: ReportState) -> String {
            state == .preliminary
                ? "UPDATE report SET state = 'preliminary', decided_by = NULL, decided_at = NULL, reason = NULL WHERE version = 1"
                : "UPDATE report SET state = '\(state.rawValue)', decided_by = 'w', decided_at = 1, reason = 'r' WHERE version = 1"
        }
        for from in ReportState.allCases {
            for to in ReportState.allCases {
                let scratch = try Scratch()
                try scratch.drafted()
                if from == .signed { try scratch.sign() } else { try scratch.raw(move(from)) }
                // The one move that needs more than an UPDATE: a signed version must follow.
                if from == .preliminary && to != .signed { try scratch.raw(move(to)) } else { refuses(scratch, move(to)) }
            }
        }
    }

    @Test func `nothing becomes final without a signature under its text`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        _ = try scratch.user("reader")
        _ = try scratch.user("robot", .service)
        _ = try scratch.user("boss", .admin)
        let sha = SHA256Text.of("No focal consolidation.")
        func final(_ kind: String = "final", id: Int = 2) -> String {
            """
            INSERT INTO report (id, study_id, version, kind, state, draft_id, predecessor_id, text, text_sha256, study, images, key_image,
                document_uid, document_series_uid, message_control_id, created_at, decided_by, decided_at)
            SELECT \(id), study_id, 2, '\(kind)', 'signed', draft_id, 1, text, text_sha256, study, images, key_image, 'u', 's', 'm', 0, 'reader', 0
            FROM report WHERE id = 1
            """
        }
        func signature(_ account: Int, _ name: String, sha: String, report: Int = 2) -> String {
            "INSERT INTO signature VALUES (\(report), \(account), '\(name)', 'Family^Given', '', '\(sha)', 0);"
        }
        refuses(scratch, "UPDATE report SET state = 'signed', decided_by = 'reader', decided_at = 0", "signed version that follows")
        refuses(scratch, final(), "without a signature")
        refuses(scratch, signature(1, "reader", sha: SHA256Text.of("other")) + final(), "without a signature")
        refuses(scratch, signature(2, "robot", sha: sha) + final(), "only an enabled radiologist")
        refuses(scratch, signature(3, "boss", sha: sha) + final(), "only an enabled radiologist")
        refuses(scratch, signature(2, "reader", sha: sha) + final(), "only an enabled radiologist")
        refuses(scratch, signature(1, "reader", sha: sha), "FOREIGN KEY")
        refuses(scratch, signature(1, "reader", sha: sha, report: 1), "with its version")
        refuses(scratch, signature(1, "reader", sha: sha) + final("corrected"), "follows a signed version")
        refuses(scratch, signature(1, "reader", sha: sha) + final("draft"), "begins preliminary")
        try scratch.queue.setUser("reader", disabled: true, by: "test")
        refuses(scratch, signature(1, "reader", sha: sha) + final(), "only an enabled radiologist")
        try scratch.queue.setUser("reader", disabled: false, by: "test")
        // The same statements with everything in order, so that the refusals above were not for another reason.
        try scratch.raw(signature(1, "reader", sha: sha) + final() + "; UPDATE report SET state = 'signed', decided_by = 'reader', decided_at = 0 WHERE id = 1")
        #expect(try scratch.queue.study("1.2.3").state == .signed)
    }

    @Test func `a signed version and its signature cannot be changed, deleted or replaced`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign()
        for column in ["text", "text_sha256", "study", "images", "key_image", "document_uid", "message_control_id", "decided_by", "state", "kind", "reason"] {
            refuses(scratch, "UPDATE report SET \(column) = 'x' WHERE version = 2")
        }
        refuses(scratch, "DELETE FROM report WHERE version = 2", "not deleted")
        refuses(scratch, "INSERT OR REPLACE INTO report SELECT * FROM report WHERE version = 2")
        refuses(scratch, "UPDATE signature SET user_name = 'other'", "does not change")
        refuses(scratch, "DELETE FROM signature", "not deleted")
        refuses(scratch, "INSERT OR REPLACE INTO signature SELECT * FROM signature")
        refuses(scratch, "DELETE FROM draft", "not deleted")
        refuses(scratch, "UPDATE draft SET text = 'x'", "does not change")
        refuses(scratch, "INSERT OR REPLACE INTO draft SELECT * FROM draft")
        refuses(scratch, "DELETE FROM account", "not deleted")
        refuses(scratch, "UPDATE account SET name = 'other'", "keeps the name")
        // Without recursive triggers REPLACE would delete silently; the rules must not depend on the connection.
        try scratch.raw("SELECT 1")
        #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .final).text == "No focal consolidation.")
    }

    @Test func `the content of an unsigned version cannot be changed either`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        for column in ["text", "study", "images", "document_uid", "message_control_id"] {
            refuses(scratch, "UPDATE report SET \(column) = 'x'", "content of a version")
        }
        try scratch.queue.markOpened("1.2.3", by: "reader")
        refuses(scratch, "UPDATE report SET opened_by = 'other'", "content of a version")
        refuses(scratch, "UPDATE report SET state = 'superseded', decided_by = 'x', decided_at = 0", "not superseded")
    }

    @Test func `an acknowledged object cannot be changed, deleted or replaced`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        refuses(scratch, "DELETE FROM instance", "not deleted")
        refuses(scratch, "UPDATE instance SET relative_path = 'x'", "does not change")
        refuses(scratch, "INSERT OR REPLACE INTO instance SELECT * FROM instance", "not replaced")
        refuses(scratch, "DELETE FROM study", "FOREIGN KEY")
    }

    @Test func `every illegal move of a delivery is refused, every legal one allowed`() throws {
        let legal: Set<[DeliveryState]> = [
            [.pending, .sending], [.pending, .dead], [.sending, .delivered], [.sending, .pending], [.sending, .dead], [.dead, .pending],
        ]
        let paths: [DeliveryState: [DeliveryState]] = [
            .pending: [], .sending: [.sending], .delivered: [.sending, .delivered], .dead: [.dead],
        ]
        func move(_ state: DeliveryState) -> String {
            let claim = state == .sending ? "owner = 'o', lease_until = 1, attempt = attempt + 1" : "owner = NULL, lease_until = NULL"
            return "UPDATE delivery SET state = '\(state.rawValue)', last_error = 'e', \(claim)"
        }
        for from in DeliveryState.allCases {
            for to in DeliveryState.allCases {
                let scratch = try Scratch()
                try scratch.drafted(destinations: [drafts])
                for step in paths[from] ?? [] { try scratch.raw(move(step)) }
                if legal.contains([from, to]) { try scratch.raw(move(to)) } else { refuses(scratch, move(to)) }
            }
        }
    }

    @Test func `a delivery begins pending, once, for a version that exists, and is kept`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [drafts])
        func insert(report: Int = 1, version: Int = 1, destination: String = "NEW", state: String = "pending") -> String {
            """
            INSERT INTO delivery (report_id, study_id, version, destination, state, not_before, created_at, changed_at)
            VALUES (\(report), 1, \(version), '\(destination)', '\(state)', 0, 0, 0)
            """
        }
        refuses(scratch, insert(report: 9), "begins as pending")
        refuses(scratch, insert(version: 2), "begins as pending")
        refuses(scratch, insert(destination: "PACS"), "begins as pending")
        refuses(scratch, insert(state: "delivered"), "begins as pending")
        refuses(scratch, "DELETE FROM delivery", "not deleted")
        refuses(scratch, "UPDATE delivery SET destination = 'OTHER', state = 'dead', last_error = 'e'", "does not move")
        try scratch.raw(insert())
    }

    @Test func `versions cannot overtake one another even by raw SQL`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        try scratch.sign(destinations: [both])
        let send = "UPDATE delivery SET state = 'sending', owner = 'o', lease_until = 1, attempt = attempt + 1 WHERE version = "
        refuses(scratch, send + "2", "never overtake")
        try scratch.raw(send + "1")
        refuses(scratch, send + "2", "never overtake")
        try scratch.raw("UPDATE delivery SET state = 'delivered', owner = NULL, lease_until = NULL WHERE version = 1; \(send)2")
    }
}
