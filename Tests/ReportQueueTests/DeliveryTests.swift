import Foundation
import ReportModel
import ReportQueue
import Testing

@Suite struct DeliveryTests {
    private func claim(_ scratch: Scratch, _ destination: String = "RIS", lease: Duration = .seconds(60)) throws -> ClaimedDelivery? {
        try scratch.queue.claimDelivery(destination: destination, owner: "sender", lease: lease)
    }

    @Test func `a delivery carries its report and is done when it is acknowledged`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        let delivery = try #require(try claim(scratch))
        #expect(delivery.attempt == 1)
        #expect(try delivery.report == scratch.queue.outgoingReport(study: "1.2.3", version: .draft))
        #expect(try scratch.another().claimDelivery(destination: "RIS", owner: "other", lease: .seconds(60)) == nil)
        #expect(try claim(scratch, "EPR") == nil)
        try scratch.queue.complete(delivery)
        #expect(try scratch.queue.deliveries().map(\.state) == [.delivered])
        #expect(try claim(scratch) == nil)
        let row = try #require(try scratch.queue.auditRecords(limit: 1).first)
        #expect(row.code == "110106" && row.object == "version 1 to RIS")
    }

    @Test func `draft, final and corrected never overtake one another`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        try scratch.sign(destinations: [both])
        try scratch.sign(text: "Corrected.", destinations: [both])
        for version in 1...3 {
            let delivery = try #require(try claim(scratch))
            #expect(delivery.report.version == version)
            #expect(try claim(scratch) == nil, "while one is being sent")
            try scratch.queue.retry(delivery, after: .seconds(3600), error: "no answer")
            #expect(try claim(scratch) == nil, "while one waits for its next try")
            try scratch.raw("UPDATE delivery SET state = 'dead' WHERE state = 'pending' AND version = \(version)")
            try scratch.queue.retryDelivery(delivery.id, by: "test")
            try scratch.queue.complete(try #require(try claim(scratch)))
        }
        #expect(try scratch.queue.deliveries().map(\.state) == [.delivered, .delivered, .delivered])
    }

    @Test func `a poisoned message does not hold up other studies`() throws {
        let scratch = try Scratch()
        for study in ["1.1", "1.2", "1.3"] { try scratch.drafted(study: study, destinations: [both]) }
        let poisoned = try #require(try claim(scratch))
        #expect(poisoned.report.study.studyInstanceUID == "1.1")
        try scratch.queue.bury(poisoned, reason: "AE: unknown patient")
        for study in ["1.2", "1.3"] {
            let delivery = try #require(try claim(scratch))
            #expect(delivery.report.study.studyInstanceUID == study)
            try scratch.queue.complete(delivery)
        }
        let dead = try scratch.queue.deliveries(states: [.dead])
        #expect(dead.map(\.lastError) == ["AE: unknown patient"] && dead.map(\.attempt) == [1])
    }

    @Test func `an unreachable destination does not hold up another`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [drafts, both])
        try scratch.queue.retry(try #require(try claim(scratch, "PACS")), after: .seconds(3600), error: "no route")
        #expect(try claim(scratch, "RIS") != nil)
    }

    @Test func `a dead draft lets the final pass, and cannot come after it`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        let draft = try #require(try claim(scratch))
        try scratch.queue.bury(draft, reason: "AE")
        try scratch.sign(destinations: [both])
        let final = try #require(try claim(scratch))
        #expect(final.report.status == .final)
        #expect(throws: QueueError.conflict(.overtaken(byVersion: 2))) { try scratch.queue.retryDelivery(draft.id, by: "test") }
        try scratch.queue.complete(final)
        #expect(throws: QueueError.conflict(.overtaken(byVersion: 2))) { try scratch.queue.retryDelivery(draft.id, by: "test") }
    }

    @Test func `a dead final holds back its correction until a human retries it`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign(destinations: [signedOnly])
        let final = try #require(try claim(scratch, "EPR"))
        try scratch.queue.bury(final, reason: "AE")
        try scratch.sign(text: "Corrected.", destinations: [signedOnly])
        #expect(try claim(scratch, "EPR") == nil)
        try scratch.queue.retryDelivery(final.id, by: "admin")
        let again = try #require(try claim(scratch, "EPR"))
        #expect(again.id == final.id && again.attempt == 1, "a human starts the count anew")
        #expect(again.report.messageControlID == final.report.messageControlID)
        try scratch.queue.complete(again)
        #expect(try claim(scratch, "EPR")?.report.status == .corrected)
    }

    @Test func `a sender that died is followed by another, and its late answer is not taken`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        let lost = try #require(try claim(scratch, lease: .zero))
        #expect(throws: QueueError.self) { try scratch.queue.complete(lost) }
        #expect(try scratch.queue.rescueExpiredLeases(maxAttempts: 3).deliveries == 1)
        let second = try #require(try claim(scratch))
        #expect(second.attempt == 2 && second.report == lost.report)
        for act: () throws -> Void in [
            { try scratch.queue.complete(lost) }, { try scratch.queue.retry(lost, after: .zero, error: "e") }, { try scratch.queue.bury(lost, reason: "r") },
        ] {
            #expect {
                try act()
            } throws: {
                guard case .leaseLost? = $0 as? QueueError else { return false }
                return true
            }
        }
        try scratch.queue.complete(second)
    }

    @Test func `a draft rejected while it is being sent is not tried again and blocks nothing`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        let sending = try #require(try claim(scratch))
        try scratch.queue.reject(study: "1.2.3", by: try scratch.user("reader"), reason: "wrong")
        try scratch.queue.retry(sending, after: .zero, error: "no answer")
        #expect(try scratch.queue.deliveries().map(\.state) == [.dead])
        #expect(throws: QueueError.self) { try scratch.queue.retryDelivery(sending.id, by: "test") }
    }

    @Test func `a draft whose patient came in doubt waits for a human's word`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        try scratch.queue.markOpened("1.2.3", by: "reader")
        _ = try scratch.queue.recordInstance(received(sop: "other", patient: "Z"))
        #expect(try claim(scratch) == nil)
        try scratch.queue.releaseIdentity(study: "1.2.3", by: try scratch.user("reader"))
        #expect(try claim(scratch) != nil)
    }

    @Test func `what a receiver said stays out of the audit trail`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        try scratch.queue.retry(try #require(try claim(scratch)), after: .zero, error: "AE unknown patient DOE")
        try scratch.queue.bury(try #require(try claim(scratch)), reason: "AE unknown patient DOE")
        #expect(try scratch.queue.deliveries().map(\.lastError) == ["AE unknown patient DOE"])
        for row in try scratch.queue.auditRecords() { #expect(!row.detail.contains("DOE")) }
    }

    @Test func `only a dead delivery is retried by hand`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [both])
        let id = try #require(try scratch.queue.deliveries().first).id
        #expect(throws: QueueError.conflict(.state(what: "delivery \(id)", found: "pending"))) { try scratch.queue.retryDelivery(id, by: "t") }
        #expect(throws: QueueError.notFound(what: "delivery 99")) { try scratch.queue.retryDelivery(99, by: "t") }
    }

    @Test func `the first rendering is what every retry sends`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let report = try scratch.queue.reportID(study: "1.2.3", version: .draft)
        #expect(try scratch.queue.document(reportID: report, kind: .oru, variant: "RIS") == nil)
        #expect(try scratch.queue.storeDocument(reportID: report, kind: .oru, variant: "RIS", bytes: Data("one".utf8)) == Data("one".utf8))
        #expect(try scratch.another().storeDocument(reportID: report, kind: .oru, variant: "RIS", bytes: Data("two".utf8)) == Data("one".utf8))
        #expect(try scratch.queue.document(reportID: report, kind: .oru, variant: "RIS") == Data("one".utf8))
        #expect(try scratch.queue.document(reportID: report, kind: .sr, variant: "RIS") == nil)
        #expect(throws: QueueError.self) { try scratch.raw("UPDATE document SET bytes = x'00'") }
        #expect(throws: QueueError.self) { try scratch.raw("INSERT OR REPLACE INTO document SELECT * FROM document") }
    }

    @Test func `bytes that are not those that were stored are not sent`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let report = try scratch.queue.reportID(study: "1.2.3", version: .draft)
        _ = try scratch.queue.storeDocument(reportID: report, kind: .sr, variant: "", bytes: Data("one".utf8))
        try scratch.raw("DROP TRIGGER document_is_fixed; UPDATE document SET bytes = x'00'")
        #expect(throws: QueueError.self) { try scratch.queue.document(reportID: report, kind: .sr, variant: "") }
    }

    @Test func `a text changed behind the triggers does not leave as a signed one`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [])
        try scratch.sign(destinations: [signedOnly])
        try scratch.raw(
            """
            DROP TRIGGER report_moves; DROP TRIGGER report_keeps_content; DROP TRIGGER report_signed_has_successor;
            UPDATE report SET text = 'other' WHERE version = 2
            """)
        #expect(throws: QueueError.self) { try claim(scratch, "EPR") }
        #expect(throws: QueueError.self) { try scratch.queue.outgoingReport(study: "1.2.3", version: .final) }
    }

    @Test func `names of documents follow from content, and differ between studies and versions`() throws {
        let scratch = try Scratch()
        for study in ["1.1", "1.2"] { try scratch.drafted(study: study) }
        try scratch.sign(study: "1.1")
        let reports = try [("1.1", 1), ("1.1", 2), ("1.2", 1)].map { try scratch.queue.outgoingReport(study: $0.0, version: .number($0.1)) }
        #expect(Set(reports.map(\.documentUID)).count == 3 && Set(reports.map(\.messageControlID)).count == 3)
        #expect(reports[0].documentSeriesUID == reports[1].documentSeriesUID && reports[0].documentSeriesUID != reports[2].documentSeriesUID)
        for report in reports {
            #expect(report.documentUID.utf8.count <= 64 && report.documentUID.hasPrefix("2.25."))
            #expect(report.messageControlID.count <= 20)
        }
    }

    @Test func `a version that does not exist is not found`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        for version: ReportVersionSelector in [.final, .number(2), .number(0)] {
            #expect {
                try scratch.queue.outgoingReport(study: "1.2.3", version: version)
            } throws: {
                guard case .notFound? = $0 as? QueueError else { return false }
                return true
            }
        }
    }

    @Test func `statistics count states and show what waits`() throws {
        let scratch = try Scratch()
        try scratch.drafted(study: "1.1", destinations: [drafts, both])
        try scratch.drafted(study: "1.2", destinations: [both])
        _ = try scratch.queue.recordInstance(received(study: "1.3", sop: "1.3.1"))
        try scratch.queue.complete(try #require(try claim(scratch, "PACS")))
        let statistics = try scratch.queue.statistics()
        #expect(statistics.studies == ["drafted": 2, "collecting": 1] && statistics.instances == 3)
        #expect(statistics.deliveries.map(\.destination) == ["PACS", "RIS"])
        #expect(statistics.deliveries.map(\.pending) == [0, 2] && statistics.deliveries.map(\.delivered) == [1, 0])
        #expect(statistics.deliveries[0].oldestUndeliveredSeconds == nil && statistics.deliveries[1].oldestUndeliveredSeconds != nil)
    }
}
