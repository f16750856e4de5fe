import Foundation
import ReportLabeler
import ReportModel
import Testing

/// Text that no radiologist wrote. The work is linear, which the time limit holds on to: anything quadratic takes hours.
struct BoundTests {
    @Test(.timeLimit(.minutes(5)), arguments: ["no ", "no effusion, ", "effusion", "effusion or ", ",", "-", "\n", "?", "heart normal and ", "not well ", "no no change ", "a", "é", "\u{200B}", "1. ", "(", "may represent ", "unchanged "])
    func `long runs of one thing are read and bounded`(piece: String) {
        let text = String(repeating: piece, count: 50_000 / piece.utf8.count)
        let report = label(text)
        #expect(report.mentions.count <= 2_200 && report.comparisons.count <= 2_200)
        #expect(report.labels.count == 14)
    }

    @Test(.timeLimit(.minutes(5))) func `a megabyte of denials is read to its end`() {
        let report = FindingLabeler(limits: .init(mentions: 1_000_000)).label(String(repeating: "no shadow of it, ", count: 60_000) + ". Effusion.")
        #expect(report[.pleuralEffusion] == .positive && !report.isTruncated)
    }

    @Test(.timeLimit(.minutes(5))) func `what is over the limits is not read, and the result says so`() {
        let labeler = FindingLabeler(limits: .init(bytes: 40, mentions: 100))
        let cut = labeler.label(String(repeating: "é", count: 19) + " ééé effusion")
        #expect(cut.isTruncated && cut[.pleuralEffusion] == .blank)
        #expect(!labeler.label("Effusion.").isTruncated)
        #expect(label(String(repeating: "Effusion. ", count: 5_000)).isTruncated)
        #expect(label(String(repeating: "x", count: 1_500_000)).isTruncated)
    }

    @Test func `ranges are right for any characters, and nothing fails`() {
        var generator = SplitMix64(state: 11)
        let pieces = [
            "no", "effusion", "heart", "enlarged", ".", ",", "?", "\n", "\r\n", " ", " ", " ", "-", "/", "(", ":", "é", "œ", "\u{2019}", "\u{2014}", "\u{AD}", "💊", "1", "2.5", "may", "and", "or", "unchanged",
            "w/", "not seen", "\u{0}", "\t", "COMPARISON:", "ß", "\u{2028}",
        ]
        for _ in 0..<1_000 {
            let text = (0..<Int.random(in: 0...40, using: &generator)).map { _ in pieces[Int.random(in: pieces.indices, using: &generator)] }.joined()
            let report = label(text)
            #expect(report == label(text))
            for mention in report.mentions {
                #expect(mention.phraseRange.slice(of: text) == mention.phrase && mention.state != .blank)
                #expect(mention.sentenceRange.start <= mention.phraseRange.start && mention.sentenceRange.end >= mention.phraseRange.end)
            }
            for comparison in report.comparisons { #expect(comparison.phraseRange.slice(of: text) == comparison.phrase) }
        }
    }

    @Test func `a labelled report survives JSON`() throws {
        let report = label("Left effusion, unchanged. The lungs are clear.")
        #expect(try JSONDecoder().decode(LabeledReport.self, from: JSONEncoder().encode(report)) == report)
    }
}

/// A fixed stream of numbers, so that a failure can be seen again.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
