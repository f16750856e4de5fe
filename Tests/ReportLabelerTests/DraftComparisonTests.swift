import Foundation
import ReportLabeler
import ReportModel
import Testing

struct DraftComparisonTests {
    private func finding(_ label: FindingLabel, _ score: Double, threshold: Double = 0.5) -> Finding {
        Finding(label: label, score: score, threshold: threshold, isPositive: score > threshold, activationMap: nil)
    }

    private func flags(_ text: String, _ findings: [Finding], prior: PriorImage = .used, limits: DraftComparison.Limits = .init()) -> [DraftFlag] {
        DraftComparison(limits: limits).flags(for: label(text), text: text, findings: findings, prior: prior)
    }

    @Test func `a denial the classifier clearly sees is a contradiction, with its sentence`() throws {
        let found = flags("The heart is normal. No pleural effusion is seen. Lungs clear.", [finding(.cardiomegaly, 0.1), finding(.pleuralEffusion, 0.9)])
        let flag = try #require(found.first)
        #expect(found.count == 1 && flag.kind == .contradiction && flag.label == .pleuralEffusion && flag.textState == .negative)
        #expect(flag.sentence == "No pleural effusion is seen." && flag.score == 0.9 && flag.threshold == 0.5)
    }

    @Test func `a general statement is held against the classifier too`() {
        let found = flags("The lungs are clear.", [finding(.consolidation, 0.8), finding(.pneumothorax, 0.1)])
        #expect(found.map(\.kind) == [.contradiction] && found.first?.sentence == "The lungs are clear." && found.first?.textState == .blank)
        // Not where it speaks of the rest only.
        #expect(flags("Left base consolidation. The lungs are otherwise clear.", [finding(.edema, 0.9)]).map(\.kind) == [.omission])
        // Nor where the score is close to its threshold: then the label is just missing.
        #expect(flags("The lungs are clear.", [finding(.consolidation, 0.55)]).map(\.kind) == [.omission])
    }

    @Test func `a positive finding the text is silent of is an omission`() {
        let found = flags("Heart size is normal.", [finding(.pleuralEffusion, 0.51), finding(.fracture, 0.5), finding(.noFinding, 0.9), finding(.supportDevices, 0.8)])
        #expect(found.map(\.label) == [.pleuralEffusion, .supportDevices] && found.allSatisfy { $0.kind == .omission && $0.sentence == nil && $0.sentenceRange == nil })
    }

    @Test func `a statement the classifier scores low is unsupported, and a hopeless one a contradiction`() {
        let text = "There is a left pneumothorax."
        #expect(flags(text, [finding(.pneumothorax, 0.02)]).map(\.kind) == [.contradiction])
        #expect(flags(text, [finding(.pneumothorax, 0.2)]).map(\.kind) == [.unsupported])
        #expect(flags(text, [finding(.pneumothorax, 0.2)]).first?.sentence == text)
        #expect(flags(text, [finding(.pneumothorax, 0.4)]).isEmpty && flags(text, [finding(.pneumothorax, 0.9)]).isEmpty)
    }

