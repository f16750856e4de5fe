import ReportModel
import ReportQueue
import Testing

@Suite struct IdentityTests {
    /// What a study ends with when it goes quiet.
    private func outcome(_ scratch: Scratch, _ uid: String) throws -> (StudyState, NoDraftReason?, IdentityDoubt?) {
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        let study = try scratch.queue.study(uid)
        return (study.state, study.noDraftReason, study.identityConflict)
    }

    @Test func `a study without a Patient ID is kept and not drafted`() throws {
        let scratch = try Scratch()
        #expect(try scratch.queue.recordInstance(received(sop: "1") { $0.study.patient.patientID = " " }) == .stored(late: false))
        #expect(try outcome(scratch, "1.2.3") == (.noDraft, .missingPatientID, .missingPatientID))
        #expect(try scratch.queue.claimJob(owner: "w", lease: .seconds(9)) == nil)
    }

    @Test func `one Study Instance UID with two patients is not drafted`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1", patient: "A"))
        _ = try scratch.queue.recordInstance(received(sop: "2", patient: "B"))
        #expect(try outcome(scratch, "1.2.3") == (.noDraft, .identityConflict, .studyOfAnotherPatient))
        #expect(try scratch.queue.study("1.2.3").study.patient.patientID == "PID-A")
        #expect(try scratch.queue.study("1.2.3").instances == 2)
    }

    @Test func `a Patient ID that came with another name or birth date puts the new study in doubt, and only that`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(study: "1.1", sop: "1"))
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "2") { $0.study.patient.patientName = "OTHER^A" })
        _ = try scratch.queue.recordInstance(received(study: "1.3", sop: "3") { $0.study.patient.patientBirthDate = "19600101" })
        _ = try scratch.queue.recordInstance(received(study: "1.4", sop: "4"))
        #expect(try outcome(scratch, "1.1") == (.queued, nil, nil))
        #expect(try outcome(scratch, "1.2") == (.noDraft, .identityConflict, .patientIDOfAnotherPerson))
        #expect(try outcome(scratch, "1.3") == (.noDraft, .identityConflict, .patientIDOfAnotherPerson))
        #expect(try outcome(scratch, "1.4") == (.queued, nil, nil), "the true patient's next study")
    }

    @Test func `padding, an empty birth date and another stated issuer contradict nothing`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(study: "1.1", sop: "1"))
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "2") { $0.study.patient.patientName += "^^ " })
        _ = try scratch.queue.recordInstance(received(study: "1.3", sop: "3") { $0.study.patient.patientBirthDate = "" })
        for uid in ["1.1", "1.2", "1.3"] { #expect(try outcome(scratch, uid) == (.queued, nil, nil), "\(uid)") }
        _ = try scratch.queue.recordInstance(received(study: "2.1", sop: "4", patient: "I") { $0.study.patient.issuerOfPatientID = "ONE" })
        _ = try scratch.queue.recordInstance(
            received(study: "2.2", sop: "5", patient: "I") {
                $0.study.patient.issuerOfPatientID = "TWO"
                $0.study.patient.patientName = "SOMEBODY^ELSE"
            })
        #expect(try outcome(scratch, "2.2") == (.queued, nil, nil))
    }

    @Test func `identity that came in doubt withdraws an unread draft and keeps an opened one from being signed`() throws {
        let scratch = try Scratch()
        try scratch.drafted(study: "1.1", destinations: [drafts])
        _ = try scratch.queue.recordInstance(received(study: "1.1", sop: "x1", patient: "Z"))
        #expect(try outcome(scratch, "1.1") == (.noDraft, .identityConflict, .studyOfAnotherPatient))
        #expect(try scratch.queue.study("1.1").report?.state == .withdrawn)
        #expect(try scratch.queue.deliveries().map(\.state) == [.dead])

        try scratch.drafted(study: "1.2")
        try scratch.queue.markOpened("1.2", by: "reader")
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "x2", patient: "Z"))
        #expect(try outcome(scratch, "1.2") == (.drafted, nil, .studyOfAnotherPatient))
        #expect(throws: QueueError.conflict(.identityConflict)) { try scratch.sign(study: "1.2") }
    }

    @Test func `identity that came in doubt during the work withholds the draft`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        _ = try scratch.queue.recordInstance(received(sop: "2", patient: "Z"))
        #expect(try scratch.queue.finish(job, draft: draftReport(), keyImage: "1.2.3.4", destinations: [both]) == .withheld)
        #expect(try outcome(scratch, "1.2.3") == (.noDraft, .identityConflict, .studyOfAnotherPatient))
        #expect(try scratch.queue.deliveries().isEmpty)
    }

    @Test func `a human releases a study, a program does not`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(study: "1.1", sop: "1"))
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "2") { $0.study.patient.patientName = "MARRIED^A" })
        #expect(try outcome(scratch, "1.2").0 == .noDraft)
        let service = try scratch.user("robot", .service)
        #expect(throws: QueueError.notPermitted(userName: "robot", what: "release a patient's identity")) {
            try scratch.queue.releaseIdentity(study: "1.2", by: service)
        }
        try scratch.queue.releaseIdentity(study: "1.2", by: try scratch.user("boss", .admin))
        #expect(try outcome(scratch, "1.2") == (.queued, nil, nil))
        // The new name counts from now on, as the old one does.
        _ = try scratch.queue.recordInstance(received(study: "1.3", sop: "3") { $0.study.patient.patientName = "MARRIED^A" })
        #expect(try outcome(scratch, "1.3") == (.queued, nil, nil))
        #expect(throws: QueueError.self) { try scratch.queue.releaseIdentity(study: "1.3", by: try scratch.user("boss", .admin)) }
    }
}
