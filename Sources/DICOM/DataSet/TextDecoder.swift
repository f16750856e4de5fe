internal import CDCMTK

/// Bytes of a text value to characters: single-byte sets, UTF-8, GB18030, GBK, and code extensions (ISO 2022).
/// PS3.3 Tables C.12-2 to C.12-5, PS3.5 6.1.2 and Annexes H, I, J, K.
///
/// Bytes that no designated set has a character for come out as what they are, one by one, and harm nothing around them.
struct TextDecoder {
    enum Piece: Equatable {
        case text(String)
        case illegal(UInt8)
    }

    /// What is designated to G0 (bytes below 0x80) and G1 (the others).
    private struct Designation: Equatable {
        var g0 = G0.ascii
        /// nil: nothing.
        var g1: Set?
    }

    private enum G0 { case ascii, jisX0208, jisX0212 }

    /// A set for bytes with the high bit, by its encoding in glibc's iconv.
    private struct Set: Equatable {
        var encoding: String
        var width = 1

        static let katakana = Set(encoding: "")  // computed: iconv has no JIS X 0201
    }

    /// Single-byte sets by the registration number in their defined terms. ISO_IR 13 is katakana.
    private static let singleByte: [String: Set] = [
        "13": .katakana, "100": Set(encoding: "ISO-8859-1"), "101": Set(encoding: "ISO-8859-2"),
        "109": Set(encoding: "ISO-8859-3"), "110": Set(encoding: "ISO-8859-4"), "144": Set(encoding: "ISO-8859-5"),
        "127": Set(encoding: "ISO-8859-6"), "126": Set(encoding: "ISO-8859-7"), "138": Set(encoding: "ISO-8859-8"),
        "148": Set(encoding: "ISO-8859-9"), "203": Set(encoding: "ISO-8859-15"), "166": Set(encoding: "TIS-620"),
    ]

    /// Final bytes of `ESC - F`. PS3.3 Table C.12-3.
    private static let singleByteFinals: [UInt8: String] = [
        0x41: "100", 0x42: "101", 0x43: "109", 0x44: "110", 0x4C: "144", 0x47: "127", 0x46: "126", 0x48: "138",
        0x4D: "148", 0x62: "203", 0x54: "166",
    ]

    /// Defined terms of sets that only code extensions designate.
    private static let extensionsOnly = ["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58"]

    /// Whole encodings, without code extensions.
    private static let encodings = ["GB18030": "GB18030", "GBK": "GBK", "ISO_IR 192": "UTF-8"]

    static func isDefinedTerm(_ term: String) -> Bool {
        term == "ISO_IR 6" || encodings[term] != nil || extensionsOnly.contains(term) || number(of: term) != nil
    }

    private static func number(of term: String) -> String? {
        for prefix in ["ISO_IR ", "ISO 2022 IR "] where term.hasPrefix(prefix) {
            let number = String(term.dropFirst(prefix.count))
            return singleByte[number] == nil ? nil : number
        }
        return nil
    }

    private let initial: Designation
    /// Set for UTF-8, GB18030, GBK.
    private let encoding: String?
    private let allowsExtensions: Bool

    /// - Parameter terms: the values of (0008,0005), all of them defined terms or empty.
    init(terms: [String]) {
        let first = terms.first ?? ""
        encoding = Self.encodings[first]
        initial = Designation(g1: Self.number(of: first).flatMap { Self.singleByte[$0] })
        allowsExtensions = terms.count > 1 || first.hasPrefix("ISO 2022")
    }

    /// - Parameter delimiters: after which the initial sets are designated again: `\`, and for PN also `^` and `=`.
    func decode(_ bytes: [UInt8], delimiters: [UInt8]) -> [Piece] {
        if let encoding { return stateless(bytes, encoding) }
        var pieces: [Piece] = []
        var state = initial
        var index = 0
        var run: (set: Set, bytes: [UInt8])?
        func flush() {
            if let run { pieces += convert(run.bytes, run.set) }
            run = nil
        }
        func append(_ characters: ArraySlice<UInt8>, _ set: Set) {
            if run?.set != set { flush() }
            run = (set, (run?.bytes ?? []) + characters)
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x1B, allowsExtensions, let length = Self.designate(bytes[index...], &state) {
                index += length
                continue
            }
            if byte < 0x80 {
                let next = index + 1 < bytes.count ? bytes[index + 1] : 0
                if state.g0 != .ascii, (0x21...0x7E).contains(byte), (0x21...0x7E).contains(next) {
                    // JIS X 0208 and 0212 as EUC-JP has them.
                    let pair = [byte | 0x80, next | 0x80]
                    if state.g0 == .jisX0208 {
                        append(pair[...], Set(encoding: "EUC-JP", width: 2))
                    } else {
                        append(([0x8F] + pair)[...], Set(encoding: "EUC-JP", width: 3))
                    }
                    index += 2
                    continue
                }
                flush()
                pieces.append(byte == 0x1B ? .illegal(byte) : .text(String(UnicodeScalar(byte))))
                if delimiters.contains(byte) || [0x09, 0x0A, 0x0C, 0x0D].contains(byte) { state = initial }
                index += 1
                continue
            }
            guard let set = state.g1, index + set.width <= bytes.count,
                bytes[index..<(index + set.width)].allSatisfy({ $0 >= 0x80 })
            else {
                flush()
                pieces.append(.illegal(byte))
                index += 1
                continue
            }
            append(bytes[index..<(index + set.width)], set)
            index += set.width
        }
        flush()
        return pieces
    }

