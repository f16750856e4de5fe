internal import Foundation

/// The words that `bert-base-uncased` cuts into pieces, one by one, as the basic tokenizer of BERT's authors makes them: without control
/// characters, every ideograph and every punctuation mark a word of its own, in lower case, without accents.
///
/// Source: google-research/bert, `tokenization.py`, as Hugging Face's Python tokenizer has it. A long text costs only what is asked of it.
struct UncasedWords: Sequence, IteratorProtocol {
    typealias Scalars = [Unicode.Scalar]

    private var rest: Substring.UnicodeScalarView
    /// Words of what was read, in reverse.
    private var ready: [Scalars] = []

    init(_ text: String) {
        rest = Substring(text).unicodeScalars
    }

    mutating func next() -> Scalars? {
        while ready.isEmpty {
            guard let stretch = nextStretch() else { return nil }
            ready = Self.cutAtPunctuation(Self.withoutAccents(Self.lowerCased(stretch))).reversed()
        }
        return ready.removeLast()
    }

    /// What stands between spaces; an ideograph by itself.
    private mutating func nextStretch() -> Scalars? {
        var stretch: Scalars = []
        while let scalar = rest.first {
            switch Self.kind(scalar) {
            case .space:
                rest.removeFirst()
                if !stretch.isEmpty { return stretch }
            case .dropped: rest.removeFirst()
            case .ideograph:
                if stretch.isEmpty { stretch.append(rest.removeFirst()) }
                return stretch
            case .other: stretch.append(rest.removeFirst())
            }
        }
        return stretch.isEmpty ? nil : stretch
    }

    private enum Kind {
        case space, dropped, ideograph, other
    }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20: return .space
        case 0x21...0x7E: return .other
        case 0, 0xFFFD: return .dropped
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0xF900...0xFAFF, 0x2_0000...0x2_A6DF, 0x2_A700...0x2_B73F, 0x2_B740...0x2_B81F,
            0x2_B820...0x2_CEAF, 0x2_F800...0x2_FA1F:
            return .ideograph
        default: break
        }
        switch scalar.properties.generalCategory {
        case .spaceSeparator, .lineSeparator, .paragraphSeparator: return .space
        case .control, .format, .surrogate, .privateUse, .unassigned: return .dropped
        default: return .other
        }
    }

    /// Scalar by scalar, by the full mapping: a capital sigma is never the final one, since Hugging Face's tokenizer lowers every character
    /// by itself.
    private static func lowerCased(_ word: Scalars) -> Scalars {
        var result: Scalars = []
        result.reserveCapacity(word.count)
        for scalar in word {
            switch scalar {
            case "A"..."Z": result.append(Unicode.Scalar(UInt8(scalar.value + 0x20)))
            case "\u{0}"..."\u{7F}": result.append(scalar)
            default: result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            }
        }
        return result
    }

    /// Decomposed, without the marks.
    private static func withoutAccents(_ word: Scalars) -> Scalars {
        guard word.contains(where: { !$0.isASCII }) else { return word }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: word)
        return String(text).decomposedStringWithCanonicalMapping.unicodeScalars.filter { $0.properties.generalCategory != .nonspacingMark }
    }

    private static func cutAtPunctuation(_ word: Scalars) -> [Scalars] {
        var words: [Scalars] = []
        var start = word.startIndex
        for (index, scalar) in word.enumerated() where isPunctuation(scalar) {
            if start < index { words.append(Scalars(word[start..<index])) }
            words.append([scalar])
            start = index + 1
        }
        if start < word.endIndex { words.append(Scalars(word[start...])) }
        return words
    }

    /// BERT counts every ASCII mark, also those that Unicode calls symbols.
    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 33...47, 58...64, 91...96, 123...126: return true
        case 0...127: return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation:
            return true
        default: return false
        }
    }
}
