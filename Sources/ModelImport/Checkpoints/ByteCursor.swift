/// Little-endian numbers out of bytes, none behind the end.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset: Int

    /// `bytes` has to outlive the cursor. `offset` may lie anywhere: reading behind the end throws.
    init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    var remaining: Int { max(0, bytes.count - offset) }

    /// Where the next `count` bytes lie; the cursor stands behind them.
    mutating func take(_ count: Int) throws(FormatFault) -> Range<Int> {
        guard offset >= 0, count >= 0, count <= remaining else {
            throw fault("\(count) bytes expected and \(remaining) left")
        }
        defer { offset += count }
        return offset..<offset + count
    }

    mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) throws(FormatFault) -> Number {
        let range = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: Number.self))
    }

    /// A 64-bit length or offset, which has to be one that a file can have.
    mutating func length() throws(FormatFault) -> Int {
        let value = try integer(UInt64.self)
        guard let length = Int(exactly: value) else { throw fault("\(value) is not a possible length") }
        return length
    }

    /// Up to the next newline, which is skipped.
    mutating func line(atMost limit: Int) throws(FormatFault) -> Range<Int> {
        let start = offset
        while offset < bytes.count, offset - start <= limit {
            defer { offset += 1 }
            if bytes[offset] == UInt8(ascii: "\n") { return start..<offset }
        }
        throw fault("a line of more than \(limit) bytes or without its end")
    }

    func fault(_ reason: String) -> FormatFault { FormatFault(offset: offset, reason: reason) }
}
