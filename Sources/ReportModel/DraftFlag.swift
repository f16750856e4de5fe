/// Something a reader should look at before signing: the draft's words and the classifier's scores do not go together, or
/// the draft speaks of an image it never saw. About the machine's text only; what makes it: docs/labeler.md.
public struct DraftFlag: Sendable, Codable, Equatable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The text denies what the classifier sees clearly, or states what it clearly does not see.
        case contradiction
        /// The classifier sees it, the text does not speak of it.
        case omission
        /// The text states what the classifier scores well under its threshold.
        case unsupported
        /// The text compares with an earlier image, and there was none.
        case comparisonWithoutPrior = "comparison_without_prior"
    }

    public var kind: Kind
    /// nil for a comparison.
    public var label: FindingLabel?
    /// What the text says of the label; nil for a comparison.
    public var textState: LabelState?
    /// The classifier's, and the bundle's; nil for a comparison.
    public var score: Double?
    public var threshold: Double?
    /// The sentence the flag points at, without machine marks; nil for an omission, and where only the whole report was labelled.
    public var sentence: String?
    /// Where the sentence stands in the draft's text, marks and all.
    public var sentenceRange: TextRange?
    /// The words of the sentence that were recognised.
    public var phrase: String?
    public var phraseRange: TextRange?

    public init(
        kind: Kind, label: FindingLabel? = nil, textState: LabelState? = nil, score: Double? = nil, threshold: Double? = nil,
        sentence: String? = nil, sentenceRange: TextRange? = nil, phrase: String? = nil, phraseRange: TextRange? = nil
    ) {
        self.kind = kind
        self.label = label
        self.textState = textState
        self.score = score
        self.threshold = threshold
        self.sentence = sentence
        self.sentenceRange = sentenceRange
        self.phrase = phrase
        self.phraseRange = phraseRange
    }

    enum CodingKeys: String, CodingKey {
        case kind, label, score, threshold, sentence, phrase
        case textState = "text_state"
        case sentenceRange = "sentence_range"
        case phraseRange = "phrase_range"
    }
}

extension DraftFlag.Kind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .contradiction: "contradiction"
        case .omission: "omission"
        case .unsupported: "unsupported statement"
        case .comparisonWithoutPrior: "comparison without an earlier image"
        }
    }

    fileprivate func counted(_ count: Int) -> String {
        if count == 1 { return "1 \(self)" }
        return self == .comparisonWithoutPrior ? "\(count) comparisons without an earlier image" : "\(count) \(self)s"
    }
}

extension DraftFlag: CustomStringConvertible {
    /// One line for a person: what, of which label, by which score, in which sentence. Quotes the draft: not for logs.
    public var description: String {
        var line = "\(kind)"
        if let label { line += ": \(label.rawValue)" }
        if let score, let threshold { line += " (score \(score.twoDigits), threshold \(threshold.twoDigits))" }
        if let sentence { line += ": \"\(sentence.split(whereSeparator: \.isWhitespace).joined(separator: " "))\"" }
        return line
    }
}

extension [DraftFlag] {
    /// Counts only: "2 (1 contradiction, 1 omission)", "none". Quotes nothing.
    public var summary: String {
        if isEmpty { return "none" }
        let kinds = DraftFlag.Kind.allCases.map { kind in (kind, count { $0.kind == kind }) }.filter { $0.1 > 0 }
        return "\(count) (\(kinds.map { $0.counted($1) }.joined(separator: ", ")))"
    }
}

extension Double {
    /// For people: 0.875 as "0.88". Scores and thresholds lie between 0 and 1.
    fileprivate var twoDigits: String {
        guard (0...1).contains(self) else { return "\(self)" }
        let hundredths = Int((self * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }
}
