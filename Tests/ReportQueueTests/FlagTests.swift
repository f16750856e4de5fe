import Foundation
import ReportModel
import ReportQueue
import Testing

let omission = DraftFlag(kind: .omission, label: .pleuralEffusion, textState: .blank, score: 0.75, threshold: 0.5)
let comparison = DraftFlag(
    kind: .comparisonWithoutPrior, sentence: "Stable heart.", sentenceRange: TextRange(start: 0, end: 13), phrase: "Stable", phraseRange: TextRange(start: 0, end: 6))

/// Flags stay with the draft they are about, whatever becomes of its text.
@Suite struct FlagTests {
    /// One drafted study whose draft has these flags.
    private func drafted(_ scratch: Scratch, study: String = "1.2.3", flags: [DraftFlag]?) throws {
        let job = try scratch.claimed(study: study)
        var draft = draftReport()
        draft.flags = flags
        draft.provenance.labeler = flags == nil ? nil : "rules 1"
        draft.provenance.imageChoice = ImageChoice(
            imageCount: 2, used: .init(number: 1, sopInstanceUID: study + ".4", view: .posteroAnterior, viewSource: .viewPosition, notUsedBecause: nil),
            notUsed: [.init(number: 2, sopInstanceUID: "1.9", view: .lateral, viewSource: .viewPosition, notUsedBecause: .notFrontal)])
        _ = try scratch.queue.finish(job, draft: draft, keyImage: study + ".4", destinations: [both])
    }

    @Test func `what was flagged is read back, and none is not the same as not compared`() throws {
        let scratch = try Scratch()
        try drafted(scratch, study: "1.2.3", flags: [omission, comparison])
        try drafted(scratch, study: "1.2.4", flags: [])
        try drafted(scratch, study: "1.2.5", flags: nil)
        #expect(try scratch.queue.study("1.2.3").draft?.flags == [omission, comparison])
        #expect(try scratch.queue.study("1.2.4").draft?.flags == [])
        let third = try #require(try scratch.queue.study("1.2.5").draft)
        #expect(third.flags == nil && third.provenance.labeler == nil)
        #expect(try scratch.queue.statistics().flaggedDrafts == 1)
        #expect(try scratch.queue.auditRecords(study: "1.2.3").contains { $0.type == "draft-created" && $0.detail.hasSuffix(", flags 2") })
    }

    @Test func `which image was used is kept with the draft`() throws {
        let scratch = try Scratch()
        try drafted(scratch, flags: [])
        let choice = try #require(try scratch.queue.study("1.2.3").draft?.provenance.imageChoice)
        #expect(choice.used.sopInstanceUID == "1.2.3.4" && choice.imageCount == 2 && choice.notUsed.map(\.notUsedBecause) == [.notFrontal])
    }

    @Test func `a signed report carries no flags, edited or not, and its draft keeps them`() throws {
        for text in [nil, "The heart is normal in size."] {
            let scratch = try Scratch()
            try drafted(scratch, flags: [omission])
            #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .draft).flags == [omission])
            try scratch.sign(text: text, destinations: [both])
            #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .final).flags == nil)
            #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .draft).flags == [omission])
            #expect(try scratch.queue.study("1.2.3").draft?.flags == [omission])
            #expect(try scratch.queue.statistics().flaggedDrafts == 0)
        }
    }

    @Test func `flags of a draft cannot be changed or taken away`() throws {
        let scratch = try Scratch()
        try drafted(scratch, flags: [omission])
        #expect(throws: QueueError.self) { try scratch.raw("UPDATE draft SET flags = '[]'") }
        #expect(throws: QueueError.self) { try scratch.raw("UPDATE draft SET flags = NULL") }
        #expect(try scratch.queue.study("1.2.3").draft?.flags == [omission])
    }
}
