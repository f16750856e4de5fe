extension ByteLevelBPETokenizer {
    package func makeTokenDecoder() -> any TokenDecoder { Decoder(tokenizer: self) }

    /// Tokens are bytes, not characters: a character may take several. What is no UTF-8 becomes U+FFFD, one for each longest part that could
    /// have begun a character (Unicode 3.9, "substitution of maximal subparts"), as the reference does it.
    private struct Decoder: TokenDecoder {
        let tokenizer: ByteLevelBPETokenizer
        /// The beginning of a character, at most three bytes between calls.
        private var pending: [UInt8] = []

        init(tokenizer: ByteLevelBPETokenizer) { self.tokenizer = tokenizer }

        mutating func append(_ token: Int32) -> String {
            guard token >= 0, token < tokenizer.vocabularySize else { return "" }
            pending.append(contentsOf: tokenizer.surface[tokenizer.surfaceStarts[Int(token)]..<tokenizer.surfaceStarts[Int(token) + 1]])
            let certain = pending.count - Self.unfinishedCount(pending)
            guard certain > 0 else { return "" }
            defer { pending.removeFirst(certain) }
            return String(decoding: pending[..<certain], as: UTF8.self)
        }

        mutating func finish() -> String {
            defer { pending = [] }
            return String(decoding: pending, as: UTF8.self)
        }

        /// How many bytes at the end are the correct beginning of a character that is not whole. RFC 3629: no overlong forms, no surrogates.
        private static func unfinishedCount(_ bytes: [UInt8]) -> Int {
            for count in 1...3 where count <= bytes.count {
                let lead = bytes[bytes.count - count]
                if lead & 0xC0 == 0x80 { continue }
                let needed: Int
                switch lead {
                case 0xC2...0xDF: needed = 2
                case 0xE0...0xEF: needed = 3
                case 0xF0...0xF4: needed = 4
                default: return 0
                }
                guard count < needed else { return 0 }
                guard count > 1 else { return count }
                let second = bytes[bytes.count - count + 1]
                switch lead {
                case 0xE0: return second >= 0xA0 ? count : 0
                case 0xED: return second <= 0x9F ? count : 0
                case 0xF0: return second >= 0x90 ? count : 0
                case 0xF4: return second <= 0x8F ? count : 0
                default: return count
                }
            }
            return 0
        }
    }
}
