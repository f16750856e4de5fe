public import ReportModel

/// Whether the draft was made with an earlier image beside the current one.
public enum PriorImage: Sendable {
    case used, absent
}

/// Holds a labelled draft against the classifier's findings.
///
/// Scores are compared by their distance from the label's threshold: 0 at the threshold, +1 at score 1, -1 at score 0, linear
/// on each side, so that one setting serves bundles with different thresholds. Uncertain text is never flagged, and neither
/// is No Finding: whatever contradicts it is flagged under its own label. The whole table: docs/labeler.md.
public struct DraftComparison: Sendable {
    public struct Limits: Sendable, Codable, Equatable {
        /// The text denies it and the distance is at least this: contradiction. Default 0.2 (score 0.6 at threshold 0.5).
        public var clearlyPositive: Double
        /// The text states it and the distance is at most this: contradiction. Default -0.9 (score 0.05 at threshold 0.5).
        public var clearlyNegative: Double
        /// The text states it and the distance is at most this: unsupported. Default -0.5 (score 0.25 at threshold 0.5).
        public var unsupported: Double
        /// The text is silent and the distance is above this: omission. Default 0 (every positive finding).
        public var omitted: Double

        public init(clearlyPositive: Double = 0.2, clearlyNegative: Double = -0.9, unsupported: Double = -0.5, omitted: Double = 0) {
            self.clearlyPositive = clearlyPositive
            self.clearlyNegative = clearlyNegative
            self.unsupported = unsupported
            self.omitted = omitted
        }
    }

    public var labeler: FindingLabeler
    public var limits: Limits

    public init(labeler: FindingLabeler = FindingLabeler(), limits: Limits = Limits()) {
        self.labeler = labeler
        self.limits = limits
    }

    /// Labels what the model itself wrote, without the machine marks, and compares. Deterministic; flags in the order of
    /// `findings`, comparisons last in the order of the text. Ranges are those of `draft.text`, marks and all.
    ///
    /// - Parameter labels: of the same unmarked text, by another labeler. Its labels go before those of the rules, which then
    ///   give the sentences (where they read the same state), the general statements, and the comparison words.
    public func flags(for draft: DraftReport, prior: PriorImage, labels: LabeledReport? = nil) -> [DraftFlag] {
        let own = MachineText.unmarked(draft.text)
        var report = labeler.label(own.text)
        if let labels { report = report.relabeled(labels) }
        return flags(for: report, text: own.text, findings: draft.findings, prior: prior).map { flag in
            var flag = flag
            flag.sentenceRange = flag.sentenceRange.map(own.markedRange)
            flag.phraseRange = flag.phraseRange.map(own.markedRange)
            return flag
        }
    }

    /// - Parameters:
    ///   - report: labels of `text`, from any labeler; without mentions the flags point at no sentence.
    ///   - findings: the classifier's; a label that is missing is not compared, a score that is no number neither.
    public func flags(for report: LabeledReport, text: String, findings: [Finding], prior: PriorImage) -> [DraftFlag] {
        let distances = Dictionary(findings.compactMap { finding in Self.distance(finding).map { (finding.label, $0) } }, uniquingKeysWith: { first, _ in first })
        var flags: [DraftFlag] = []
        for finding in findings where finding.label != .noFinding {
            guard let distance = distances[finding.label], let (kind, mention) = judge(finding.label, distance, report, distances) else { continue }
            flags.append(DraftFlag(
                kind: kind, label: finding.label, textState: report[finding.label], score: finding.score, threshold: finding.threshold,
                sentence: mention?.sentenceRange.slice(of: text), sentenceRange: mention?.sentenceRange, phrase: mention?.phrase, phraseRange: mention?.phraseRange))
        }
        if prior == .absent {
            flags += report.comparisons.map {
                DraftFlag(kind: .comparisonWithoutPrior, sentence: $0.sentenceRange.slice(of: text), sentenceRange: $0.sentenceRange, phrase: $0.phrase, phraseRange: $0.phraseRange)
            }
        }
        return flags
    }

    private func judge(
        _ label: FindingLabel, _ distance: Double, _ report: LabeledReport, _ distances: [FindingLabel: Double]
    ) -> (DraftFlag.Kind, Mention?)? {
        switch report[label] {
        case .uncertain: return nil
        case .negative: return distance >= limits.clearlyPositive ? (.contradiction, report.evidence(for: label)) : nil
        case .positive:
            // "Opacity" is no invention where the classifier sees consolidation.
            let isSupported = Self.kinds(of: label).contains { (distances[$0] ?? -1) > 0 }
            if isSupported || distance > limits.unsupported { return nil }
            return (distance <= limits.clearlyNegative ? .contradiction : .unsupported, report.evidence(for: label))
        case .blank:
            if let mention = report.mentions.first(where: { $0.subject == .normality && $0.labels.contains(label) }), distance >= limits.clearlyPositive,
                !Self.kinds(of: label).contains(where: { [.positive, .uncertain].contains(report[$0]) }) {
                return (.contradiction, mention)
            }
            // Consolidation in the text speaks of the opacity too, and of what a film shows of pneumonia.
            let isSpokenOf = (Self.kinds(of: label) + Self.signs(of: label)).contains { [.positive, .uncertain].contains(report[$0]) }
            return distance > limits.omitted && !isSpokenOf ? (.omission, nil) : nil
        }
    }

    /// nil where score or threshold is no number between 0 and 1.
    private static func distance(_ finding: Finding) -> Double? {
        let (score, threshold) = (finding.score, finding.threshold)
        guard (0...1).contains(score), (0...1).contains(threshold) else { return nil }
        if score > threshold { return (score - threshold) / (1 - threshold) }
        return threshold > 0 ? (score - threshold) / threshold : 0
    }

    /// What CheXpert's hierarchy puts below a label (Irvin et al. 2019, figure 1).
    private static func kinds(of label: FindingLabel) -> [FindingLabel] {
        switch label {
        case .lungOpacity: [.edema, .consolidation, .pneumonia, .lungLesion, .atelectasis]
        case .consolidation: [.pneumonia]
        case .enlargedCardiomediastinum: [.cardiomegaly]
        default: []
        }
    }

    /// What a film shows of a label that is an interpretation.
    private static func signs(of label: FindingLabel) -> [FindingLabel] { label == .pneumonia ? [.consolidation] : [] }
}

extension LabeledReport {
    /// This report with the labels, and the places where it has any, of another labeler in front.
    fileprivate func relabeled(_ other: LabeledReport) -> LabeledReport {
        LabeledReport(
            labels: FindingLabel.allCases.map { Entry(label: $0, state: other[$0]) }, mentions: other.mentions + mentions, comparisons: comparisons,
            isTruncated: isTruncated || other.isTruncated)
    }
}