    @Test func `an uncertain text is never flagged`() {
        for score in [0.01, 0.3, 0.99] { #expect(flags("Pneumothorax cannot be excluded.", [finding(.pneumothorax, score)]).isEmpty) }
    }

    @Test func `a kind speaks for its family`() {
        #expect(flags("Right basal consolidation.", [finding(.consolidation, 0.9), finding(.lungOpacity, 0.9)]).isEmpty)
        #expect(flags("Patchy opacity.", [finding(.consolidation, 0.9), finding(.lungOpacity, 0.1)]).map(\.kind) == [.omission])
        #expect(flags("Cardiomegaly.", [finding(.enlargedCardiomediastinum, 0.9), finding(.cardiomegaly, 0.9)]).isEmpty)
    }

    @Test func `consolidation in the text is no omission of pneumonia, plain opacity and a denial are`() {
        for text in ["Left basal consolidation.", "Possible consolidation."] { #expect(flags(text, [finding(.pneumonia, 0.9)]).isEmpty, "\(text)") }
        for text in ["Left basal opacity.", "No consolidation.", "Heart size is normal."] { #expect(flags(text, [finding(.pneumonia, 0.9)]).map(\.kind) == [.omission], "\(text)") }
        #expect(flags("Consolidation. No pneumonia.", [finding(.pneumonia, 0.9)]).map(\.kind) == [.contradiction])
    }

    @Test(arguments: LabelState.allCases)
    func `the table of docs/labeler.md, for labels of any labeler`(state: LabelState) {
        let expected: [LabelState: [DraftFlag.Kind?]] = [
            .positive: [nil, nil, nil, .unsupported, .contradiction], .uncertain: [nil, nil, nil, nil, nil], .negative: [.contradiction, nil, nil, nil, nil],
            .blank: [.omission, .omission, nil, nil, nil],
        ]
        let found = [0.9, 0.55, 0.4, 0.2, 0.02].map { score in
            DraftComparison().flags(for: LabeledReport(states: [.edema: state]), text: "", findings: [finding(.edema, score)], prior: .used)
        }
        #expect(found.map { $0.first?.kind } == expected[state])
        #expect(found.joined().allSatisfy { $0.sentence == nil && $0.textState == state })
    }

    @Test func `limits count from the label's own threshold`() {
        #expect(flags("No edema.", [finding(.edema, 0.55, threshold: 0.5)]).isEmpty)
        #expect(flags("No edema.", [finding(.edema, 0.55, threshold: 0.2)]).map(\.kind) == [.contradiction])
        #expect(flags("Edema.", [finding(.edema, 0.15, threshold: 0.2)]).isEmpty)
        #expect(flags("No edema.", [finding(.edema, 0.55)], limits: .init(clearlyPositive: 0.05)).map(\.kind) == [.contradiction])
    }

    @Test(arguments: [(Double.nan, 0.5), (0.9, Double.nan), (.infinity, 0.5), (-1, 0.5), (2, 0.5)])
    func `a score that is no number is not compared`(score: Double, threshold: Double) {
        #expect(flags("No edema.", [finding(.edema, score, threshold: threshold)]).isEmpty)
    }

    @Test func `thresholds at the ends of the range divide nothing by zero`() {
        #expect(flags("No edema.", [finding(.edema, 1, threshold: 1)]).isEmpty)
        #expect(flags("Edema.", [finding(.edema, 0, threshold: 0)]).isEmpty)
    }

    @Test(arguments: [
        "The effusion is unchanged.", "Compared to prior, no change.", "Interval increase in the effusion.", "Again seen is a left effusion.", "Stable cardiomegaly.", "Atelectasis has improved.",
        "New consolidation.", "As on the previous radiograph, the heart is large.", "Heart size remains normal.", "Worsening edema.", "Redemonstrated nodule.", "COMPARISON: Chest radiograph of yesterday.",
        "No significant interval change.", "Pneumothorax is no longer seen.", "In comparison with the study of 2 March.", "Persistent opacity.",
    ])
    func `a comparison without an earlier image is flagged`(text: String) throws {
        let found = flags(text, [], prior: .absent)
        #expect(!found.isEmpty && found.allSatisfy { $0.kind == .comparisonWithoutPrior && $0.label == nil && $0.phrase?.isEmpty == false && $0.sentence?.isEmpty == false })
        #expect(flags(text, [], prior: .used).isEmpty)
    }

    @Test(arguments: [
        "The heart is normal.", "COMPARISON: None.", "COMPARISON: Not available.", "Prior sternotomy.", "Old rib fracture.", "Increased interstitial markings.", "Comparison with prior radiographs is recommended.",
        "No prior studies are available for comparison.", "INDICATION: New cough, worsening.", "Right greater than left effusions.",
    ])
    func `what needs no earlier image is not flagged`(text: String) { #expect(flags(text, [], prior: .absent).isEmpty) }

    @Test func `flags survive JSON under their stored names`() throws {
        let found = flags("No edema. Stable.", [finding(.edema, 0.9)], prior: .absent)
        let data = try JSONEncoder().encode(found)
        #expect(try JSONDecoder().decode([DraftFlag].self, from: data) == found)
        let text = String(decoding: data, as: UTF8.self)
        #expect(text.contains("\"comparison_without_prior\"") && text.contains("\"sentence_range\"") && text.contains("\"text_state\""))
    }
}
