/// One place where the text speaks of something a label, or "No Finding", depends on.
public struct Mention: Sendable, Codable, Equatable {
    public enum Subject: String, Sendable, Codable {
        /// One of the labels by name, or its anatomy with a judgement ("heart size is normal").
        case finding
        /// An anatomy that is only called unchanged ("stable cardiac silhouette"): uncertain, as from what is not said, but
        /// no word against No Finding.
        case unchangedAnatomy = "unchanged_anatomy"
        /// Abnormal, but under no label ("scoliosis"): counts against No Finding only.
        case otherAbnormality = "other_abnormality"
        /// A general statement ("the lungs are clear"). Its labels are the ones it denies without naming them:
        /// they stay blank, but `DraftComparison` holds the statement against the classifier.
        case normality
    }

    public var subject: Subject
    public var labels: [FindingLabel]
    /// Never `blank`.
    public var state: LabelState
    /// The words of the text that were recognised.
    public var phrase: String
    public var phraseRange: TextRange
    public var sentenceRange: TextRange

    public init(subject: Subject, labels: [FindingLabel], state: LabelState, phrase: String, phraseRange: TextRange, sentenceRange: TextRange) {
        self.subject = subject
        self.labels = labels
        self.state = state
        self.phrase = phrase
        self.phraseRange = phraseRange
        self.sentenceRange = sentenceRange
    }

    enum CodingKeys: String, CodingKey {
        case subject, labels, state, phrase
        case phraseRange = "phrase_range"
        case sentenceRange = "sentence_range"
    }
}

/// A word that only makes sense beside an earlier image: "unchanged", "compared to prior".
public struct ComparisonStatement: Sendable, Codable, Equatable {
    public var phrase: String
    public var phraseRange: TextRange
    public var sentenceRange: TextRange

    public init(phrase: String, phraseRange: TextRange, sentenceRange: TextRange) {
        self.phrase = phrase
        self.phraseRange = phraseRange
        self.sentenceRange = sentenceRange
    }

    enum CodingKeys: String, CodingKey {
        case phrase
        case phraseRange = "phrase_range"
        case sentenceRange = "sentence_range"
    }
}

/// Text to the fourteen labels: the rules of ReportLabeler, or a model (CheXbert) that a bundle brings.
public protocol TextLabeler: Sendable {
    /// As it stands in a draft's provenance: what labelled, and in which version.
    var name: String { get }

    /// - Parameter text: a findings section or a whole report, without machine marks.
    func label(_ text: String) throws -> LabeledReport
}

/// A report text after labelling: the fourteen labels and the places they come from. A labeler that reads the report as a whole
/// fills the labels alone; one that reads sentence by sentence adds a mention for each sentence and state.
public struct LabeledReport: Sendable, Codable, Equatable {
    public struct Entry: Sendable, Codable, Equatable {
        public var label: FindingLabel
        public var state: LabelState

        public init(label: FindingLabel, state: LabelState) {
            self.label = label
            self.state = state
        }
    }

    /// All fourteen, in the order of `FindingLabel.allCases`.
    public var labels: [Entry]
    /// In the order of the text.
    public var mentions: [Mention]
    public var comparisons: [ComparisonStatement]
    /// The text or its mentions went over `FindingLabeler.Limits`; what lies behind was not read.
    public var isTruncated: Bool

    public init(labels: [Entry], mentions: [Mention], comparisons: [ComparisonStatement], isTruncated: Bool) {
        self.labels = labels
        self.mentions = mentions
        self.comparisons = comparisons
        self.isTruncated = isTruncated
    }

    /// Of a labeler that says nothing of places.
    ///
    /// - Parameter states: a label that is missing is blank.
    public init(states: [FindingLabel: LabelState]) {
        self.init(labels: FindingLabel.allCases.map { Entry(label: $0, state: states[$0] ?? .blank) }, mentions: [], comparisons: [], isTruncated: false)
    }

    public subscript(label: FindingLabel) -> LabelState {
        labels.first { $0.label == label }?.state ?? .blank
    }

    /// The first mention that names `label` with its aggregated state: the one a flag points at.
    public func evidence(for label: FindingLabel) -> Mention? {
        let state = self[label]
        return mentions.first { ($0.subject == .finding || $0.subject == .unchangedAnatomy) && $0.state == state && $0.labels.contains(label) }
    }

    enum CodingKeys: String, CodingKey {
        case labels, mentions, comparisons
        case isTruncated = "truncated"
    }
}
