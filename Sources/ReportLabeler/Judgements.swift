/// What one sentence says of each anatomy it names: "the heart size and mediastinal contours are normal", "borderline heart".
struct Judgements {
    /// By the anatomy's first token; absent where nothing was said.
    private(set) var byMention: [Int: Judgement] = [:]

    /// - Parameter scopes: a judgement that is denied ("not enlarged") or doubted ("may be enlarged") turns.
    init(_ sentence: AnalyzedSentence, scopes: Scopes) {
        var pending: [Int] = []
        /// "normal" in "normal heart size and mediastinal contours": said before anything it could be said of.
        var inFront: Judgement?
        var index = 0
        while index < sentence.tokens.count {
            if let mention = sentence.mentionStart[index], !mention.isStatement {
                if mention.isAnatomy {
                    pending.removeAll { byMention[$0] != nil && byMention[$0] != .stable }
                    pending.append(index)
                    if let inFront { byMention[index] = inFront }
                } else {
                    inFront = nil
                }
                index += mention.count
                continue
            }
            guard let span = sentence.cueStart[index] else {
                switch sentence.tokens[index].kind {
                case .comma: pending.removeAll { byMention[$0] != nil && byMention[$0] != .stable }
                case .dash:
                    pending = []
                    inFront = nil
                default: break
                }
                index += 1
                continue
            }
            switch span.cue {
            case .judgement(let word):
                // "lungs without large effusion": said of the effusion.
                let next = index + span.count
                if next < sentence.tokens.count, let mention = sentence.mentionStart[next], !mention.isAnatomy { break }
                say(Self.turned(word, at: index, sentence, scopes))
            case .clearOf: say(.normal)
            case .stop, .with:
                pending = pending.filter { byMention[$0] == nil || byMention[$0] == .stable }
                inFront = nil
            case .verb, .perceived, .preposition: inFront = nil
            default: break
            }
            index += span.count
        }

        func say(_ judgement: Judgement?) {
            guard let judgement else { return }
            guard !pending.isEmpty else {
                inFront = judgement
                return
            }
            for subject in pending {
                switch (byMention[subject], judgement) {
                case (nil, _), (.stable, _): byMention[subject] = judgement
                case (.normal, .enlarged), (.normal, .borderline): byMention[subject] = .borderline
                case (.borderline, _), (.normal, _), (.enlarged, _), (.unclear, _): break
                }
            }
        }
    }

    /// nil: the words say nothing ("no longer stable").
    private static func turned(_ word: Judgement, at index: Int, _ sentence: AnalyzedSentence, _ scopes: Scopes) -> Judgement? {
        // Only a negation right in front turns a judgement: "not significantly enlarged", but "no effusion or heart enlarged".
        if scopes.isDenied[index], (max(0, index - 3)..<index).contains(where: { sentence.cueStart[$0]?.cue == .negate }) {
            switch word {
            case .enlarged, .borderline: return .normal
            case .normal: return .enlarged
            case .stable, .unclear: return nil
            }
        }
        if scopes.isDoubted[index] && word == .enlarged { return .borderline }
        return word
    }
}