    /// Reads an escape sequence; nil when it is none that DICOM knows.
    private static func designate(_ bytes: ArraySlice<UInt8>, _ state: inout Designation) -> Int? {
        switch Array(bytes.dropFirst().prefix(3)) {
        case let sequence where sequence.starts(with: [0x28, 0x42]) || sequence.starts(with: [0x28, 0x4A]):
            // JIS X 0201's yen sign and overline stand where ASCII has backslash and tilde: read as ASCII, as everybody does.
            state.g0 = .ascii
            return 3
        case let sequence where sequence.starts(with: [0x29, 0x49]):
            state.g1 = .katakana
            return 3
        case let sequence where sequence.starts(with: [0x24, 0x42]):
            state.g0 = .jisX0208
            return 3
        case [0x24, 0x28, 0x44]:
            state.g0 = .jisX0212
            return 4
        case [0x24, 0x29, 0x43]:
            state.g1 = Set(encoding: "EUC-KR", width: 2)
            return 4
        case [0x24, 0x29, 0x41]:
            state.g1 = Set(encoding: "GB2312", width: 2)
            return 4
        case let sequence where sequence.first == 0x2D && sequence.count >= 2:
            guard let number = singleByteFinals[sequence[1]], let set = singleByte[number] else { return nil }
            state.g1 = set
            return 3
        default:
            return nil
        }
    }

    private func convert(_ bytes: [UInt8], _ set: Set) -> [Piece] {
        if set == .katakana {
            return bytes.map { byte in
                guard (0xA1...0xDF).contains(byte), let scalar = UnicodeScalar(0xFF61 + UInt32(byte) - 0xA1) else { return .illegal(byte) }
                return .text(String(scalar))
            }
        }
        if let text = Self.utf8(bytes[...], set.encoding) { return [.text(text)] }
        return stride(from: 0, to: bytes.count, by: set.width).flatMap { start -> [Piece] in
            let character = bytes[start..<min(start + set.width, bytes.count)]
            if let text = Self.utf8(character, set.encoding) { return [.text(text)] }
            // JIS pairs are shown as they came, without what EUC-JP added.
            let shown = set.encoding == "EUC-JP" ? character.suffix(2).map { $0 & 0x7F } : Array(character)
            return shown.map { .illegal($0) }
        }
    }

    /// UTF-8, GB18030, GBK: the shortest character that begins here, or an illegal byte.
    private func stateless(_ bytes: [UInt8], _ encoding: String) -> [Piece] {
        if let text = Self.utf8(bytes[...], encoding) { return [.text(text)] }
        var pieces: [Piece] = []
        var rest = bytes[...]
        while let first = rest.first {
            let lengths = first < 0x80 ? 1...1 : 1...4
            if let length = lengths.first(where: { $0 <= rest.count && Self.utf8(rest.prefix($0), encoding) != nil }),
                let text = Self.utf8(rest.prefix(length), encoding)
            {
                pieces.append(.text(text))
                rest = rest.dropFirst(length)
            } else {
                pieces.append(.illegal(first))
                rest = rest.dropFirst()
            }
        }
        return pieces
    }

    private static func utf8(_ bytes: ArraySlice<UInt8>, _ encoding: String) -> String? {
        if encoding == "UTF-8" || bytes.allSatisfy({ $0 < 0x80 }) { return String(validating: bytes, as: UTF8.self) }
        var result = cdcmtk_bytes(bytes: nil, count: 0)
        var error = cdcmtk_error()
        let status = bytes.withUnsafeBufferPointer { pointer -> cdcmtk_status in
            guard let base = pointer.baseAddress else { return CDCMTK_INVALID_INPUT }
            return cdcmtk_text_to_utf8(encoding, base, pointer.count, &result, &error)
        }
        guard status == CDCMTK_OK else { return nil }
        defer { cdcmtk_bytes_free(result) }
        return String(validating: UnsafeBufferPointer(start: result.bytes, count: result.count), as: UTF8.self)
    }
}
