import ReportModel

/// Decides each mention of one sentence: stated, denied, weighed.
struct SentenceLabeler {
    private let sentence: AnalyzedSentence
    private let scopes: Scopes
    private let judgements: Judgements
    private let isQuestion: Bool

    init(_ sentence: AnalyzedSentence, isQuestion: Bool) {
        self.sentence = sentence
        self.isQuestion = isQuestion
        scopes = Scopes(sentence)
        judgements = Judgements(sentence, scopes: scopes)
    }

    func mentions(in text: SentenceText) -> [Mention] {
        var result: [Mention] = []
        for span in sentence.mentions {
            let (phrase, range) = text.phrase(at: span.start, count: span.count)
            func add(_ subject: Mention.Subject, _ labels: [FindingLabel], _ state: LabelState) {
                result.append(Mention(subject: subject, labels: labels, state: state, phrase: phrase, phraseRange: range, sentenceRange: text.range))
            }
            switch span.meaning.kind {
            case .nothing: break
            case .finding:
                let state = stateOfFinding(at: span.start)
                if !span.meaning.labels.isEmpty { add(.finding, span.meaning.labels, state) }
                if !span.meaning.weighed.isEmpty { add(.finding, span.meaning.weighed, state == .positive ? .uncertain : state) }
            case .otherAbnormality: add(.otherAbnormality, [], stateOfFinding(at: span.start))
            case .anatomy:
                switch judgements.byMention[span.start] {
                case .normal: add(.finding, span.meaning.labels + span.meaning.weighed, .negative)
                case .enlarged: add(.finding, span.meaning.labels + span.meaning.weighed, isQuestion ? .uncertain : .positive)
                case .borderline, .unclear: add(.finding, span.meaning.labels, .uncertain)
                case .stable: add(.unchangedAnatomy, span.meaning.labels, .uncertain)
                case nil: break
                }
            case .normalAnatomy:
                switch judgements.byMention[span.start] {
                case .normal: add(.normality, sentence.namesPart ? [] : span.meaning.labels, .positive)
                case .enlarged: add(.otherAbnormality, [], .positive)
                case .borderline, .stable, .unclear, nil: break
                }
            case .normality: add(.normality, sentence.namesPart ? [] : span.meaning.labels, .positive)
            }
        }
        return result
    }

    private func stateOfFinding(at index: Int) -> LabelState {
        if scopes.isDoubtedDespiteNegation[index] { return .uncertain }
        if scopes.isDenied[index] { return scopes.isDoubtedFromBehind[index] ? .uncertain : .negative }
        if scopes.isDeniedFromBehind[index] { return .negative }
        if scopes.isDoubted[index] || scopes.isDoubtedFromBehind[index] || isQuestion { return .uncertain }
        return .positive
    }
}

/// Mentions to labels.
enum Aggregation {
    /// A label is positive if any mention states it, else uncertain if any weighs it, else negative if any denies it.
    /// No Finding is positive if the text says something is healthy and nothing but devices is stated or weighed; else blank.
    static func labels(of mentions: [Mention]) -> [LabeledReport.Entry] {
        var states: [FindingLabel: LabelState] = [:]
        for mention in mentions where mention.subject == .finding || mention.subject == .unchangedAnatomy {
            for label in mention.labels where rank(mention.state) > rank(states[label] ?? .blank) { states[label] = mention.state }
        }
        let isAbnormal = mentions.contains {
            (($0.subject == .finding && $0.labels != [.supportDevices]) || $0.subject == .otherAbnormality) && ($0.state == .positive || $0.state == .uncertain)
        }
        let saysHealthy = mentions.contains { $0.subject == .normality || ($0.subject == .finding && $0.state == .negative && $0.labels != [.supportDevices]) }
        states[.noFinding] = saysHealthy && !isAbnormal ? .positive : .blank
        return FindingLabel.allCases.map { LabeledReport.Entry(label: $0, state: states[$0] ?? .blank) }
    }

    private static func rank(_ state: LabelState) -> Int {
        switch state {
        case .positive: 3
        case .uncertain: 2
        case .negative: 1
        case .blank: 0
        }
    }
}
