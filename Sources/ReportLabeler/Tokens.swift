/// One word or mark of the text. Ranges are UTF-8 bytes of the original text.
struct Token {
    enum Kind: UInt8 {
        case word
        case comma
        /// ":" and brackets and free-standing dashes.
        case colon, bracket, dash
        /// "/" between words: "atelectasis/infiltrate".
        case slash
        case period, semicolon, question
        /// "?" right in front of a word: "?pneumonia".
        case questionPrefix
        case bullet
        /// A line ended here; `isBlankLine` says that an empty line follows.
        case newline, blankLine
    }

    var kind: Kind
    var start: Int
    var end: Int
    /// Index into `TokenizedText.words`; -1 for marks.
    var word: Int
    var startsUpperCase = false
}

struct TokenizedText {
    var tokens: [Token] = []
    /// Distinct words, lower case, British spellings and hyphens folded away.
    var words: [String] = []
}

/// Text to words and marks in one pass over its bytes. Lower-cases ASCII, splits at hyphens (so "air-space" is
/// "air space"), drops apostrophes ("can't" is "cant"), knows the typographic marks that word processors put in.
struct Tokenizer {
    /// A longer run of letters is no word of a report: it is cut here for the lookup, and still consumed whole.
    static let longestWord = 40

    private let bytes: [UInt8]
    private var result = TokenizedText()
    private var indices: [String: Int] = [:]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func run() -> TokenizedText {
        while position < bytes.count {
            let start = position
            switch classify(position) {
            case .letter: readWord()
            case .digit: readWord()
            case .space, .joiner: position += width(position)
            case .newline: readNewlines()
            case .hyphen(let count):
                position += count
                // Between letters a hyphen is nothing; in free space it is a dash; at a line's start, a bullet.
                let before = start > 0 ? bytes[start - 1] : 0x20, after = position < bytes.count ? bytes[position] : 0x20
                if Self.isSpace(before) || Self.isSpace(after) {
                    append(isAtLineStart ? .bullet : .dash, start)
                }
            case .bullet(let count):
                position += count
                append(.bullet, start)
            case .apostrophe(let count), .other(let count): position += count
            case .mark(let kind):
                position += 1
                append(kind, start)
            }
        }
        return result
    }

    // MARK: Characters

