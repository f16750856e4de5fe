/// A place in a GGUF file that moves forward, and checks what it reads against the file's end.
struct GGUFCursor {
    private let file: MappedFile
    private(set) var offset = 0
    /// What the arrays of strings so far would cost as Swift strings.
    private var stringCost = 0

    var path: String { file.path }
    var count: Int { file.count }
    private var left: Int { count - offset }

    init(_ file: MappedFile) { self.file = file }

    func failure(_ reason: String) -> WeightsError {
        .malformed(path: file.path, reason: "\(reason) (file offset \(offset))")
    }

    /// Passes `size` bytes.
    mutating func skip(_ size: Int, _ what: @autoclosure () -> String) throws(WeightsError) -> Range<Int> {
        guard size >= 0, size <= left else { throw failure("the file ends in \(what())") }
        defer { offset += size }
        return offset..<offset + size
    }

    /// A little-endian number of 1, 2, 4 or 8 bytes.
    mutating func unsigned(_ size: Int, _ what: @autoclosure () -> String) throws(WeightsError) -> UInt64 {
        unsigned(at: try skip(size, what()))
    }

    func unsigned(at range: Range<Int>) -> UInt64 { file.bytes.littleEndian(range) }

    /// The bytes of a string.
    mutating func string(_ what: @autoclosure () -> String) throws(WeightsError) -> Range<Int> {
        let length = try unsigned(8, what())
        guard length <= UInt64(left) else { throw failure("\(what()) claims \(length) bytes of \(left) that are left") }
        return try skip(Int(length), what())
    }

    /// A short string that is UTF-8.
    mutating func name(_ what: String, atMost limit: Int) throws(WeightsError) -> String {
        let range = try string(what)
        guard range.count <= limit else { throw failure("\(what) of \(range.count) bytes, more than \(limit)") }
        guard let text = file.bytes.text(range) else { throw failure("\(what) is not UTF-8") }
        return text
    }

    /// Passes `count` strings. What they would cost in memory stays below the file's size plus `GGUF.stringAllowance`, over all arrays.
    mutating func strings(_ count: Int, key: String) throws(WeightsError) -> Range<Int> {
        let start = offset
        for _ in 0..<count {
            let length = try string("a string of \"\(key)\"").count
            // Short strings live in the array's own 16 bytes, long ones in an allocation.
            stringCost += length < 16 ? 16 : 16 + 48 + length
            guard stringCost <= file.count + GGUF.stringAllowance else { throw failure("the strings of \"\(key)\" are too many") }
        }
        return start..<offset
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian number of as many bytes as the range has: 1, 2, 4 or 8.
    func littleEndian(_ range: Range<Int>) -> UInt64 {
        let start = range.lowerBound
        switch range.count {
        case 1: return UInt64(self[start])
        case 2: return UInt64(UInt16(littleEndian: loadUnaligned(fromByteOffset: start, as: UInt16.self)))
        case 4: return UInt64(UInt32(littleEndian: loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        default: return UInt64(littleEndian: loadUnaligned(fromByteOffset: start, as: UInt64.self))
        }
    }

    /// The bytes as text; nil where they are not UTF-8 (see `String.init(streamSafe:)`).
    func text(_ range: Range<Int>) -> String? {
        String(streamSafe: self[range])
    }
}
