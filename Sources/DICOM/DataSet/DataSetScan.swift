/// Walks a data set once, front to back, without recursion: checks that every length fits what holds it and that
/// sequences are not nested deeper than a limit, and collects a few values on the way.
///
/// It runs before any other parser sees the bytes, and decides whether one may. What is odd in real files but safe is
/// flagged and passed over; what could make a parser read behind its bytes, or run out of stack, is refused.
/// Values are not interpreted here: see `DataSetText`.
package struct DataSetScan: ~Copyable {
    /// Sequences within sequences. PS3.5 sets no limit; real objects stay below ten.
    package static let maximumDepth = 64
    /// Elements, items and fragments together.
    package static let maximumElements = 1_000_000
    /// Longer values of wanted attributes are cut; none of them may be longer than 64 characters by its VR, or
    /// 64 in each of a few components.
    package static let maximumValueBytes = 10 * 1024

    /// Raw bytes of the wanted attributes, by the tags of their sequences and their own.
    package private(set) var values: [[Tag]: [UInt8]] = [:]
    package private(set) var flags: Set<DataSetFlag> = []
    /// As found, which may differ from what was promised (`DataSetFlag.wrongVREncoding`).
    package private(set) var encoding: TransferSyntax.ElementEncoding

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var elements = 0
    private var depth = 0
    private var stack: [Level] = []
    /// Behind the last byte that is not zero; nil until somebody asks.
    private var endOfContent: Int?

    /// Something that holds elements, items or fragments.
    private struct Level {
        enum Kind { case dataSet, sequence, item, fragments }

        var kind: Kind
        /// Where it ends; with undefined length, where what holds it ends.
        var end: Int
        var hasUndefinedLength: Bool
        var encoding: TransferSyntax.ElementEncoding
        /// Of the elements (or, for a sequence, of the first item's elements) here; nil: nothing is wanted.
        var wanted: [Tag: WantedAttributes]?
        var path: [Tag] = []
        var items = 0
        var lastTag: Tag?
        /// Set when only the bytes say that this is a sequence: what to go back to if they lied.
        var doubt: Doubt?
    }

    /// State before a value that may be a sequence.
    private struct Doubt {
        var positionBehindValue: Int
        var values: [[Tag]: [UInt8]]
        var flags: Set<DataSetFlag>
    }

    /// - Parameter bytes: one data set; must stay valid during the call only.
    package init(
        _ bytes: UnsafeRawBufferPointer, encoding: TransferSyntax.ElementEncoding,
        wanted: [Tag: WantedAttributes] = WantedAttributes.description
    ) throws(DataSetError) {
        self.bytes = bytes
        self.encoding = encoding
        settleEncoding()
        stack.append(
            Level(kind: .dataSet, end: bytes.count, hasUndefinedLength: false, encoding: self.encoding, wanted: wanted))
        try walk()
    }

    // MARK: - The walk

    private mutating func walk() throws(DataSetError) {
        while !stack.isEmpty {
            do throws(DataSetError) {
                try step()
            } catch {
                // A value that only looked like a sequence: pass over it whole. Limits are limits all the same.
                guard !error.isHostile, let index = stack.lastIndex(where: { $0.doubt != nil }),
                    let doubt = stack[index].doubt
                else { throw error }
                depth -= stack[index...].count(where: { $0.kind == .sequence })
                stack.removeSubrange(index...)
                position = doubt.positionBehindValue
                values = doubt.values
                flags = doubt.flags
                flags.insert(.opaqueSequence)
            }
        }
    }

    /// One element, item, fragment or delimiter; or the end of a level.
    private mutating func step() throws(DataSetError) {
        let level = stack[stack.count - 1]
        if position >= level.end {
            if level.hasUndefinedLength {
                // A missing delimiter behind the last fragment hides nothing; elsewhere it means that bytes are lost.
                guard level.kind == .fragments, stack.count == 2 else { throw .truncated(offset: Int64(position)) }
                flags.insert(.missingDelimiter)
            }
            return pop()
        }
        elements += 1
        if elements > Self.maximumElements { throw .tooManyElements(limit: Self.maximumElements) }
        switch level.kind {
        case .dataSet, .item: try stepElement(level)
        case .sequence: try stepItem(level)
        case .fragments: try stepFragment(level)
        }
    }

    private mutating func pop() {
        if stack.removeLast().kind == .sequence { depth -= 1 }
    }

    private mutating func stepElement(_ level: Level) throws(DataSetError) {
        let start = position
        if level.kind == .dataSet, isPadding() {
            flags.insert(.trailingBytes)
            position = level.end
            return
        }
        let header = try readHeader(level)
        let tag = header.tag
        if tag.group == 0xFFFE {
            if tag == .itemDelimitationItem, level.kind == .item, level.hasUndefinedLength { return pop() }
            if tag == .sequenceDelimitationItem, level.kind == .item, level.hasUndefinedLength {
                throw .malformed(what: "a sequence ends inside an item", offset: Int64(start))
            }
            // Stray: passed over, with its value if it has one that fits.
            flags.insert(.strayDelimiter)
            if header.length != ElementHeader.undefinedLength, Int(header.length) <= level.end - position {
                position += Int(header.length)
            }
            return
        }
        noteOrder(of: tag)
        let wanted = level.wanted?[tag]
        let path = wanted == nil ? [] : level.path + [tag]
        if header.length == ElementHeader.undefinedLength {
            return try enterUndefined(header, level, wanted: wanted, path: path, start: start)
        }
        let length = Int(header.length)
        guard length <= level.end - position else {
            throw .lengthExceedsBytesLeft(
                tag: tag.description, length: Int64(length), bytesLeft: Int64(level.end - position), offset: Int64(start))
        }
        if try enterDefined(header, level, length: length, wanted: wanted, path: path) { return }
        if case .value? = wanted { collect(path, length: length) }
        position += length
    }

    /// Opens a sequence or fragments of undefined length.
    private mutating func enterUndefined(
        _ header: ElementHeader, _ level: Level, wanted: WantedAttributes?, path: [Tag], start: Int
    ) throws(DataSetError) {
        let isBulk = header.tag == .pixelData || header.vr == VR.ob || header.vr == VR.ow
        if isBulk, header.vr != VR.sq {
            stack.append(
                Level(kind: .fragments, end: level.end, hasUndefinedLength: true, encoding: level.encoding, wanted: nil))
            return
        }
        guard header.vr == nil || header.vr == VR.sq || header.vr == VR.un else {
            throw .malformed(what: "\(header.tag) has undefined length, but is no sequence", offset: Int64(start))
        }
        try push(
            Level(
                kind: .sequence, end: level.end, hasUndefinedLength: true,
                // PS3.5 6.2.2: a sequence as UN is implicit little endian inside, whatever surrounds it.
                encoding: header.vr == VR.un ? .implicitLittle : level.encoding, wanted: Self.items(wanted), path: path))
    }

    /// Opens a sequence of defined length. False: the element is a plain value.
    private mutating func enterDefined(
        _ header: ElementHeader, _ level: Level, length: Int, wanted: WantedAttributes?, path: [Tag]
    ) throws(DataSetError) -> Bool {
        var sequence = Level(
            kind: .sequence, end: position + length, hasUndefinedLength: false, encoding: level.encoding,
            wanted: Self.items(wanted), path: path)
        if header.vr == VR.sq {
            try push(sequence)
            return true
        }
        // Implicit VR and UN do not say what a value is: one that begins like a sequence is walked like one, because
        // another parser may know the tag, and do so.
        guard header.vr == nil || header.vr == VR.un, length >= 8, header.tag.group != Tag.pixelData.group else {
            return false
        }
        if header.vr == VR.un { sequence.encoding = .implicitLittle }
        guard bytes.tag(at: position, bigEndian: sequence.encoding.isBigEndian) == .item else { return false }
        sequence.doubt = Doubt(positionBehindValue: position + length, values: values, flags: flags)
        try push(sequence)
        return true
    }

    private mutating func push(_ sequence: Level) throws(DataSetError) {
        guard depth < Self.maximumDepth else { throw .tooDeep(limit: Self.maximumDepth, offset: Int64(position)) }
        depth += 1
        stack.append(sequence)
    }

    private mutating func stepItem(_ level: Level) throws(DataSetError) {
        let start = position
        let (tag, length) = try readItemHeader(level)
        switch tag {
        case .item:
            let isUndefined = length == ElementHeader.undefinedLength
            if !isUndefined, Int(length) > level.end - position {
                throw .lengthExceedsBytesLeft(
                    tag: tag.description, length: Int64(length), bytesLeft: Int64(level.end - position),
                    offset: Int64(start))
            }
            stack[stack.count - 1].items += 1
            stack.append(
                Level(
                    kind: .item, end: isUndefined ? level.end : position + Int(length), hasUndefinedLength: isUndefined,
                    encoding: level.encoding, wanted: level.items == 0 ? level.wanted : nil, path: level.path))
        case .sequenceDelimitationItem where level.hasUndefinedLength:
            pop()
        case .sequenceDelimitationItem, .itemDelimitationItem:
            flags.insert(.strayDelimiter)
        default:
            throw .malformed(what: "\(tag) stands where an item belongs", offset: Int64(start))
        }
    }

    private mutating func stepFragment(_ level: Level) throws(DataSetError) {
        let start = position
        let (tag, length) = try readItemHeader(level)
        switch tag {
        case .item:
            guard length != ElementHeader.undefinedLength, Int(length) <= level.end - position else {
                throw .lengthExceedsBytesLeft(
                    tag: "fragment", length: Int64(length), bytesLeft: Int64(level.end - position), offset: Int64(start))
            }
            position += Int(length)
        case .sequenceDelimitationItem:
            pop()
        default:
            throw .malformed(what: "\(tag) stands where a fragment belongs", offset: Int64(start))
        }
    }

    // MARK: - Values

    private static func items(_ wanted: WantedAttributes?) -> [Tag: WantedAttributes]? {
        if case .firstItem(let attributes)? = wanted { attributes } else { nil }
    }

    private mutating func collect(_ path: [Tag], length: Int) {
        guard values[path] == nil else { return }
        if length > Self.maximumValueBytes { flags.insert(.valueCut) }
        let end = position + min(length, Self.maximumValueBytes)
        values[path] = Array(bytes[position..<end])
    }

    private mutating func noteOrder(of tag: Tag) {
        let index = stack.count - 1
        if let last = stack[index].lastTag {
            if tag == last { flags.insert(.duplicateAttribute) }
            if tag < last { flags.insert(.outOfOrder) }
        }
        stack[index].lastTag = tag
        if stack[index].kind == .dataSet, tag.group < 0x0008 { flags.insert(.strayGroup) }
    }

    // MARK: - Headers

    /// Fewer bytes than a header, or nothing but zeros, behind the last element.
    private mutating func isPadding() -> Bool {
        if bytes.count - position < 8 { return true }
        guard bytes.number32(at: position, bigEndian: false) == 0 else { return false }
        // Found once: an object made of elements (0000,0000) must not make this quadratic.
        if endOfContent == nil { endOfContent = bytes.lastIndex(where: { $0 != 0 }).map { $0 + 1 } ?? 0 }
        return position >= endOfContent ?? 0
    }

    private mutating func readHeader(_ level: Level) throws(DataSetError) -> ElementHeader {
        let header = try ElementHeader(bytes, at: position, end: level.end, encoding: level.encoding)
        if header.hasUnknownVR { flags.insert(.unknownVR) }
        position += header.size
        return header
    }

    private mutating func readItemHeader(_ level: Level) throws(DataSetError) -> (Tag, UInt32) {
        // As in implicit VR: items, delimiters and fragments have none.
        let header = try ElementHeader(
            bytes, at: position, end: level.end, encoding: level.encoding, isItem: true)
        position += header.size
        return (header.tag, header.length)
    }

    /// Looks at the first element: files exist whose elements are not encoded as their transfer syntax says.
    private mutating func settleEncoding() {
        guard bytes.count >= 8 else { return }
        let vr = UInt16(bytes[4]) << 8 | UInt16(bytes[5])
        switch encoding {
        case .implicitLittle:
            // As an implicit length, a VR's letters mean 16 kB at least: more than any first element has.
            guard VR.known.contains(vr), bytes.tag(at: 0, bigEndian: false).group <= 0x0008 else { return }
            encoding = .explicitLittle
            flags.insert(.wrongVREncoding)
        case .explicitLittle:
            guard !VR.isTwoLetters(vr), Int(bytes.number32(at: 4, bigEndian: false)) <= bytes.count - 8 else { return }
            guard bytes.tag(at: 0, bigEndian: false).group <= 0x0008 else { return }
            encoding = .implicitLittle
            flags.insert(.wrongVREncoding)
        case .explicitBig:
            return
        }
    }
}
