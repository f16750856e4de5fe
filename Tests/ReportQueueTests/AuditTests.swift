import ReportModel
import ReportQueue
import Testing

@Suite struct AuditTests {
    /// A trail of a whole life, and the statements that take its guards away.
    private func trail() throws -> Scratch {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        try scratch.sign(destinations: [both])
        try scratch.queue.complete(try #require(try scratch.queue.claimDelivery(destination: "RIS", owner: "s", lease: .seconds(60))))
        return scratch
    }

    private let unguarded = """
        DROP TRIGGER audit_is_fixed; DROP TRIGGER audit_is_kept; DROP TRIGGER audit_continues; DROP TRIGGER audit_moves_head;
        DROP TRIGGER audit_head_follows; DROP TRIGGER audit_head_is_kept;
        """

    @Test func `a trail that nobody touched verifies, and every change has left its row`() throws {
        let scratch = try trail()
        let verification = try scratch.queue.verifyAudit()
        #expect(verification.isIntact)
        let types = try scratch.queue.auditRecords().map(\.type)
        #expect(types.reversed() == ["object-received", "draft-created", "user-added", "login", "draft-signed", "report-signed", "report-delivered"])
        #expect(verification.rows == Int64(types.count))
    }

    @Test func `the triggers refuse to change, delete, insert or replace`() throws {
        let scratch = try trail()
        for sql in [
            "UPDATE audit SET detail = 'x'", "DELETE FROM audit", "DELETE FROM audit_head", "UPDATE audit_head SET hash = 'x'",
            "UPDATE audit_head SET sequence = sequence - 1", "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE sequence = 2",
            "INSERT OR REPLACE INTO audit_head SELECT * FROM audit_head",
            "INSERT INTO audit SELECT sequence + 100, at, code, type, action, outcome, actor, study_instance_uid, object, detail, previous_hash, hash FROM audit",
        ] {
            #expect(throws: QueueError.self, "\(sql)") { try scratch.raw(sql) }
        }
        #expect(try scratch.queue.verifyAudit().isIntact)
    }

    @Test(arguments: ["at", "code", "type", "action", "outcome", "actor", "study_instance_uid", "object", "detail"])
    func `a change of any column is found`(column: String) throws {
        let scratch = try trail()
        let value = ["action": "'D'", "outcome": "12", "at": "at + 1"][column] ?? "\(column) || 'x'"
        try scratch.raw(unguarded + "UPDATE audit SET \(column) = \(value) WHERE sequence = 3")
        #expect(try scratch.queue.verifyAudit().faults == [.rowChanged(3)])
    }

    @Test func `text moved from one column to the next is found`() throws {
        let scratch = try trail()
        try scratch.raw(unguarded + "UPDATE audit SET object = object || substr(detail, 1, 1), detail = substr(detail, 2) WHERE sequence = 1")
        #expect(try scratch.queue.verifyAudit().faults == [.rowChanged(1)])
    }

    @Test func `a changed row with a new hash breaks the chain after it`() throws {
        let scratch = try trail()
        try scratch.raw(unguarded + "UPDATE audit SET hash = (SELECT hash FROM audit WHERE sequence = 1) WHERE sequence = 3")
        #expect(try scratch.queue.verifyAudit().faults == [.rowChanged(3), .chainBroken(at: 4)])
    }

    @Test func `a deleted row is found`() throws {
        let scratch = try trail()
        try scratch.raw(unguarded + "DELETE FROM audit WHERE sequence = 3")
        #expect(try scratch.queue.verifyAudit().faults == [.rowsMissing(after: 2, before: 4), .chainBroken(at: 4)])
    }

    @Test func `a deleted row whose gap was closed is found`() throws {
        let scratch = try trail()
        try scratch.raw(
            unguarded + "DELETE FROM audit WHERE sequence = 3; UPDATE audit SET sequence = sequence + 1000 WHERE sequence > 3; UPDATE audit SET sequence = sequence - 1001 WHERE sequence > 1000")
        let faults = try scratch.queue.verifyAudit().faults
        #expect(faults.contains(.chainBroken(at: 3)) && faults.contains(.rowChanged(3)))
    }

    @Test func `two rows in each other's place are found`() throws {
        let scratch = try trail()
        try scratch.raw(
            unguarded + "UPDATE audit SET sequence = 999 WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = 999")
        #expect(try !scratch.queue.verifyAudit().isIntact)
    }

    @Test func `a trail that was cut is found`() throws {
        let scratch = try trail()
        try scratch.raw(unguarded + "DELETE FROM audit WHERE sequence > 5")
        #expect(try scratch.queue.verifyAudit().faults == [.truncated(last: 5, head: 7)])
        try scratch.raw("DELETE FROM audit")
        #expect(try scratch.queue.verifyAudit().faults == [.truncated(last: 0, head: 7)])
    }

    @Test func `a trail that was cut together with its head is found by a head noted elsewhere`() throws {
        let scratch = try trail()
        let anchor = try scratch.queue.auditHead()
        #expect(try scratch.queue.verifyAudit(anchor: anchor).isIntact)
        try scratch.raw(unguarded + "DELETE FROM audit WHERE sequence > 5; UPDATE audit_head SET (sequence, hash) = (SELECT sequence, hash FROM audit WHERE sequence = 5)")
        #expect(try scratch.queue.verifyAudit().isIntact, "the chain alone cannot know")
        #expect(try scratch.queue.verifyAudit(anchor: anchor).faults == [.truncated(last: 5, head: 7)])
        #expect(try scratch.queue.verifyAudit(anchor: AuditHead(sequence: 3, hash: anchor.hash)).faults == [.anchorDiffers(3)])
    }

    @Test func `a missing head is found, and nothing can be written without it`() throws {
        let scratch = try trail()
        try scratch.raw(unguarded + "DELETE FROM audit_head")
        #expect(try !scratch.queue.verifyAudit().isIntact)
    }

    @Test func `what fails leaves neither the change nor its row`() throws {
        let scratch = try trail()
        let before = try scratch.queue.auditHead()
        #expect(throws: QueueError.self) { try scratch.raw("UPDATE study SET priority = 9; DELETE FROM instance") }
        #expect(throws: QueueError.self) { try scratch.queue.markOpened("9.9", by: "reader") }
        #expect(try scratch.queue.auditHead() == before)
    }

    @Test(arguments: AuditEvent.Code.allCases)
    func `events from outside the queue are recorded with their code`(code: AuditEvent.Code) throws {
        let scratch = try Scratch()
        try scratch.queue.recordAudit(
            AuditEvent(code: code, type: "test-event", action: .execute, outcome: .majorFailure, actor: "someone", object: "o", detail: "d"))
        let row = try #require(try scratch.queue.auditRecords().first)
        #expect(row.code == code.rawValue && row.outcome == 12 && row.type == "test-event" && row.actor == "someone")
        #expect(try scratch.queue.verifyAudit().isIntact)
    }

    @Test func `no patient's name, ID or report text stands in the trail`() throws {
        let scratch = try trail()
        _ = try scratch.queue.recordInstance(received(study: "1.9", sop: "n", patient: "1.2.3") { $0.study.patient.patientName = "OTHER^NAME" })
        for row in try scratch.queue.auditRecords() {
            let text = "\(row.actor) \(row.object) \(row.detail)"
            for secret in ["SYNTHETIC", "OTHER^NAME", "PID-", "consolidation", "19500101"] { #expect(!text.contains(secret), "\(row.type)") }
        }
    }
}
