public import ReportModel

/// Report text to the fourteen CheXpert labels, by rules: sentences, mentions, denial and doubt, aggregation. The stages are
/// those of the CheXpert labeler (Irvin et al. 2019) and NegBio (Peng et al. 2018); tables and code are our own. English only.
///
/// Time and memory are linear in the text; no text is an error. See docs/labeler.md.
public struct FindingLabeler: TextLabeler {
    public struct Limits: Sendable {
        /// UTF-8 bytes that are read. A chest report has 1 to 5 kB.
        public var bytes: Int
        /// Mentions, and comparisons, that are kept.
        public var mentions: Int

        public init(bytes: Int = 1 << 20, mentions: Int = 2_000) {
            self.bytes = bytes
            self.mentions = mentions
        }
    }

    public var limits: Limits
    /// The number goes up when a change of the tables or rules changes labels.
    public var name: String { "rules 1" }

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Labels `text`: a findings section, an impression, or a whole report. Text under headings like "INDICATION:" says nothing
    /// about the image and is not labelled.
    public func label(_ text: String) -> LabeledReport {
        var bytes = Array(text.utf8.prefix(limits.bytes))
        var isTruncated = text.utf8.count > limits.bytes
        // Not through the middle of a character.
        if isTruncated { while let last = bytes.last, last >= 0x80 { bytes.removeLast() } }
        var tokenizer = Tokenizer(bytes)
        let tokenized = tokenizer.run()
        let tables = Tables.shared
        let atoms = tokenized.words.map(tables.vocabulary.atoms(of:))
        var splitter = SentenceSplitter(tokenized)

        var mentions: [Mention] = []
        var comparisons: [ComparisonStatement] = []
        for sentence in splitter.run() {
            guard mentions.count < limits.mentions, comparisons.count < limits.mentions else {
                isTruncated = true
                break
            }
            let text = SentenceText(bytes: bytes, sentence: sentence)
            if sentence.section == .described {
                mentions += SentenceLabeler(AnalyzedSentence(sentence, atoms: atoms, tables: tables), isQuestion: sentence.isQuestion).mentions(in: text)
            }
            comparisons += ComparisonWords(sentence, atoms: atoms, tables: tables).statements(in: text)
        }
        return LabeledReport(labels: Aggregation.labels(of: mentions), mentions: mentions, comparisons: comparisons, isTruncated: isTruncated)
    }
}

/// All phrase tables over one vocabulary, built once.
struct Tables: Sendable {
    static let shared = Tables()

    let vocabulary: Vocabulary
    let mentions: PhraseTable<MentionMeaning>
    let cues: PhraseTable<Cue>
    let comparisons: PhraseTable<Bool>
    let requests: PhraseTable<Bool>
    let parts: PhraseTable<Bool>

    private init() {
        var vocabulary = Vocabulary()
        mentions = PhraseTable(MentionPhrases.table, vocabulary: &vocabulary)
        cues = PhraseTable(CuePhrases.table, vocabulary: &vocabulary)
        comparisons = PhraseTable(ComparisonPhrases.table, vocabulary: &vocabulary)
        requests = PhraseTable(ComparisonPhrases.requests, vocabulary: &vocabulary)
        parts = PhraseTable([(true, "otherwise, remaining, remainder, rest, elsewhere, left, right, upper, lower, except, aside, apart, other, mid, apices")], vocabulary: &vocabulary)
        self.vocabulary = vocabulary
    }
}

/// Bytes of the text under a sentence, for the phrases that mentions keep.
struct SentenceText {
    let bytes: [UInt8]
    let sentence: Sentence

    var range: TextRange { TextRange(start: sentence.start, end: sentence.end) }

    func phrase(at index: Int, count: Int) -> (text: String, range: TextRange) {
        let range = TextRange(start: sentence.tokens[index].start, end: sentence.tokens[index + count - 1].end)
        return (String(decoding: bytes[range.start..<range.end], as: UTF8.self), range)
    }
}
