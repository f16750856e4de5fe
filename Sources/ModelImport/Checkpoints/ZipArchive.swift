/// The directory of a zip archive as torch.save writes it: stored entries, zip64 where it is large, data descriptors.
///
/// Source: PKWARE APPNOTE.TXT 6.3.9. Every offset and size is the file's word and is checked against the file before it is used; an entry's
/// local header has to say the same name and method as the central directory. Checksums are not compared: import records the SHA-256 of
/// every source, and reading 13 GB twice would cost minutes.
struct ZipArchive {
    private(set) var entries: [String: Range<Int>] = [:]

    /// A 7B model in one file has 300; an optimiser's state a few thousand.
    static let maximumEntries = 100_000
    static let maximumNameBytes = 1024

    private enum Signature {
        static let localHeader: UInt32 = 0x0403_4B50
        static let centralHeader: UInt32 = 0x0201_4B50
        static let end: UInt32 = 0x0605_4B50
        static let end64: UInt32 = 0x0606_4B50
        static let locator64: UInt32 = 0x0706_4B50
    }
    private static let endBytes = 22
    private static let locatorBytes = 20
    private static let zip64ExtraField: UInt16 = 1

    /// The central directory as the end records describe it.
    private struct Directory {
        var start: Int
        var size: Int
        var count: Int
    }

