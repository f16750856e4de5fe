/// Reads the protobuf wire format from memory, field by field; every length is checked before it is used.
///
/// Source: https://protobuf.dev/programming-guides/encoding. Groups (deprecated) are refused.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// Bytes, string or an embedded message; a part of the reader's memory.
        case bytes(UnsafeRawBufferPointer)
    }

    struct Malformed: Error {
        var reason: String
    }

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// `bytes` has to outlive the reader and what it returns.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field, or nil at the end.
    mutating func next() throws(Malformed) -> (field: UInt64, value: Value)? {
        guard offset < bytes.count else { return nil }
        let key = try varint()
        let field = key >> 3
        guard field != 0 else { throw Malformed(reason: "field number 0 at byte \(offset)") }
        switch key & 7 {
        case 0: return (field, .varint(try varint()))
        case 1: return (field, .fixed64(UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self))))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.count - offset) else {
                throw Malformed(reason: "a field claims \(length) bytes, \(bytes.count - offset) are left")
            }
            return (field, .bytes(try take(Int(length))))
        case 5: return (field, .fixed32(UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self))))
        default: throw Malformed(reason: "wire type \(key & 7) at byte \(offset)")
        }
    }

    private mutating func take(_ count: Int) throws(Malformed) -> UnsafeRawBufferPointer {
        guard bytes.count - offset >= count else { throw Malformed(reason: "the file ends inside a field") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard offset < bytes.count else { throw Malformed(reason: "the file ends inside a number") }
            let byte = bytes[offset]
            offset += 1
            guard shift < 63 || byte <= 1 else { throw Malformed(reason: "a number of more than 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Malformed(reason: "a number of more than 64 bits")
    }
}
