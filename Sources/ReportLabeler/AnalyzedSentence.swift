/// A sentence with its mentions and cues found, before anything is decided.
struct AnalyzedSentence {
    struct MentionSpan {
        var meaning: MentionMeaning
        var start: Int
        var count: Int
        var isAnatomy: Bool { meaning.kind == .anatomy || meaning.kind == .normalAnatomy }
        /// Holds its own negation, which goes on behind it: "no acute disease, effusion or pneumothorax".
        var isStatement: Bool { meaning.kind == .normality }
    }
    struct CueSpan {
        var cue: Cue
        var count: Int
    }

    let tokens: [Token]
    private(set) var mentions: [MentionSpan] = []
    /// By the token a span begins at.
    private(set) var mentionStart: [MentionSpan?]
    private(set) var cueStart: [CueSpan?]
    /// Inside a mention that is no statement.
    private(set) var isInsideMention: [Bool]
    /// Names one side, one zone, or all but something: "the remaining lungs are clear".
    let namesPart: Bool

    init(_ sentence: Sentence, atoms: [[Int]], tables: Tables) {
        let tokens = sentence.tokens
        self.tokens = tokens
        namesPart = tokens.indices.contains { tables.parts.longestMatch(at: $0, in: tokens, atoms: atoms) != nil }
        mentionStart = [MentionSpan?](repeating: nil, count: tokens.count)
        cueStart = [CueSpan?](repeating: nil, count: tokens.count)
        isInsideMention = [Bool](repeating: false, count: tokens.count)
        var index = 0
        while index < tokens.count {
            guard let (meaning, count) = tables.mentions.longestMatch(at: index, in: tokens, atoms: atoms) else {
                index += 1
                continue
            }
            let span = MentionSpan(meaning: meaning, start: index, count: count)
            // "rib fracture", "pleural mass": the anatomy only says where.
            if let last = mentions.last, last.isAnatomy, last.start + last.count == index, !span.isAnatomy, !span.isStatement {
                mentions.removeLast()
                mentionStart[last.start] = nil
                for inner in last.start..<index { isInsideMention[inner] = false }
            }
            mentionStart[index] = span
            if !span.isStatement { for inner in index..<(index + count) { isInsideMention[inner] = true } }
            mentions.append(span)
            index += count
        }
        index = 0
        while index < tokens.count {
            guard !isInsideMention[index] else {
                index += 1
                continue
            }
            var limit = index + 1
            while limit < tokens.count, !isInsideMention[limit] { limit += 1 }
            guard let (cue, count) = tables.cues.longestMatch(at: index, in: tokens, atoms: atoms, before: limit) else {
                index += 1
                continue
            }
            cueStart[index] = CueSpan(cue: directed(cue, at: index, count: count), count: count)
            index += count
        }
    }

    /// Words that stand on either side of what they speak of ("resolved effusion", "effusion resolved") look to the side where
    /// there is something.
    private func directed(_ cue: Cue, at index: Int, count: Int) -> Cue {
        guard cue == .denyBefore || cue == .doubtBefore || cue == .doubtPhrase || cue == .doubtDespiteNegation || cue == .negate || cue == .judgement(.normal) else { return cue }
        let first = mentions.first?.start ?? Int.max, last = mentions.last?.start ?? -1
        switch cue {
        case .denyBefore where first > index: return .negate
        case .doubtBefore where first > index: return .doubtPhrase
        case .doubtDespiteNegation where first < index && last < index && index + count == tokens.count: return .doubtBefore
        case .doubtPhrase where first < index && last < index && (index + count == tokens.count || tokens[index + count].kind != .word): return .doubtBefore
        // "expanded and clear airspace disease": the "of" was lost in dictation.
        case .judgement(.normal) where index + count < tokens.count && mentionStart[index + count]?.meaning.kind == .finding
            && mentions.contains { $0.isAnatomy && $0.start < index }: return .clearOf
        case .negate where index + count == tokens.count && first < index: return .denyBefore
        default: return cue
        }
    }

    /// An anatomy stands within the next few words: "..., normal heart size".
    func isAnatomySoon(after index: Int) -> Bool {
        for position in index..<min(index + 4, tokens.count) {
            if let mention = mentionStart[position] { return mention.isAnatomy }
        }
        return false
    }
}
