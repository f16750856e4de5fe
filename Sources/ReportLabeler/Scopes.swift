/// Where the denials and doubts of one sentence reach. One pass forward and one backward, so the work is linear in the sentence.
struct Scopes {
    /// Per token: what a cue in front of it says.
    private(set) var isDenied: [Bool]
    private(set) var isDoubted: [Bool]
    private(set) var isDoubtedDespiteNegation: [Bool]
    /// Per token: what a cue behind it says.
    private(set) var isDeniedFromBehind: [Bool]
    private(set) var isDoubtedFromBehind: [Bool]

    private let sentence: AnalyzedSentence

    init(_ sentence: AnalyzedSentence) {
        self.sentence = sentence
        let none = [Bool](repeating: false, count: sentence.tokens.count)
        (isDenied, isDoubted, isDoubtedDespiteNegation, isDeniedFromBehind, isDoubtedFromBehind) = (none, none, none, none, none)
        markForward()
        markBackward()
    }

    // MARK: Cues in front

    private struct Scope {
        var holdsMention = false
        var verbSeen = false
    }

    private mutating func markForward() {
        var denial: Scope?
        var doubt: Scope?
        var doubtReachesClause = false
        var despite = false
        var index = 0
        while index < sentence.tokens.count {
            if let mention = sentence.mentionStart[index], !mention.isStatement {
                // An anatomy opens a new statement after a list: "no effusion, heart size normal".
                mark(index..<(index + mention.count), denial != nil, doubt != nil, despite)
                denial?.holdsMention = true
                doubt?.holdsMention = true
                index += mention.count
                continue
            }
            let span = sentence.cueStart[index]
            let count = span?.count ?? 1
            switch span?.cue {
            case .negate?, .clearOf?:
                denial = Scope()
                doubt = nil
                despite = false
            case .doubtPhrase?, .doubtClause?:
                if denial == nil || denial?.verbSeen == true && denial?.holdsMention == true {
                    denial = nil
                    doubt = Scope()
                    doubtReachesClause = span?.cue == .doubtClause
                }
            case .doubtDespiteNegation?:
                denial = nil
                doubt = Scope()
                doubtReachesClause = true
                despite = true
            case .stop?:
                denial = nil
                doubt = nil
                despite = false
            case .with?:
                if denial?.holdsMention == true { denial = nil }
                if doubt?.holdsMention == true, !(doubtReachesClause && orFollows(index + 1, acrossWith: true)) { doubt = nil }
            case .verb?:
                if denial?.holdsMention == true { denial?.verbSeen = true }
                if doubt?.holdsMention == true { doubt = nil }
            case .preposition?:
                if doubt?.holdsMention == true, !doubtReachesClause { doubt = nil }
            case .determiner?:
                // "no effusion there is ..." without a comma
                if denial?.verbSeen == true { denial = nil }
            case .and?:
                if !goesOn(after: index, verbSeen: denial?.verbSeen == true, isComma: false) { denial = nil }
                if doubt?.holdsMention == true, !doubtReachesClause || !goesOn(after: index, verbSeen: false, isComma: false) { doubt = nil }
            case .judgement?, .assertive?, .perceived?, .or?, .denyBefore?, .doubtBefore?, Cue.none?: break
            case nil:
                switch sentence.tokens[index].kind {
                case .comma:
                    if !goesOn(after: index, verbSeen: denial?.verbSeen == true, isComma: true) { denial = nil }
                    if doubt?.holdsMention == true, !orFollows(index + 1, acrossWith: doubtReachesClause) { doubt = nil }
                case .colon, .dash:
                    denial = nil
                    doubt = nil
                    despite = false
                case .questionPrefix:
                    if denial == nil { doubt = Scope() }
                    doubtReachesClause = false
                case .bracket:
                    if doubt?.holdsMention == true { doubt = nil }
                default: break
                }
            }
            mark(index..<(index + count), denial != nil, doubt != nil, despite && doubt != nil)
            for inner in (index + 1)..<max(index + 1, index + count) where sentence.mentionStart[inner] != nil {
                denial?.holdsMention = true
                doubt?.holdsMention = true
            }
            index += count
        }
    }

    private mutating func mark(_ range: Range<Int>, _ denied: Bool, _ doubted: Bool, _ despite: Bool) {
        for index in range where index < isDenied.count {
            isDenied[index] = denied
            isDoubted[index] = doubted
            isDoubtedDespiteNegation[index] = despite
        }
    }

