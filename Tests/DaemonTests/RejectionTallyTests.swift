import DICOM
import Testing
import WorklistDaemon

@Suite struct RejectionTallyTests {
    private let start = ContinuousClock.now

    private func rejection(_ address: String, title: String = "SCANNER", reason: String = "unknown") -> RejectedAssociation {
        RejectedAssociation(
            result: .callingAETitleNotRecognized, reason: reason, callingAETitle: title, calledAETitle: "RADIALOGD", peerAddress: address)
    }

    @Test func `the first is told at once, its repetitions once a minute`() {
        let tally = RejectionTally()
        #expect(tally.add(rejection("192.0.2.1"), now: start).map(\.count) == [1])
        for second in 1..<60 { #expect(tally.add(rejection("192.0.2.1", title: "T\(second)"), now: start + .seconds(second)).isEmpty) }
        let entries = tally.add(rejection("192.0.2.1"), now: start + .seconds(60))
        #expect(entries.map(\.count) == [59, 1])
        #expect(entries.first?.latest.callingAETitle == "T59")
    }

    @Test func `another address and another reason are told at once`() {
        let tally = RejectionTally()
        _ = tally.add(rejection("192.0.2.1"), now: start)
        #expect(tally.add(rejection("192.0.2.2"), now: start).count == 1)
        #expect(tally.add(rejection("192.0.2.1", reason: "malformed"), now: start).count == 1)
    }

    @Test func `a minute that ends without another attempt is told, and nothing twice`() {
        let tally = RejectionTally()
        for _ in 0..<4 { _ = tally.add(rejection("192.0.2.1"), now: start) }
        #expect(tally.ended(now: start + .seconds(59)).isEmpty)
        #expect(tally.ended(now: start + .seconds(60)).map(\.count) == [3])
        #expect(tally.ended(now: start + .seconds(120)).isEmpty)
        #expect(tally.rest().isEmpty)
    }

    @Test func `the stop tells the rest`() {
        let tally = RejectionTally()
        for _ in 0..<3 { _ = tally.add(rejection("192.0.2.1"), now: start) }
        #expect(tally.rest().map(\.count) == [2])
        #expect(tally.rest().isEmpty)
    }

    @Test func `every attempt is counted once, however many addresses there are`() {
        let tally = RejectionTally(mostKinds: 8)
        var told = 0
        for attempt in 0..<100 { told += tally.add(rejection("192.0.2.\(attempt % 50)"), now: start).map(\.count).reduce(0, +) }
        #expect(told == 9)
        #expect(told + tally.rest().map(\.count).reduce(0, +) == 100)
    }
}
