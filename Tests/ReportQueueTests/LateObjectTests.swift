import ReportModel
import ReportQueue
import Testing

@Suite struct LateObjectTests {
    private func redraft(_ scratch: Scratch, text: String) throws -> FinishOutcome {
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        let job = try #require(try scratch.queue.claimJob(owner: "worker", lease: .seconds(60)))
        return try scratch.queue.finish(job, draft: draftReport(text), keyImage: "1.2.3.4", destinations: [drafts])
    }

    @Test func `a late object supersedes a draft nobody opened, when the new draft comes`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old", destinations: [drafts])
        #expect(try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3")) == .stored(late: true))
        let between = try scratch.queue.study("1.2.3")
        #expect(between.state == .drafted && between.isRedrafting && between.lateInstances == 1)
        #expect(try redraft(scratch, text: "new") == .drafted(version: 2))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.report?.version == 2 && study.draft?.text == "new" && study.lateInstances == 0 && !study.isRedrafting)
        let old = try scratch.queue.outgoingReport(study: "1.2.3", version: .number(1))
        let new = try scratch.queue.outgoingReport(study: "1.2.3", version: .draft)
        #expect(new.predecessorUID == old.documentUID)
        #expect(old.images.count == 1 && new.images.count == 2)
    }

    @Test func `an opened draft is kept and flagged`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old")
        #expect(try scratch.queue.markOpened("1.2.3", by: "reader") == 1)
        _ = try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3"))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.draft?.text == "old" && study.lateInstances == 1 && !study.isRedrafting)
        #expect(try scratch.queue.closeQuietStudies(quietPeriod: .zero) == 0)
    }

    @Test func `a draft that was opened while the new one was made is kept`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old")
        _ = try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3"))
        try scratch.queue.markOpened("1.2.3", by: "reader")
        #expect(try redraft(scratch, text: "new") == .keptEarlier(version: 1))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.draft?.text == "old" && study.lateInstances >= 1 && study.state == .drafted)
        #expect(try scratch.queue.deliveries().isEmpty)
    }

    @Test func `a signed report is kept and flagged, and no draft comes after it`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old")
        _ = try scratch.queue.recordInstance(received(sop: "late1", patient: "1.2.3"))
        try scratch.sign()
        #expect(try redraft(scratch, text: "new") == .keptEarlier(version: 2))
        _ = try scratch.queue.recordInstance(received(sop: "late2", patient: "1.2.3"))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .signed && study.report?.text == "old" && study.lateInstances >= 1 && !study.isRedrafting)
        #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .final).images.count == 1, "what was signed spoke of one image")
    }

    @Test func `an object that comes during the work opens another round`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        #expect(try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3")) == .stored(late: true))
        #expect(try scratch.queue.finish(job, draft: draftReport("first"), keyImage: "1.2.3.4", destinations: []) == .drafted(version: 1))
        let study = try scratch.queue.study("1.2.3")
        #expect(study.isRedrafting && study.lateInstances == 1)
        #expect(try redraft(scratch, text: "second") == .drafted(version: 2))
    }

    @Test func `an object that comes during failing work sends the study back to collecting`() throws {
        let scratch = try Scratch()
        let job = try scratch.claimed()
        _ = try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3"))
        _ = try scratch.queue.fail(job, error: "e", maxAttempts: 3, backoff: .zero)
        #expect(try scratch.queue.study("1.2.3").state == .collecting)
    }

    @Test func `a late object gives a study without a draft another chance`() throws {
        let scratch = try Scratch()
        try scratch.queue.finish(try scratch.claimed(), noDraft: .lateralOnly, detail: "")
        _ = try scratch.queue.recordInstance(received(sop: "frontal", patient: "1.2.3"))
        #expect(try scratch.queue.study("1.2.3").state == .collecting)
        #expect(try redraft(scratch, text: "frontal") == .drafted(version: 1))
        #expect(try scratch.queue.study("1.2.3").noDraftReason == nil)
    }

    @Test func `an object of a ready study sends it back to collecting`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1"))
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        #expect(try scratch.queue.recordInstance(received(sop: "2")) == .stored(late: false))
        #expect(try scratch.queue.study("1.2.3").state == .collecting)
        #expect(try scratch.queue.claimJob(owner: "w", lease: .seconds(60)) == nil)
    }

    @Test func `a late object brings a new draft after a rejection`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old")
        try scratch.queue.reject(study: "1.2.3", by: try scratch.user("reader"), reason: "wrong side")
        _ = try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3"))
        #expect(try scratch.queue.study("1.2.3").state == .collecting)
        #expect(try redraft(scratch, text: "new") == .drafted(version: 2))
        #expect(try scratch.queue.study("1.2.3").state == .drafted)
    }
}
