/// Cuts a text into the words that byte pairs are merged in: GPT-2's pattern, written out by hand.
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Linear in the text's length. `\s` is White_Space, as in the regular expressions of the reference implementations. Letters and numbers
/// are those of the standard library's Unicode version: characters that a later version assigned are cut differently by older references.
package enum ByteLevelBPEPreTokenizer: String, Sendable, CaseIterable {
    /// The pattern alone.
    case gpt2 = "gpt-2"
    /// Every `\p{N}` is a word of its own; what lies between is cut by the pattern, each part as if it stood alone.
    case smollm

    /// Calls `word` with the ranges of `text`, which is UTF-8; joined they are the whole text.
    func split(_ text: UnsafeBufferPointer<UInt8>, word: (Range<Int>) -> Void) {
        switch self {
        case .gpt2: Self.splitByPattern(text, 0..<text.count, word: word)
        case .smollm:
            var start = 0, offset = 0
            while offset < text.count {
                let (kind, count) = Self.scalar(text, offset)
                if kind == .number {
                    Self.splitByPattern(text, start..<offset, word: word)
                    word(offset..<offset + count)
                    start = offset + count
                }
                offset += count
            }
            Self.splitByPattern(text, start..<text.count, word: word)
        }
    }

    private enum Kind { case letter, number, space, other }

    private static func splitByPattern(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, word: (Range<Int>) -> Void) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = contractionEnd(text, start, range.upperBound) ?? wordEnd(text, start, range.upperBound)
            word(start..<end)
            start = end
        }
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`
    private static func contractionEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        guard text[start] == UInt8(ascii: "'"), end - start >= 2 else { return nil }
        switch text[start + 1] {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        default: break
        }
        guard end - start >= 3 else { return nil }
        switch (text[start + 1], text[start + 2]) {
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")), (UInt8(ascii: "l"), UInt8(ascii: "l")): return start + 3
        default: return nil
        }
    }

    /// The rest of the pattern.
    private static func wordEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        let (first, count) = scalar(text, start)
        var offset = start + count
        if first != .space { return runEnd(text, offset, end, first) }
        // ` ?` takes one space, and only U+0020, in front of what is no space.
        if text[start] == UInt8(ascii: " "), offset < end {
            let (kind, length) = scalar(text, offset)
            if kind != .space { return runEnd(text, offset + length, end, kind) }
        }
        var last = start
        while offset < end {
            let (kind, length) = scalar(text, offset)
            // `\s+(?!\S)` leaves the run's last scalar to what follows; a run of one is taken by `\s+`.
            guard kind == .space else { return last > start ? last : offset }
            last = offset
            offset += length
        }
        return end
    }

    private static func runEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, _ kind: Kind) -> Int {
        var offset = start
        while offset < end {
            let (next, count) = scalar(text, offset)
            guard next == kind else { break }
            offset += count
        }
        return offset
    }

    private static let asciiKinds: [Kind] = (UInt8(0)..<128).map { kind(Unicode.Scalar($0)) }

    /// Kind and length in bytes of the scalar that starts at `offset` of valid UTF-8.
    private static func scalar(_ text: UnsafeBufferPointer<UInt8>, _ offset: Int) -> (Kind, Int) {
        let lead = text[offset]
        if lead < 0x80 { return (asciiKinds[Int(lead)], 1) }
        let count = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
        var value = UInt32(lead) & (0x7F >> UInt32(count))
        for byte in text[offset + 1..<offset + count] { value = value << 6 | UInt32(byte & 0x3F) }
        return (Unicode.Scalar(value).map(kind) ?? .other, count)
    }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: scalar.properties.isWhitespace ? .space : .other
        }
    }
}