    /// Whether a negated list goes on behind the comma or "and" at `index`.
    private func goesOn(after index: Int, verbSeen: Bool, isComma: Bool) -> Bool {
        if verbSeen { return false }
        var next = index + 1
        while next < sentence.tokens.count {
            if sentence.tokens[next].kind == .comma { next += 1; continue }
            if let cue = sentence.cueStart[next]?.cue {
                if cue == .or || cue == .negate { return true }
                if cue == .and { next += 1; continue }
            }
            break
        }
        guard next < sentence.tokens.count else { return true }
        if let mention = sentence.mentionStart[next], mention.isAnatomy || mention.isStatement { return false }
        switch sentence.cueStart[next]?.cue {
        case .determiner?, .stop?, .verb?, .clearOf?, .doubtDespiteNegation?: return false
        case .assertive?, .judgement?, .doubtPhrase?, .doubtClause?: return orFollows(next) && !sentence.isAnatomySoon(after: next)
        default: break
        }
        return !clauseStarts(at: next)
    }

    /// An "or" comes before the clause ends.
    private func orFollows(_ start: Int, acrossWith: Bool = false) -> Bool {
        var index = start
        while index < min(sentence.tokens.count, start + 25) {
            if let span = sentence.cueStart[index] {
                switch span.cue {
                case .or: return true
                case .stop, .verb, .negate, .denyBefore: return false
                case .with where !acrossWith: return false
                default: break
                }
                index += span.count
            } else {
                if sentence.tokens[index].kind == .slash { return true }
                index += 1
            }
        }
        return false
    }

    /// The words from `start` to the next comma or conjunction hold a verb that says more than "is seen", or a judgement:
    /// "no effusion and the aorta is tortuous".
    private func clauseStarts(at start: Int) -> Bool {
        var index = start
        while index < min(sentence.tokens.count, start + 15) {
            if let mention = sentence.mentionStart[index] {
                if mention.isAnatomy { return true }
                index += mention.count
                continue
            }
            guard let span = sentence.cueStart[index] else {
                if sentence.tokens[index].kind == .comma || sentence.tokens[index].kind == .colon { return false }
                index += 1
                continue
            }
            switch span.cue {
            case .verb:
                let after = index + span.count
                return after >= sentence.tokens.count || sentence.cueStart[after]?.cue != .perceived
            case .and, .or, .stop, .with, .negate, .perceived: return false
            case .denyBefore, .doubtBefore: return span.cue == .doubtBefore
            default: index += span.count
            }
        }
        return false
    }

    // MARK: Cues behind

    private mutating func markBackward() {
        var active: Cue?
        var isJudgement = false
        var holdsMention = false
        var index = sentence.tokens.count - 1
        while index >= 0 {
            defer { index -= 1 }
            if sentence.isInsideMention[index] {
                // A judgement goes to the anatomy it meets first, and no further.
                if isJudgement, sentence.mentionStart[index]?.isAnatomy == true { active = nil }
                if active == .denyBefore { isDeniedFromBehind[index] = true }
                if active == .doubtBefore { isDoubtedFromBehind[index] = true }
                if sentence.mentionStart[index] != nil { holdsMention = active != nil }
                continue
            }
            if let span = sentence.cueStart[index] {
                switch span.cue {
                case .denyBefore, .doubtBefore:
                    active = span.cue
                    holdsMention = false
                    isJudgement = false
                // "engorgement appears within normal limits"
                case .judgement(.normal) where index > 0 && sentence.cueStart[index - 1]?.cue == .verb:
                    active = .denyBefore
                    holdsMention = false
                    isJudgement = true
                case .stop, .negate, .clearOf, .doubtDespiteNegation: active = nil
                case .verb, .with: if holdsMention { active = nil }
                case .and: if holdsMention, !isList(before: index) { active = nil }
                case .determiner: break
                default: break
                }
            } else if sentence.tokens[index].kind == .comma, holdsMention, !isList(before: index) {
                active = nil
            } else if sentence.tokens[index].kind == .dash {
                active = nil
            }
        }
    }

    /// The words before the comma or "and" at `index`, back to the one before, are a mention without a verb.
    private func isList(before index: Int) -> Bool {
        var position = index - 1
        var holdsMention = false
        while position >= 0, position > index - 12 {
            if sentence.isInsideMention[position] {
                holdsMention = true
            } else if sentence.tokens[position].kind == .comma {
                return holdsMention
            } else if let cue = sentence.cueStart[position]?.cue {
                switch cue {
                case .and: return holdsMention
                case .verb, .stop, .negate, .with, .judgement, .denyBefore, .doubtBefore: return false
                default: break
                }
            }
            position -= 1
        }
        return holdsMention
    }
}
