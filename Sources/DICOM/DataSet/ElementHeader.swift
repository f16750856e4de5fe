/// Tag, VR and length of one element, item or delimiter. PS3.5 7.1.
struct ElementHeader {
    static let undefinedLength: UInt32 = 0xFFFF_FFFF

    private(set) var tag: Tag
    /// Two letters; nil in implicit VR, and for items and delimiters.
    private(set) var vr: UInt16?
    private(set) var length: UInt32
    /// Bytes of the header itself.
    private(set) var size: Int
    /// The VR is none that the standard has, or no letters at all.
    private(set) var hasUnknownVR = false

    /// - Parameter end: of what holds the element; not a byte behind it is read.
    /// - Parameter isItem: only items, delimiters and fragments belong here; they never have a VR.
    init(
        _ bytes: UnsafeRawBufferPointer, at position: Int, end: Int, encoding: TransferSyntax.ElementEncoding,
        isItem: Bool = false
    ) throws(DataSetError) {
        guard end - position >= 8 else { throw .truncated(offset: Int64(position)) }
        let big = encoding.isBigEndian
        tag = bytes.tag(at: position, bigEndian: big)
        guard encoding.isExplicit, !isItem, tag.group != 0xFFFE else {
            length = bytes.number32(at: position + 4, bigEndian: big)
            size = 8
            return
        }
        let letters = UInt16(bytes[position + 4]) << 8 | UInt16(bytes[position + 5])
        if !VR.isTwoLetters(letters) {
            hasUnknownVR = true
            vr = VR.un
            size = 8
            length = try Self.lengthWithoutVR(bytes, at: position, end: end, tag: tag, bigEndian: big)
        } else if VR.hasShortLength(letters) {
            hasUnknownVR = !VR.known.contains(letters)
            vr = letters
            size = 8
            length = UInt32(bytes.number16(at: position + 6, bigEndian: big))
        } else {
            guard end - position >= 12 else { throw .truncated(offset: Int64(position)) }
            vr = letters
            size = 12
            length = bytes.number32(at: position + 8, bigEndian: big)
        }
    }

    /// An element of an explicit data set whose VR is no pair of letters. Some writers leave the VR blank, others fall
    /// back to implicit VR for single elements: whichever fits.
    private static func lengthWithoutVR(
        _ bytes: UnsafeRawBufferPointer, at position: Int, end: Int, tag: Tag, bigEndian: Bool
    ) throws(DataSetError) -> UInt32 {
        let long = bytes.number32(at: position + 4, bigEndian: bigEndian)
        if Int(long) <= end - position - 8 { return long }
        let short = bytes.number16(at: position + 6, bigEndian: bigEndian)
        if Int(short) <= end - position - 8 { return UInt32(short) }
        throw .malformed(what: "\(tag) has neither a VR nor a length that fits", offset: Int64(position))
    }
}

extension UnsafeRawBufferPointer {
    func tag(at offset: Int, bigEndian: Bool) -> Tag {
        Tag(number16(at: offset, bigEndian: bigEndian), number16(at: offset + 2, bigEndian: bigEndian))
    }

    func number16(at offset: Int, bigEndian: Bool) -> UInt16 {
        let number = loadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return bigEndian ? UInt16(bigEndian: number) : UInt16(littleEndian: number)
    }

    func number32(at offset: Int, bigEndian: Bool) -> UInt32 {
        let number = loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return bigEndian ? UInt32(bigEndian: number) : UInt32(littleEndian: number)
    }
}
