extension ByteLevelBPETokenizer {
    /// See `TextTokenizer`. O(n log n) in the text's length.
    package func encode(_ text: String, addBOS: Bool, allowSpecial: Bool) -> [Int32] {
        var merger = Merger(tokenizer: self)
        if addBOS, let bosToken { merger.tokens.append(bosToken) }
        var text = text
        text.withUTF8 { bytes in
            if allowSpecial, !specials.isEmpty {
                // Both closures change the same list, one after the other.
                var parts: [(bytes: UnsafeBufferPointer<UInt8>, token: Int32)] = []
                specials.split(bytes, part: { parts.append(($0, -1)) }, token: { parts.append((UnsafeBufferPointer(rebasing: bytes[0..<0]), $0)) })
                for part in parts {
                    if part.token >= 0 { merger.tokens.append(part.token) } else { merger.append(part.bytes) }
                }
            } else {
                merger.append(bytes)
            }
        }
        return merger.tokens
    }

    /// The tokens of one text, word by word; memory is kept from word to word.
    private struct Merger {
        let tokenizer: ByteLevelBPETokenizer
        var tokens: [Int32] = []
        /// The word's symbols; -1 where one was merged into the one before.
        private var symbols: [Int32] = []
        /// Neighbours, as indices; -1 in front of the first, `symbols.count` behind the last.
        private var previous: [Int32] = []
        private var next: [Int32] = []

        init(tokenizer: ByteLevelBPETokenizer) { self.tokenizer = tokenizer }

        mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
            tokenizer.preTokenizer.split(text) { append(word: text[$0]) }
        }

        private mutating func append(word: Slice<UnsafeBufferPointer<UInt8>>) {
            symbols.removeAll(keepingCapacity: true)
            for byte in word {
                let token = tokenizer.byteTokens[Int(byte)]
                if token >= 0 {
                    symbols.append(token)
                } else if let unknown = tokenizer.unknownToken, !(tokenizer.fusesUnknown && symbols.last == unknown) {
                    symbols.append(unknown)
                }
            }
            if symbols.count > 1 { merge() }
            for symbol in symbols where symbol >= 0 { tokens.append(symbol) }
        }

        private mutating func merge() {
            let count = Int32(symbols.count)
            previous.removeAll(keepingCapacity: true)
            next.removeAll(keepingCapacity: true)
            for index in 0..<count {
                previous.append(index - 1)
                next.append(index + 1)
            }
            // Rank and place in one number: best rank first, leftmost among equals.
            var candidates = Heap<UInt64> { $0 < $1 }
            for left in 0..<count - 1 { propose(left, left + 1, to: &candidates) }
            while let best = candidates.popFirst() {
                let left = Int32(truncatingIfNeeded: best & 0xFFFF_FFFF)
                let merged = tokenizer.mergedTokens[Int(best >> 32)]
                let right = next[Int(left)]
                guard symbols[Int(left)] >= 0, right < count else { continue }
                // Stale where the neighbours have changed since, unless they become the same token still: as the reference has it.
                let pair = ByteLevelBPETokenizer.pair(symbols[Int(left)], symbols[Int(right)])
                guard let rank = tokenizer.ranks[pair], tokenizer.mergedTokens[Int(rank)] == merged else { continue }
                symbols[Int(left)] = merged
                symbols[Int(right)] = -1
                let after = next[Int(right)]
                next[Int(left)] = after
                if after < count { previous[Int(after)] = left }
                if previous[Int(left)] >= 0 { propose(previous[Int(left)], left, to: &candidates) }
                if after < count { propose(left, after, to: &candidates) }
            }
        }

        private func propose(_ left: Int32, _ right: Int32, to candidates: inout Heap<UInt64>) {
            guard let rank = tokenizer.ranks[ByteLevelBPETokenizer.pair(symbols[Int(left)], symbols[Int(right)])] else { return }
            candidates.insert(UInt64(UInt32(bitPattern: rank)) << 32 | UInt64(UInt32(bitPattern: left)))
        }
    }
}