    static func isZip(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == Signature.localHeader
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(FormatFault) {
        let end = try Self.findEnd(bytes)
        let directory = try Self.directory(bytes, end: end)
        var cursor = ByteCursor(bytes, at: directory.start)
        for _ in 0..<directory.count {
            let (name, range) = try Self.entry(&cursor, bytes, dataEnd: directory.start)
            guard entries.updateValue(range, forKey: name) == nil else { throw cursor.fault("the entry \"\(name)\" stands twice") }
        }
        guard cursor.offset == directory.start + directory.size else {
            throw cursor.fault("the zip directory has \(cursor.offset - directory.start) bytes instead of \(directory.size)")
        }
    }

    /// The end record is the last thing in the file but for a comment of at most 65535 bytes.
    private static func findEnd(_ bytes: UnsafeRawBufferPointer) throws(FormatFault) -> Int {
        var offset = bytes.count - endBytes
        let lowest = max(0, offset - Int(UInt16.max))
        while offset >= lowest {
            if UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) == Signature.end {
                let comment = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + endBytes - 2, as: UInt16.self)))
                if offset + endBytes + comment == bytes.count { return offset }
            }
            offset -= 1
        }
        throw FormatFault(offset: bytes.count, reason: "the zip archive has no end record: the file is cut short")
    }

    private static func directory(_ bytes: UnsafeRawBufferPointer, end: Int) throws(FormatFault) -> Directory {
        var cursor = ByteCursor(bytes, at: end + 4)
        let disk = try cursor.integer(UInt16.self)
        let directoryDisk = try cursor.integer(UInt16.self)
        _ = try cursor.integer(UInt16.self)
        var count = Int(try cursor.integer(UInt16.self))
        var size = Int(try cursor.integer(UInt32.self))
        var start = Int(try cursor.integer(UInt32.self))
        guard [0, .max].contains(disk), [0, .max].contains(directoryDisk) else {
            throw FormatFault(offset: end, reason: "the zip archive is split over disks", isUnsupported: true)
        }
        var limit = end
        if count == Int(UInt16.max) || size == Int(UInt32.max) || start == Int(UInt32.max) {
            (count, size, start, limit) = try end64(bytes, locator: end - locatorBytes)
        }
        guard count <= maximumEntries else { throw FormatFault(offset: end, reason: "\(count) zip entries; at most \(maximumEntries) are read") }
        // torch always writes the zip64 records between directory and end, needed or not.
        guard start <= limit, size <= limit - start else {
            throw FormatFault(offset: end, reason: "the zip directory should lie at \(start) with \(size) bytes, in front of byte \(limit)")
        }
        return Directory(start: start, size: size, count: count)
    }

    /// The zip64 end record, through its locator in front of the end record.
    private static func end64(_ bytes: UnsafeRawBufferPointer, locator: Int) throws(FormatFault) -> (count: Int, size: Int, start: Int, limit: Int) {
        var cursor = ByteCursor(bytes, at: locator)
        guard locator >= 0, try cursor.integer(UInt32.self) == Signature.locator64 else {
            throw FormatFault(offset: max(0, locator), reason: "the zip64 locator is missing")
        }
        _ = try cursor.integer(UInt32.self)
        let record = try cursor.length()
        guard record <= locator else { throw cursor.fault("the zip64 end record should lie at byte \(record)") }
        cursor = ByteCursor(bytes, at: record)
        guard try cursor.integer(UInt32.self) == Signature.end64 else { throw cursor.fault("the zip64 end record is missing") }
        _ = try cursor.take(8 + 2 + 2 + 4 + 4 + 8)  // its size, versions, disks, entries on this disk
        let count = try cursor.length()
        let size = try cursor.length()
        let start = try cursor.length()
        return (count, size, start, record)
    }

    private static func entry(
        _ cursor: inout ByteCursor, _ bytes: UnsafeRawBufferPointer, dataEnd: Int
    ) throws(FormatFault) -> (String, Range<Int>) {
        guard try cursor.integer(UInt32.self) == Signature.centralHeader else { throw cursor.fault("a zip directory entry does not start with its signature") }
        _ = try cursor.take(4)
        let flags = try cursor.integer(UInt16.self)
        let method = try cursor.integer(UInt16.self)
        _ = try cursor.take(8)  // time, date, CRC-32
        var packed = Int(try cursor.integer(UInt32.self))
        var size = Int(try cursor.integer(UInt32.self))
        let nameLength = Int(try cursor.integer(UInt16.self))
        let extraLength = Int(try cursor.integer(UInt16.self))
        let commentLength = Int(try cursor.integer(UInt16.self))
        _ = try cursor.take(8)  // disk, attributes
        var header = Int(try cursor.integer(UInt32.self))
        let nameRange = try cursor.take(nameLength)
        guard nameLength <= maximumNameBytes, let name = String(validating: bytes[nameRange], as: UTF8.self) else {
            throw cursor.fault("a zip entry's name is not UTF-8 of at most \(maximumNameBytes) bytes")
        }
        let extra = try cursor.take(extraLength)
        _ = try cursor.take(commentLength)
        try widen(&size, &packed, &header, extra: UnsafeRawBufferPointer(rebasing: bytes[extra]), at: extra.lowerBound)

        func unsupported(_ reason: String) -> FormatFault { FormatFault(offset: nameRange.lowerBound, reason: "zip entry \"\(name)\" \(reason)", isUnsupported: true) }
        guard flags & 0x2041 == 0 else { throw unsupported("is encrypted") }
        guard method == 0 else {
            throw unsupported("is compressed (method \(method)); PyTorch stores its entries: write the file again with torch.save")
        }
        guard packed == size else { throw cursor.fault("zip entry \"\(name)\" is stored as \(packed) bytes of \(size)") }
        let start = try dataStart(bytes, header: header, name: nameRange, flags: flags, size: size)
        guard start <= dataEnd, size <= dataEnd - start else {
            throw cursor.fault("zip entry \"\(name)\" should have \(size) bytes from byte \(start) on; the directory begins at \(dataEnd)")
        }
        return (name, start..<start + size)
    }

    /// Fields that are all ones stand in the zip64 extra field, in this order.
    private static func widen(
        _ size: inout Int, _ packed: inout Int, _ header: inout Int, extra: UnsafeRawBufferPointer, at offset: Int
    ) throws(FormatFault) {
        let all = Int(UInt32.max)
        guard size == all || packed == all || header == all else { return }
        var cursor = ByteCursor(extra)
        while cursor.remaining >= 4 {
            let tag = try cursor.integer(UInt16.self)
            let length = Int(try cursor.integer(UInt16.self))
            let range = try cursor.take(length)
            guard tag == zip64ExtraField else { continue }
            var field = ByteCursor(UnsafeRawBufferPointer(rebasing: extra[range]))
            if size == all { size = try field.length() }
            if packed == all { packed = try field.length() }
            if header == all { header = try field.length() }
            return
        }
        throw FormatFault(offset: offset, reason: "a zip64 entry lacks its 64-bit sizes")
    }

    /// Checks the local header and says where the data begin. torch's headers are padded, so that the data are aligned.
    private static func dataStart(
        _ bytes: UnsafeRawBufferPointer, header: Int, name: Range<Int>, flags: UInt16, size: Int
    ) throws(FormatFault) -> Int {
        var cursor = ByteCursor(bytes, at: header)
        guard try cursor.integer(UInt32.self) == Signature.localHeader else { throw cursor.fault("a zip entry's header does not start with its signature") }
        _ = try cursor.take(2)
        let localFlags = try cursor.integer(UInt16.self)
        let method = try cursor.integer(UInt16.self)
        _ = try cursor.take(8)
        let packed = Int(try cursor.integer(UInt32.self))
        let unpacked = Int(try cursor.integer(UInt32.self))
        let nameLength = Int(try cursor.integer(UInt16.self))
        let extraLength = Int(try cursor.integer(UInt16.self))
        let localName = try cursor.take(nameLength)
        guard method == 0, localFlags & 0x2041 == flags & 0x2041, nameLength == name.count, zip(localName, name).allSatisfy({ bytes[$0] == bytes[$1] }) else {
            throw cursor.fault("a zip entry's header contradicts the directory")
        }
        // With a data descriptor (flag bit 3) the sizes stand behind the data, with zip64 in the extra field.
        let described = localFlags & 8 != 0
        for value in [packed, unpacked] where value != size && value != Int(UInt32.max) && !(described && value == 0) {
            throw cursor.fault("a zip entry's header says \(value) bytes, the directory \(size)")
        }
        return try cursor.take(extraLength).upperBound
    }
}
