/// Where the data set of a file begins, and in which transfer syntax it is: from the Part 10 header, or, without one,
/// from the first element.
struct Envelope {
    private(set) var dataSetOffset: Int
    private(set) var transferSyntaxUID: String
    /// Whether there were preamble, prefix and a transfer syntax.
    private(set) var hasMeta: Bool

    init(_ bytes: UnsafeRawBufferPointer) throws(DataSetError) {
        let hasPrefix = bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
        if !hasPrefix, let other = Self.looksLike(bytes) { throw .notDICOM(what: other) }
        let start = hasPrefix ? 132 : 0
        let (end, transferSyntax) = try Self.readMeta(bytes, from: start)
        dataSetOffset = end
        if let transferSyntax, !transferSyntax.isEmpty {
            transferSyntaxUID = transferSyntax
            hasMeta = hasPrefix
        } else {
            transferSyntaxUID = try Self.guess(bytes, at: end)
            hasMeta = false
        }
    }

    /// Walks group 0002. Its group length is not trusted: files exist where it is wrong.
    private static func readMeta(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(DataSetError) -> (Int, String?) {
        var position = start
        var transferSyntax: String?
        while bytes.count - position >= 8, bytes[position] == 0x02, bytes[position + 1] == 0x00 {
            let element = UInt16(bytes[position + 3]) << 8 | UInt16(bytes[position + 2])
            let vr = UInt16(bytes[position + 4]) << 8 | UInt16(bytes[position + 5])
            let header: Int
            let length: Int
            if VR.isTwoLetters(vr), VR.hasShortLength(vr) {
                header = 8
                length = Int(bytes[position + 7]) << 8 | Int(bytes[position + 6])
            } else if VR.isTwoLetters(vr) {
                guard bytes.count - position >= 12 else { throw .truncated(offset: Int64(position)) }
                header = 12
                length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 8, as: UInt32.self)))
            } else {
                // Meta information in implicit VR: wrong, but seen.
                header = 8
                length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)))
            }
            guard length <= bytes.count - position - header else {
                throw .lengthExceedsBytesLeft(
                    tag: Tag(0x0002, element).description, length: Int64(length),
                    bytesLeft: Int64(bytes.count - position - header), offset: Int64(position))
            }
            if Tag(0x0002, element) == .transferSyntaxUID {
                let value = bytes[(position + header)..<(position + header + length)]
                transferSyntax = String(decoding: value.prefix(64).filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
            }
            position += header + length
        }
        return (position, transferSyntax)
    }

    /// The encoding of a data set that nobody announced: by the first element's VR, or its absence.
    private static func guess(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DataSetError) -> String {
        guard bytes.count - offset >= 8 else { throw .notDICOM(what: "it has no data set") }
        let group = UInt16(bytes[offset + 1]) << 8 | UInt16(bytes[offset])
        let vr = UInt16(bytes[offset + 4]) << 8 | UInt16(bytes[offset + 5])
        if VR.known.contains(vr) {
            if group == 0x0008 { return TransferSyntax.explicitVRLittleEndian }
            if group == 0x0800 { return TransferSyntax.explicitVRBigEndian }
        }
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        guard group == 0x0008, Int(length) <= bytes.count - offset - 8 else {
            throw .notDICOM(what: "no \"DICM\" at byte 128, and no data set at the beginning")
        }
        return TransferSyntax.implicitVRLittleEndian
    }

    /// What people save under the name of a DICOM file.
    private static func looksLike(_ bytes: UnsafeRawBufferPointer) -> String? {
        if bytes.isEmpty { return "it is empty" }
        let signatures: [([UInt8], String)] = [
            ([0x1F, 0x8B], "it is compressed with gzip; unpack it first"),
            ([0x50, 0x4B, 0x03, 0x04], "it is a ZIP archive; unpack it first"),
            ([0x89, 0x50, 0x4E, 0x47], "it is a PNG picture"),
            ([0xFF, 0xD8, 0xFF], "it is a JPEG picture"),
            ([0xFF, 0x4F, 0xFF, 0x51], "it is a JPEG 2000 codestream"),
            (Array("%PDF".utf8), "it is a PDF document"),
            (Array("{".utf8), "it is text, perhaps JSON"),
        ]
        if let match = signatures.first(where: { bytes.starts(with: $0.0) }) { return match.1 }
        let text = bytes.prefix(512).drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 || $0 >= 0xBB }
        guard text.first == UInt8(ascii: "<") else { return nil }
        let isHTML = String(decoding: text, as: UTF8.self).lowercased().contains("<html")
            || String(decoding: text, as: UTF8.self).lowercased().hasPrefix("<!doctype")
        return isHTML ? "it is an HTML page; the download gave a web page instead of the file" : "it is text, perhaps XML"
    }
}
