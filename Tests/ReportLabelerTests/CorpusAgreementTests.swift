import Foundation
import ReportLabeler
import ReportModel
import Testing

/// Against labels of others: the samples of the CheXpert labeler, and the gold labels of the Open-i reports.
@Suite(.enabled(if: ReportCorpus.isThere, "the corpus is not there: set RADIALOG_CORPUS or put it at ../shared/corpus"))
struct CorpusAgreementTests {
    @Test func `the samples of the CheXpert labeler get its labels`() throws {
        let rows = try ReportCorpus.table("stanfordmlgroup__chexpert-labeler/labeled_reports.csv")
        let header = try #require(rows.first)
        #expect(rows.count >= 5)
        for row in rows.dropFirst() {
            let report = label(row[0])
            for (name, value) in zip(header, row).dropFirst() {
                let expected: LabelState = switch value {
                case "1.0": .positive
                case "0.0": .negative
                case "-1.0": .uncertain
                default: .blank
                }
                #expect(report[try #require(FindingLabel(rawValue: name))] == expected, "\(name)")
            }
        }
    }

    /// Reports whose number divides by three were held out; nothing was tuned on them. A label counts as given when it is
    /// positive: the gold labels have no state for doubt, and mostly leave doubted findings out.
    @Test func `micro F1 on the held-out Open-i reports is at least 0.90`() throws {
        let reports = try ReportCorpus.openI()
        #expect(reports.count > 3_000)
        for (name, part) in [("development", reports.filter { $0.number % 3 != 0 }), ("test", reports.filter { $0.number % 3 == 0 })] {
            let scores = Score.all(part)
            print("Open-i, \(name) part, \(part.count) reports\n" + Score.table(scores))
            if name == "test" { #expect(Score.sum(scores.map(\.1)).f1 >= 0.90) }
        }
    }
}

/// Hits and misses of one label.
struct Score {
    var truePositives = 0, falsePositives = 0, falseNegatives = 0

    var precision: Double { ratio(truePositives, truePositives + falsePositives) }
    var recall: Double { ratio(truePositives, truePositives + falseNegatives) }
    var f1: Double { ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives) }
    private func ratio(_ part: Int, _ whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

    static func all(_ reports: [GoldReport]) -> [(FindingLabel, Score)] {
        var scores: [FindingLabel: Score] = [:]
        for report in reports {
            let labeled = label(report.text)
            for shared in ReportCorpus.shared.map(\.label) {
                switch (labeled[shared] == .positive, report.gold.contains(shared)) {
                case (true, true): scores[shared, default: Score()].truePositives += 1
                case (true, false): scores[shared, default: Score()].falsePositives += 1
                case (false, true): scores[shared, default: Score()].falseNegatives += 1
                case (false, false): break
                }
            }
        }
        return ReportCorpus.shared.map { ($0.label, scores[$0.label] ?? Score()) }
    }

    static func sum(_ scores: [Score]) -> Score {
        scores.reduce(into: Score()) { total, score in
            total.truePositives += score.truePositives
            total.falsePositives += score.falsePositives
            total.falseNegatives += score.falseNegatives
        }
    }

    static func table(_ scores: [(FindingLabel, Score)]) -> String {
        func row(_ name: String, _ score: Score) -> String {
            name.padding(toLength: 18, withPad: " ", startingAt: 0)
                + String(format: "%5d %4d %4d   P %.3f  R %.3f  F1 %.3f\n", score.truePositives, score.falsePositives, score.falseNegatives, score.precision, score.recall, score.f1)
        }
        return "label                 tp   fp   fn\n" + scores.map { row($0.0.rawValue, $0.1) }.joined() + row("micro", sum(scores.map(\.1)))
    }
}
