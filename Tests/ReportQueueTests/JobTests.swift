import ReportModel
import ReportQueue
import Testing

@Suite struct JobTests {
    @Test func `a study is taken when it is quiet, by one worker`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        #expect(try scratch.queue.closeQuietStudies(quietPeriod: .seconds(3600)) == 0)
        #expect(try scratch.queue.claimJob(owner: "one", lease: .seconds(60)) == nil)
        #expect(try scratch.queue.closeQuietStudies(quietPeriod: .zero) == 1)
        #expect(try scratch.queue.study("1.2.3").state == .queued)
        let job = try #require(try scratch.queue.claimJob(owner: "one", lease: .seconds(60)))
        #expect(job.attempt == 1)
        #expect(job.study.accessionNumber == "ACC1")
        #expect(job.instances.map(\.relativePath) == ["1.2.3/1.2.3.4-x.dcm"])
        #expect(try scratch.another().claimJob(owner: "two", lease: .seconds(60)) == nil)
        #expect(try scratch.queue.study("1.2.3").state == .drafting)
    }

    @Test func `an archive that knows the count closes a study at once`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        #expect(try scratch.queue.closeStudy("1.2.3"))
        #expect(try !scratch.queue.closeStudy("1.2.3"))
        #expect(try scratch.queue.study("1.2.3").state == .queued)
    }

    @Test func `priority goes first, then what came first`() throws {
        let scratch = try Scratch()
        for study in ["1.1", "1.2", "1.3", "1.4"] { _ = try scratch.queue.recordInstance(received(study: study, sop: study + ".1")) }
        // The same object again, and another one of a study: each may move its study up, none down.
        for (study, sop) in [("1.3", "1.3.1"), ("1.4", "1.4.2")] {
            _ = try scratch.queue.recordInstance(received(study: study, sop: sop) { $0.priority = .high })
            _ = try scratch.queue.recordInstance(received(study: study, sop: sop))
        }
        try scratch.queue.setPriority(study: "1.1", .low, by: scratch.user("house"))
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        #expect(try scratch.queue.claimJob(owner: "w", lease: .seconds(60), minimumPriority: .high)?.study.studyInstanceUID == "1.3")
        var order: [String] = []
        while let job = try scratch.queue.claimJob(owner: "w", lease: .seconds(60)) { order.append("\(job.study.studyInstanceUID) \(job.priority)") }
        #expect(order == ["1.4 high", "1.2 medium", "1.1 low"])
    }

    @Test func `images come in the order of their numbers, whatever order they arrived in`() throws {
        let scratch = try Scratch()
        for (sop, series, number) in [("a", "10", "1"), ("b", "2", "11"), ("c", "2", "9"), ("d", "", "1")] {
            _ = try scratch.queue.recordInstance(
                received(sop: sop) {
                    $0.instance.seriesNumber = series
                    $0.instance.instanceNumber = number
                })
        }
        #expect(try scratch.queue.storedInstances(study: "1.2.3").map(\.description.sopInstanceUID) == ["c", "b", "a", "d"])
    }

    @Test func `a finished draft becomes version 1 with deliveries to those who want drafts`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        #expect(
            try scratch.queue.finish(job, draft: draftReport("Text."), keyImage: "1.2.3.4", destinations: [drafts, both, signedOnly])
                == .drafted(version: 1))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .drafted)
        #expect(study.draft == draftReport("Text."))
        #expect(study.report?.status == .preliminary)
        #expect(study.report?.signedBy == nil)
        #expect(Set(try scratch.queue.deliveries().map(\.destination)) == ["PACS", "RIS"])
        #expect(try scratch.queue.auditRecords(limit: 1).first?.type == "draft-created")
    }

    @Test func `a draft of an image that is not the study's is refused and the job stays`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        #expect(throws: QueueError.self) { try scratch.queue.finish(job, draft: draftReport(), keyImage: "9.9", destinations: []) }
        #expect(try scratch.queue.study("1.2.3").state == .drafting)
    }

    @Test(arguments: NoDraftReason.allCases)
    func `every reason for no draft is kept and shown`(reason: NoDraftReason) throws {
        let scratch = try Scratch()
        try scratch.queue.finish(try scratch.claimed(), noDraft: reason, detail: "detail")
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .noDraft)
        #expect(study.noDraftReason == reason)
        #expect(study.detail == "detail")
        #expect(study.draft == nil && study.report == nil)
    }

    @Test func `a failed attempt is tried again after its back-off, the last one ends with a reason`() throws {
        let scratch = try Scratch()
        var job = try scratch.claimed()
        #expect(try scratch.queue.fail(job, error: "first", maxAttempts: 2, backoff: .seconds(3600)))
        #expect(try scratch.queue.study("1.2.3").state == .queued)
        #expect(try scratch.queue.study("1.2.3").lastError == "first")
        #expect(try scratch.queue.claimJob(owner: "w", lease: .seconds(60)) == nil, "not before the back-off ends")
        try scratch.raw("UPDATE study SET priority = 0; UPDATE job SET state = 'waiting'; UPDATE job SET state = 'ready', not_before = 0")
        job = try #require(try scratch.queue.claimJob(owner: "w", lease: .seconds(60)))
        #expect(job.attempt == 2)
        #expect(try !scratch.queue.fail(job, error: "second", maxAttempts: 2, backoff: .zero))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .noDraft && study.noDraftReason == .modelFailed && study.detail == "second")
    }

    @Test func `an ended lease frees the study, and the late worker's result is refused`() throws {
        let scratch = try Scratch()
        let late = try scratch.claimed(lease: .zero)
        #expect(throws: QueueError.self) { try scratch.queue.renew(late, lease: .seconds(60)) }
        #expect(try scratch.queue.rescueExpiredLeases(maxAttempts: 3, backoff: .zero).jobs == 1)
        let second = try #require(try scratch.queue.claimJob(owner: "worker", lease: .seconds(60)))
        #expect(second.attempt == 2)
        // The same owner name: the attempt tells them apart.
        #expect {
            try scratch.queue.finish(late, draft: draftReport("late"), keyImage: "1.2.3.4", destinations: [])
        } throws: {
            guard let error = $0 as? QueueError, case .leaseLost = error else { return false }
            return error.consequence == .conflict
        }
        #expect(throws: QueueError.self) { try scratch.queue.finish(late, noDraft: .undecodable, detail: "") }
        #expect(throws: QueueError.self) { try scratch.queue.fail(late, error: "", maxAttempts: 9, backoff: .zero) }
        #expect(try scratch.queue.finish(second, draft: draftReport("in time"), keyImage: "1.2.3.4", destinations: []) == .drafted(version: 1))
        #expect(try scratch.queue.study("1.2.3").draft?.text == "in time")
    }

    @Test func `a renewed lease holds`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed(lease: .seconds(60))
        try scratch.queue.renew(job, lease: .seconds(600))
        #expect(try scratch.queue.rescueExpiredLeases(maxAttempts: 3) == RescueReport())
        #expect(try scratch.queue.finish(job, draft: draftReport(), keyImage: "1.2.3.4", destinations: []) == .drafted(version: 1))
    }

    @Test func `a study that kills its worker every time ends with a reason`() throws {
        let scratch = try Scratch()
        _ = try scratch.claimed()
        #expect(try scratch.queue.rescueExpiredLeases(alsoOwnedBy: "somebody else", maxAttempts: 2) == RescueReport())
        #expect(try scratch.queue.rescueExpiredLeases(alsoOwnedBy: "worker", maxAttempts: 2, backoff: .zero).jobs == 1)
        _ = try #require(try scratch.queue.claimJob(owner: "worker", lease: .seconds(600)))
        #expect(try scratch.queue.rescueExpiredLeases(alsoOwnedBy: "worker", maxAttempts: 2).exhaustedJobs == 1)
        #expect(try scratch.queue.study("1.2.3").noDraftReason == .modelFailed)
    }

    @Test func `a study given back at shutdown is taken again at once`() throws {
        let scratch = try Scratch()
        try scratch.queue.release(try scratch.claimed())
        #expect(try scratch.queue.claimJob(owner: "w", lease: .seconds(60))?.attempt == 2)
    }
}
