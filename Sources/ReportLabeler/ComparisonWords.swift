import ReportModel

/// Finds the words of one sentence that presuppose an earlier image.
struct ComparisonWords {
    private let sentence: Sentence
    private var spans: [(start: Int, count: Int)] = []

    init(_ sentence: Sentence, atoms: [[Int]], tables: Tables) {
        self.sentence = sentence
        guard sentence.section != .background else { return }
        let tokens = sentence.tokens
        let isRequest = tokens.indices.contains { tables.requests.longestMatch(at: $0, in: tokens, atoms: atoms) != nil }
        if sentence.section == .comparison {
            // "COMPARISON: chest radiograph of yesterday" compares; "COMPARISON: none" does not.
            let saysNone = isRequest || tables.cues.longestMatch(at: 0, in: tokens, atoms: atoms).map { [.negate, .denyBefore, .none].contains($0.meaning) } == true
            if !saysNone { spans = [(0, tokens.count)] }
            return
        }
        var index = 0
        while index < tokens.count {
            guard let (namesStudy, count) = tables.comparisons.longestMatch(at: index, in: tokens, atoms: atoms) else {
                index += 1
                continue
            }
            if !(namesStudy && isRequest) { spans.append((index, count)) }
            index += count
        }
    }

    func statements(in text: SentenceText) -> [ComparisonStatement] {
        spans.map { span in
            let (phrase, range) = text.phrase(at: span.start, count: span.count)
            return ComparisonStatement(phrase: phrase, phraseRange: range, sentenceRange: text.range)
        }
    }
}
