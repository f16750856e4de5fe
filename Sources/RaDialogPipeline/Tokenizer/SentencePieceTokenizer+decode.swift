extension SentencePieceTokenizer {
    /// The text of the tokens: control tokens are nothing, bytes are joined to UTF-8 (what is none becomes U+FFFD, byte by byte), and the
    /// dummy prefix of the first word is taken off. Ids outside the vocabulary are nothing.
    public func decode(_ tokens: some Sequence<Int32>) -> String {
        var decoder = makeDecoder()
        var text = ""
        for token in tokens { text += decoder.append(token) }
        return text + decoder.finish()
    }

    /// For streaming: the parts it returns, joined, are what `decode` returns.
    public func makeDecoder() -> IncrementalDecoder { IncrementalDecoder(tokenizer: self) }

    /// Text as tokens come: each call gives what has become certain; bytes of an unfinished character wait.
    public struct IncrementalDecoder: Sendable {
        private let tokenizer: SentencePieceTokenizer
        /// Byte tokens that may still become a character.
        private var pending: [UInt8] = []
        /// Nothing but control tokens so far: a leading space is the dummy prefix.
        private var atStart = true

        fileprivate init(tokenizer: SentencePieceTokenizer) { self.tokenizer = tokenizer }

        public mutating func append(_ token: Int32) -> String {
            guard token >= 0, token < tokenizer.vocabularySize else { return "" }
            let value = tokenizer.byteValues[Int(token)]
            if value >= 0 {
                pending.append(UInt8(value))
                return takeCharacters(all: false)
            }
            let finished = takeCharacters(all: true)
            return finished + surface(Int(token))
        }

        /// What is left: unfinished bytes as U+FFFD.
        public mutating func finish() -> String { takeCharacters(all: true) }

        /// The text of a token that is not a byte.
        private mutating func surface(_ token: Int) -> String {
            let model = tokenizer.model
            var bytes = model.pieces[token].bytes[...]
            switch model.pieces[token].type {
            case .control: return ""
            case .unknown:
                atStart = false
                return model.unknownSurface
            default: break
            }
            if atStart, model.addDummyPrefix || model.removeExtraWhitespaces, bytes.starts(with: SentencePieceTokenizer.space) {
                bytes = bytes.dropFirst(SentencePieceTokenizer.space.count)
                // Where extra white space is removed, all of it at the start goes.
                atStart = model.removeExtraWhitespaces && bytes.isEmpty
            } else {
                atStart = false
            }
            return SentencePieceTokenizer.unescape(bytes)
        }

        /// Whole characters from the front of `pending`. A byte that cannot belong to one is U+FFFD; the beginning of a character waits
        /// for the rest unless `all`.
        private mutating func takeCharacters(all: Bool) -> String {
            var text = ""
            var rest = pending[...]
            while !rest.isEmpty {
                switch SentencePieceTokenizer.character(rest) {
                case .complete(let scalar, let count):
                    text.unicodeScalars.append(scalar)
                    rest = rest.dropFirst(count)
                case .incomplete where !all:
                    pending = Array(rest)
                    if !text.isEmpty { atStart = false }
                    return text
                case .incomplete, .invalid:
                    text.unicodeScalars.append("\u{FFFD}")
                    rest = rest.dropFirst()
                }
            }
            pending = []
            if !text.isEmpty { atStart = false }
            return text
        }
    }

    fileprivate static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var rest = bytes
        while let byte = rest.first {
            if byte == space[0], rest.starts(with: space) {
                result.append(UInt8(ascii: " "))
                rest = rest.dropFirst(space.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    fileprivate enum FirstCharacter {
        case complete(Unicode.Scalar, Int)
        /// A correct beginning, cut off.
        case incomplete
        case invalid
    }

    /// What stands at the front of `bytes`, which is not empty. UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
    fileprivate static func character(_ bytes: ArraySlice<UInt8>) -> FirstCharacter {
        let lead = bytes[bytes.startIndex]
        let (length, initial, smallest): (Int, UInt32, UInt32)
        switch lead {
        case ..<0x80: return .complete(Unicode.Scalar(lead), 1)
        case 0xC2..<0xE0: (length, initial, smallest) = (2, UInt32(lead & 0x1F), 0x80)
        case 0xE0..<0xF0: (length, initial, smallest) = (3, UInt32(lead & 0x0F), 0x800)
        case 0xF0..<0xF5: (length, initial, smallest) = (4, UInt32(lead & 0x07), 0x10000)
        default: return .invalid
        }
        var value = initial
        for byte in bytes.dropFirst().prefix(length - 1) {
            guard byte & 0xC0 == 0x80 else { return .invalid }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        guard bytes.count >= length else { return .incomplete }
        guard value >= smallest, let scalar = Unicode.Scalar(value) else { return .invalid }
        return .complete(scalar, length)
    }
}
