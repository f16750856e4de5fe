extension SentencePieceTokenizer {
    /// The text's tokens, `<s>` in front where `bos` says so. An empty text has none: not even the dummy prefix.
    public func encode(_ text: String, bos: Bool) -> [Int32] {
        var tokens: [Int32] = bos ? [beginToken] : []
        let normalized = normalize(text)
        normalized.withUnsafeBufferPointer { appendTokens(of: $0, to: &tokens) }
        return tokens
    }

    /// SentencePiece's normaliser for an identity character map: white space only.
    private func normalize(_ text: String) -> [UInt8] {
        var source = Array(text.utf8)[...]
        let blank = UInt8(ascii: " ")
        let spaceBytes = model.escapeWhitespaces ? Self.space : [blank]
        if model.removeExtraWhitespaces { source = source.drop { $0 == blank } }
        guard !source.isEmpty else { return [] }

        var result: [UInt8] = []
        result.reserveCapacity(source.count + source.count / 2 + spaceBytes.count)
        if model.addDummyPrefix { result.append(contentsOf: spaceBytes) }
        var afterSpace = model.removeExtraWhitespaces
        for byte in source {
            if byte != blank {
                result.append(byte)
                afterSpace = false
            } else if !(model.removeExtraWhitespaces && afterSpace) {
                result.append(contentsOf: spaceBytes)
                afterSpace = true
            }
        }
        if model.removeExtraWhitespaces {
            while result.count >= spaceBytes.count, result.suffix(spaceBytes.count).elementsEqual(spaceBytes) {
                result.removeLast(spaceBytes.count)
            }
        }
        return result
    }

    /// A part of the text that is one piece so far. Neighbours are indices, -1 at the ends; an empty symbol was merged away.
    private struct Symbol {
        var start: Int
        var count: Int
        var previous: Int
        var next: Int
        /// A user-defined piece: never merged.
        var isFrozen: Bool
    }

    /// Two neighbours whose union is a piece.
    private struct Candidate {
        var score: Float
        var left: Int
        var right: Int
        /// Of the union: a stale candidate is known by it.
        var count: Int

        /// Whether this one is merged before `other`.
        func precedes(_ other: Candidate) -> Bool {
            score != other.score ? score > other.score : left < other.left
        }
    }

    private func appendTokens(of text: UnsafeBufferPointer<UInt8>, to tokens: inout [Int32]) {
        var symbols = split(text)
        var candidates = Heap<Candidate> { $0.precedes($1) }

        func propose(_ left: Int, _ right: Int) {
            guard left >= 0, right >= 0, !symbols[left].isFrozen, !symbols[right].isFrozen else { return }
            let count = symbols[left].count + symbols[right].count
            guard let id = table.id(of: part(text, symbols[left].start, count)) else { return }
            candidates.insert(Candidate(score: model.pieces[Int(id)].score, left: left, right: right, count: count))
        }

        for right in symbols.indices.dropFirst() { propose(right - 1, right) }
        while let best = candidates.popFirst() {
            let left = symbols[best.left], right = symbols[best.right]
            guard left.count > 0, right.count > 0, left.count + right.count == best.count else { continue }
            symbols[best.left].count = best.count
            symbols[best.left].next = right.next
            symbols[best.right].count = 0
            if right.next >= 0 { symbols[right.next].previous = best.left }
            propose(left.previous, best.left)
            propose(best.left, right.next)
        }

        var index = symbols.isEmpty ? -1 : 0
        var lastWasUnknown = false
        while index >= 0 {
            let symbol = symbols[index]
            let bytes = part(text, symbol.start, symbol.count)
            if let id = table.id(of: bytes) {
                tokens.append(id)
                lastWasUnknown = false
            } else if byteTokens.isEmpty {
                // A run of unknown characters is one unknown token.
                if !lastWasUnknown { tokens.append(unknownToken) }
                lastWasUnknown = true
            } else {
                for byte in bytes { tokens.append(byteTokens[Int(byte)]) }
            }
            index = symbol.next
        }
    }

    /// One symbol per character, or per user-defined piece.
    private func split(_ text: UnsafeBufferPointer<UInt8>) -> [Symbol] {
        var symbols: [Symbol] = []
        symbols.reserveCapacity(text.count)
        var start = 0
        while start < text.count {
            let match = userDefined.longest(in: text, at: start)
            let count = match?.count ?? min(Self.characterLength(text[start]), text.count - start)
            symbols.append(
                Symbol(start: start, count: count, previous: symbols.count - 1, next: symbols.count + 1, isFrozen: match != nil))
            start += count
        }
        if !symbols.isEmpty { symbols[symbols.count - 1].next = -1 }
        return symbols
    }

    private func part(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text[start..<start + count])
    }

    /// Bytes of the UTF-8 character that starts with `byte`; Swift's strings are valid UTF-8.
    private static func characterLength(_ byte: UInt8) -> Int {
        switch byte {
        case ..<0xC0: 1
        case ..<0xE0: 2
        case ..<0xF0: 3
        default: 4
        }
    }
}

/// A binary heap: the element that precedes all others comes out first.
struct Heap<Element> {
    private var elements: [Element] = []
    private let precedes: (Element, Element) -> Bool

    init(_ precedes: @escaping (Element, Element) -> Bool) { self.precedes = precedes }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(elements[child], elements[parent]) else { return }
            elements.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> Element? {
        guard let first = elements.first else { return nil }
        let last = elements.removeLast()
        guard !elements.isEmpty else { return first }
        elements[0] = last
        var parent = 0
        while true {
            var best = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < elements.count {
                if precedes(elements[child], elements[best]) { best = child }
            }
            guard best != parent else { return first }
            elements.swapAt(parent, best)
            parent = best
        }
    }
}
