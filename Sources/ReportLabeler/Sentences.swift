/// A sentence: word and mark tokens of one statement, without line ends, bullets and enumeration numbers.
struct Sentence {
    var tokens: [Token]
    var start: Int
    var end: Int
    var section: Section
    /// The sentence ended with "?".
    var isQuestion: Bool

    /// What the nearest heading above says of this text.
    enum Section {
        /// Findings, impression, or no heading at all.
        case described
        /// Indication, history, technique: words about the request, not about the image.
        case background
        /// "COMPARISON: ..."
        case comparison
    }
}

/// Tokens to sentences. A full stop ends one unless it belongs to a number, an enumeration or an abbreviation; so do ";",
/// an empty line, a bullet, a heading, and the end of a short line before a capital (reports are often lines without stops).
struct SentenceSplitter {
    /// Scopes never reach further; a longer "sentence" is cut here.
    static let longestSentence = 120
    /// A line of fewer bytes was ended on purpose, not wrapped.
    static let shortLine = 60

    private let text: TokenizedText
    private var sentences: [Sentence] = []
    private var current: [Token] = []
    private var section = Sentence.Section.described
    private var lineStart = 0

    init(_ text: TokenizedText) {
        self.text = text
    }

    mutating func run() -> [Sentence] {
        let tokens = text.tokens
        for index in tokens.indices {
            let token = tokens[index]
            switch token.kind {
            case .period:
                if !isAbbreviation(before: index) { close(at: token.end) }
            case .semicolon: close(at: token.end)
            case .question: close(at: token.end, isQuestion: true)
            case .blankLine, .bullet:
                close(at: token.start)
                if token.kind == .blankLine { lineStart = token.end }
            case .newline:
                let next = index + 1 < tokens.count ? tokens[index + 1] : nil
                if let next, next.startsUpperCase || next.kind == .bullet || isEnumeration(at: index + 1), token.start - lineStart < Self.shortLine {
                    close(at: token.start)
                } else if isEnumeration(at: index + 1) {
                    close(at: token.start)
                }
                lineStart = token.end
            case .colon:
                if let heading = heading(current) {
                    current.removeAll(keepingCapacity: true)
                    section = heading
                } else {
                    current.append(token)
                }
            case .word, .comma, .bracket, .dash, .slash, .questionPrefix: current.append(token)
            }
            if current.count >= Self.longestSentence { close(at: token.end) }
        }
        close(at: tokens.last?.end ?? 0)
        return sentences
    }

    private mutating func close(at end: Int, isQuestion: Bool = false) {
        defer { current.removeAll(keepingCapacity: true) }
        // "1." and "2)" before a statement are no statement.
        while let first = current.first, (first.kind != .word && first.kind != .questionPrefix) || (current.count == 1 && isNumber(first)) { current.removeFirst() }
        guard let first = current.first, let last = current.last else { return }
        sentences.append(Sentence(tokens: current, start: first.start, end: max(end, last.end), section: section, isQuestion: isQuestion))
    }

    private func word(_ token: Token) -> String { token.word >= 0 ? text.words[token.word] : "" }
    private func isNumber(_ token: Token) -> Bool { token.kind == .word && word(token).utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E } }

    /// "2." or "2)" at `index`, a new item of a list.
    private func isEnumeration(at index: Int) -> Bool {
        guard index + 1 < text.tokens.count, isNumber(text.tokens[index]), word(text.tokens[index]).utf8.count <= 2 else { return false }
        return text.tokens[index + 1].kind == .period || text.tokens[index + 1].kind == .bracket
    }

    private func isAbbreviation(before index: Int) -> Bool {
        guard let last = current.last, last.kind == .word, last.end == text.tokens[index].start else { return false }
        return Self.abbreviations.contains(word(last))
    }

    private static let abbreviations: Set<String> = ["dr", "mr", "mrs", "ms", "vs", "approx", "eg", "ie", "cf", "st", "e", "g", "i", "fig"]

    /// The section a heading of these words opens; nil where they are no heading ("Lungs: ...").
    private func heading(_ tokens: [Token]) -> Sentence.Section? {
        guard (1...5).contains(tokens.count), tokens.allSatisfy({ $0.kind == .word || $0.kind == .slash }) else { return nil }
        let words = tokens.filter { $0.kind == .word }.map(word)
        guard let last = words.last else { return nil }
        if Self.describedHeadings.contains(last) { return .described }
        if words.contains(where: { $0.hasPrefix("comparison") }) { return .comparison }
        if words.contains(where: Self.backgroundHeadings.contains) { return .background }
        return nil
    }

    private static let describedHeadings: Set<String> = ["findings", "finding", "impression", "impressions", "conclusion", "conclusions", "report", "opinion", "interpretation", "observations"]
    private static let backgroundHeadings: Set<String> = [
        "indication", "indications", "history", "reason", "technique", "procedure", "examination", "exam", "study", "views", "view", "symptoms", "recommendation", "recommendations", "accession",
    ]
}
