/// What is wrong with a JSON text, and where.
package struct JSONSyntaxError: Error {
    package var offset: Int
    package var reason: String
}

/// A pull reader of JSON (RFC 8259) for formats of a fixed shape: the caller says what it expects next, so that depth and
/// memory are the caller's, never the text's. Strict: UTF-8, no duplicate keys, no trailing commas, no comments.
package struct JSONReader {
    package enum Kind { case object, array, string, number, boolean, null }

    /// What one text may cost: keys of an object, bytes of a string. Far above what the formats hold.
    static let maximumMembers = 200_000
    static let maximumStringBytes = 1 << 20

    private let bytes: UnsafeRawBufferPointer
    package private(set) var offset = 0

    /// `bytes` has to outlive the reader.
    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// What the next value is.
    package mutating func kind() throws(JSONSyntaxError) -> Kind {
        skipSpace()
        guard offset < bytes.count else { throw failure("the text ends where a value should be") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw failure("unexpected byte \(bytes[offset])")
        }
    }

    /// Reads an object; `member` has to read exactly the value that belongs to the key.
    package mutating func object(_ member: (inout JSONReader, String) throws(JSONSyntaxError) -> Void) throws(JSONSyntaxError) {
        try expect(UInt8(ascii: "{"))
        if skip(UInt8(ascii: "}")) { return }
        var seen: Set<String> = []
        repeat {
            let key = try string()
            guard seen.count < Self.maximumMembers else { throw failure("more than \(Self.maximumMembers) keys in an object") }
            guard seen.insert(key).inserted else { throw failure("key \"\(key.prefix(80))\" stands twice") }
            try expect(UInt8(ascii: ":"))
            try member(&self, key)
        } while skip(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Reads an array; `element` has to read exactly one value.
    package mutating func array(_ element: (inout JSONReader) throws(JSONSyntaxError) -> Void) throws(JSONSyntaxError) {
        try expect(UInt8(ascii: "["))
        if skip(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while skip(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    package mutating func string() throws(JSONSyntaxError) -> String {
        try expect(UInt8(ascii: "\""))
        let start = offset
        // The common case: nothing to unescape, one validation over the bytes in place.
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] != UInt8(ascii: "\\"), bytes[offset] >= 0x20 {
            offset += 1
        }
        guard offset - start <= Self.maximumStringBytes else { throw failure("a string of more than \(Self.maximumStringBytes) bytes") }
        var content = Array(bytes[start..<offset])
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
            let byte = bytes[offset]
            guard byte >= 0x20 else { throw failure("a control character in a string") }
            guard content.count < Self.maximumStringBytes else { throw failure("a string of more than \(Self.maximumStringBytes) bytes") }
            offset += 1
            if byte == UInt8(ascii: "\\") {
                content.append(contentsOf: Array(String(try escape()).utf8))
            } else {
                content.append(byte)
            }
        }
        guard skipByte(UInt8(ascii: "\"")) else { throw failure("a string without its end") }
        guard let text = String(streamSafe: content) else { throw failure("a string that is not UTF-8, or has too many combining marks in a row") }
        return text
    }

    package mutating func boolean() throws(JSONSyntaxError) -> Bool {
        skipSpace()
        if skipWord("true") { return true }
        if skipWord("false") { return false }
        throw failure("true or false expected")
    }

    package mutating func null() throws(JSONSyntaxError) {
        skipSpace()
        guard skipWord("null") else { throw failure("null expected") }
    }

    /// The text of a number, checked against the grammar.
    package mutating func number() throws(JSONSyntaxError) -> String {
        skipSpace()
        let start = offset
        _ = skipByte(UInt8(ascii: "-"))
        if !skipByte(UInt8(ascii: "0")) { try digits() }
        if skipByte(UInt8(ascii: ".")) { try digits() }
        if skipByte(UInt8(ascii: "e")) || skipByte(UInt8(ascii: "E")) {
            if !skipByte(UInt8(ascii: "+")) { _ = skipByte(UInt8(ascii: "-")) }
            try digits()
        }
        guard offset - start <= 64 else { throw failure("a number of more than 64 characters") }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    /// A number that is a non-negative whole one and fits.
    package mutating func natural() throws(JSONSyntaxError) -> Int {
        let text = try number()
        guard let value = Int(text), value >= 0 else { throw failure("\(text) is not a whole number from 0 to \(Int.max)") }
        return value
    }

    /// Only white space may be left.
    package mutating func end() throws(JSONSyntaxError) {
        skipSpace()
        guard offset == bytes.count else { throw failure("something follows the end of the text") }
    }

    package func failure(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(offset: offset, reason: reason) }

    // MARK: -

    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    private mutating func expect(_ byte: UInt8) throws(JSONSyntaxError) {
        guard skip(byte) else { throw failure("'\(Character(Unicode.Scalar(byte)))' expected") }
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        skipSpace()
        return skipByte(byte)
    }

    private mutating func skipByte(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func skipWord(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - offset >= length else { return false }
        for index in 0..<length where bytes[offset + index] != word.utf8Start[index] { return false }
        offset += length
        return true
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = offset
        while offset < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset]) { offset += 1 }
        guard offset > start else { throw failure("a digit expected") }
    }

    /// After the backslash.
    private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard offset < bytes.count else { throw failure("a string without its end") }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw failure("an unknown escape in a string")
        }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A high surrogate has to be followed by a low one.
        guard first < 0xDC00, skipWord("\\u") else { throw failure("half of a surrogate pair in a string") }
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second), let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) else {
            throw failure("half of a surrogate pair in a string")
        }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw failure("four hexadecimal digits expected") }
        var value: UInt32 = 0
        for index in offset..<offset + 4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue, bytes[index] < 0x80 else {
                throw failure("four hexadecimal digits expected")
            }
            value = value << 4 | UInt32(digit)
        }
        offset += 4
        return value
    }
}