    private enum Class {
        case letter, digit, space, newline, joiner
        case hyphen(Int), bullet(Int), apostrophe(Int), other(Int)
        case mark(Token.Kind)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private func classify(_ index: Int) -> Class {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): return .letter
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return .digit
        case 0x0A, 0x0D: return .newline
        case UInt8(ascii: ","): return .mark(.comma)
        case UInt8(ascii: ";"): return .mark(.semicolon)
        case UInt8(ascii: ":"): return .mark(.colon)
        case UInt8(ascii: "/"): return .mark(.slash)
        case UInt8(ascii: "."), UInt8(ascii: "!"): return .mark(.period)
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"): return .mark(.bracket)
        case UInt8(ascii: "?"):
            return .mark(index + 1 < bytes.count && !Self.isSpace(bytes[index + 1]) && (bytes[index + 1] | 0x20) >= 0x61 ? .questionPrefix : .question)
        case UInt8(ascii: "-"): return .hyphen(1)
        case UInt8(ascii: "*"): return .bullet(1)
        case UInt8(ascii: "'"): return .apostrophe(1)
        case 0..<0x80: return .space
        default: return classifyWide(index)
        }
    }

    /// The few characters beyond ASCII that reports hold: typographic spaces, dashes, quotes and bullets. All others are letters.
    private func classifyWide(_ index: Int) -> Class {
        let second = index + 1 < bytes.count ? bytes[index + 1] : 0
        let third = index + 2 < bytes.count ? bytes[index + 2] : 0
        switch (bytes[index], second, third) {
        case (0xC2, 0xA0, _): return .space  // no-break space
        case (0xC2, 0xAD, _): return .joiner  // soft hyphen
        case (0xC2, 0xB7, _): return .bullet(2)  // middle dot
        case (0xC2, 0x80...0xBF, _): return .other(2)  // Latin-1 signs
        case (0xCA, 0xBC, _): return .apostrophe(2)
        case (0xE2, 0x80, 0x8B...0x8D), (0xE2, 0x81, 0xA0), (0xEF, 0xBB, 0xBF): return .joiner  // zero width
        case (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xAF), (0xE3, 0x80, 0x80): return .space
        case (0xE2, 0x80, 0xA8...0xA9): return .newline  // line and paragraph separator
        case (0xE2, 0x80, 0x90...0x95), (0xE2, 0x88, 0x92): return .hyphen(3)
        case (0xE2, 0x80, 0x98...0x99): return .apostrophe(3)
        case (0xE2, 0x80, 0xA2), (0xE2, 0x97, 0x8F), (0xE2, 0x96, 0xAA): return .bullet(3)
        case (0xE2, 0x80, 0x9A...0xBF): return .other(3)
        default: return .letter
        }
    }

    /// Bytes of the character at `index`; text is valid UTF-8, a stray byte counts as one.
    private func width(_ index: Int) -> Int {
        switch bytes[index] {
        case 0..<0xC0: 1
        case 0xC0..<0xE0: min(2, bytes.count - index)
        case 0xE0..<0xF0: min(3, bytes.count - index)
        default: min(4, bytes.count - index)
        }
    }

    private var isAtLineStart: Bool {
        guard let last = result.tokens.last else { return true }
        return last.kind == .newline || last.kind == .blankLine
    }

    // MARK: Words

    private mutating func readWord() {
        let start = position
        var text: [UInt8] = []
        scan: while position < bytes.count {
            let count = width(position)
            switch classify(position) {
            case .letter:
                if bytes[position] < 0x80 {
                    text.append(bytes[position] | 0x20)
                } else {
                    text.append(contentsOf: Self.folded(bytes[position..<(position + count)]))
                }
                position += count
            case .digit:
                text.append(bytes[position])
                position += 1
            case .joiner: position += count
            case .apostrophe(let count):
                guard position + count < bytes.count, case .letter = classify(position + count) else { break scan }
                position += count
            case .mark(.period):
                // A decimal point stays inside its number.
                guard let last = text.last, (0x30...0x39).contains(last), position + 1 < bytes.count, case .digit = classify(position + 1) else { break scan }
                text.append(bytes[position])
                position += 1
            case .mark(.slash):
                // "w/o", "s/p", "r/o", "h/o", "c/w": one letter on each side.
                guard position - start == 1, position + 1 < bytes.count, case .letter = classify(position + 1),
                    position + 2 >= bytes.count || !isWordCharacter(position + 2), "swrhc".utf8.contains(text[0])
                else { break scan }
                text.append(bytes[position])
                position += 1
            default: break scan
            }
        }
        let word = Spelling.normalized(String(decoding: text.prefix(Self.longestWord), as: UTF8.self))
        let index = indices[word] ?? {
            let new = result.words.count
            result.words.append(word)
            indices[word] = new
            return new
        }()
        let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(bytes[start])
        result.tokens.append(Token(kind: .word, start: start, end: position, word: index, startsUpperCase: isUpper))
    }

    private func isWordCharacter(_ index: Int) -> Bool {
        switch classify(index) {
        case .letter, .digit: true
        default: false
        }
    }

    /// The two ligatures of British medical spelling; other characters stay as they are.
    private static func folded(_ character: ArraySlice<UInt8>) -> [UInt8] {
        switch Array(character) {
        case [0xC5, 0x93], [0xC5, 0x92]: Array("oe".utf8)
        case [0xC3, 0xA6], [0xC3, 0x86]: Array("ae".utf8)
        default: Array(character)
        }
    }

    private mutating func readNewlines() {
        let start = position
        var lines = 0
        while position < bytes.count {
            if bytes[position] == 0x0D, position + 1 < bytes.count, bytes[position + 1] == 0x0A { position += 1 }
            if case .newline = classify(position) {
                lines += 1
                position += width(position)
            } else if Self.isSpace(bytes[position]) {
                position += 1
            } else {
                break
            }
        }
        result.tokens.append(Token(kind: lines > 1 ? .blankLine : .newline, start: start, end: position, word: -1))
    }

    private mutating func append(_ kind: Token.Kind, _ start: Int) {
        result.tokens.append(Token(kind: kind, start: start, end: position, word: -1))
    }
}

/// British spellings, folded to the American ones the tables are written in.
enum Spelling {
    static func normalized(_ word: String) -> String {
        if let exact = exact[word] { return exact }
        for (british, american) in beginnings where word.hasPrefix(british) {
            return american + word.dropFirst(british.count)
        }
        return word
    }

    private static let beginnings = [
        ("oedema", "edema"), ("oesophag", "esophag"), ("haem", "hem"), ("pneumohaem", "pneumohem"), ("tumour", "tumor"), ("anaem", "anem"), ("ischaem", "ischem"),
        ("calibre", "caliber"), ("grey", "gray"), ("visualis", "visualiz"), ("catheteris", "catheteriz"), ("localis", "localiz"),
    ]
    private static let exact = ["centre": "center", "centred": "centered"]
}
