import ReportModel
import ReportQueue
import Testing

/// Several openings of one file at once, as the daemon, its workers and radialogctl are.
@Suite struct ConcurrencyTests {
    @Test func `writers of several openings lose nothing and never fail`() async throws {
        let scratch = try Scratch()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 1...4 {
                group.addTask {
                    let queue = try scratch.another()
                    for number in 1...25 {
                        _ = try queue.recordInstance(received(study: "1.\(writer % 2)", sop: "1.\(writer).\(number)", patient: "\(writer % 2)"))
                    }
                }
            }
            group.addTask {
                // A reader beside them sees every study whole: an object is there with its study, job and audit row, or not at all.
                let queue = try scratch.another()
                for _ in 1...50 {
                    for study in try queue.studies() { #expect(study.instances > 0) }
                    #expect(try queue.verifyAudit().isIntact)
                }
            }
            try await group.waitForAll()
        }
        #expect(try scratch.queue.statistics().instances == 100)
        let verification = try scratch.queue.verifyAudit()
        #expect(verification.isIntact && verification.rows == 100)
    }

    @Test func `every study is taken by exactly one of many workers`() async throws {
        let scratch = try Scratch()
        for study in 1...20 { _ = try scratch.queue.recordInstance(received(study: "1.\(study)", sop: "1.\(study).1", patient: "\(study)")) }
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        let taken = try await withThrowingTaskGroup(of: [String].self) { group in
            for worker in 1...4 {
                group.addTask {
                    let queue = try scratch.another()
                    var taken: [String] = []
                    while let job = try queue.claimJob(owner: "worker \(worker)", lease: .seconds(600)) {
                        taken.append(job.study.studyInstanceUID)
                        _ = try queue.finish(job, draft: draftReport(), keyImage: job.study.studyInstanceUID + ".1", destinations: [both])
                    }
                    return taken
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(taken.sorted() == (1...20).map { "1.\($0)" }.sorted())
        #expect(try scratch.queue.statistics().studies == ["drafted": 20])
    }

    @Test func `every delivery is sent by exactly one of many senders`() async throws {
        let scratch = try Scratch()
        for study in 1...10 { try scratch.drafted(study: "1.\(study)", destinations: [both]) }
        let sent = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for sender in 1...4 {
                group.addTask {
                    let queue = try scratch.another()
                    var sent: [Int64] = []
                    while let delivery = try queue.claimDelivery(destination: "RIS", owner: "sender \(sender)", lease: .seconds(600)) {
                        sent.append(delivery.id)
                        try queue.complete(delivery)
                    }
                    return sent
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(sent.sorted() == Array(1...10))
    }

    @Test func `closing waits for the calls in flight, and another opening goes on`() async throws {
        let scratch = try Scratch()
        let other = try scratch.another()
        await withTaskGroup(of: Void.self) { group in
            for number in 1...20 {
                group.addTask {
                    do throws(QueueError) {
                        _ = try scratch.queue.recordInstance(received(sop: "1.\(number)"))
                    } catch { #expect(error == .closed) }
                }
            }
            group.addTask { scratch.queue.close() }
        }
        _ = try other.recordInstance(received(sop: "after"))
        #expect(try other.verifyAudit().isIntact)
        #expect(try other.statistics().instances >= 1)
    }
}
