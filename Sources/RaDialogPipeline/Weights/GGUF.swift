/// Reader of the GGUF container, versions 2 and 3, little-endian: counts, metadata, tensor infos, the tensors' bytes.
///
/// Source: the GGUF specification (ggml's docs/gguf.md). Everything is checked before `init` returns; what is kept is where things
/// lie in the mapped file, so that memory stays far below the file's size.
package struct GGUF: TensorSource {
    /// Far above any model's; they keep a hostile file from costing more memory than it has bytes, plus some MiB.
    static let maximumTensors = 100_000
    static let maximumEntries = 65_536
    static let maximumNameBytes = 1024
    /// GGML_MAX_DIMS
    static let maximumRank = 4
    static let defaultAlignment = 32
    /// What all arrays of strings may cost as Swift strings, beyond the file's own size.
    static let stringAllowance = 48 << 20

    let file: MappedFile
    /// Metadata by key.
    let entries: [String: GGUFEntry]
    private let infos: [String: Info]

    /// 2 or 3.
    package let version: Int
    /// Of the tensors' offsets, bytes.
    package let alignment: Int
    /// The tensors in the order of the file's infos.
    package let storedNames: [String]

    package var path: String { file.path }
    package var names: [String] { storedNames.sorted() }
    /// Metadata keys, sorted.
    package var keys: [String] { entries.keys.sorted() }

    struct Info {
        var type: BlockType
        var shape: [Int]
        /// Of the file, not of the data section.
        var range: Range<Int>
    }

    /// Maps and checks the file.
    package init(path: String) throws(WeightsError) {
        try self.init(file: try MappedFile(path: path))
    }

    /// Checks a file that is mapped already.
    package init(file: MappedFile) throws(WeightsError) {
        self.file = file
        var cursor = GGUFCursor(file)
        let header = try Self.readHeader(&cursor)
        version = header.version
        entries = try Self.readEntries(&cursor, count: header.entries)
        alignment = try Self.alignment(entries, cursor)
        (storedNames, infos) = try Self.readInfos(&cursor, count: header.tensors, alignment: alignment)
    }

    /// The tensor whatever its type; nil where the file has none of that name.
    package func block(_ name: String) -> BlockTensor? {
        guard let info = infos[name] else { return nil }
        return BlockTensor(
            name: name, type: info.type, shape: info.shape, bytes: UnsafeRawBufferPointer(rebasing: file.bytes[info.range]), order: nil,
            owner: file)
    }

    /// The tensor `name`, which has to have exactly this shape.
    package func block(_ name: String, shape: [Int]) throws(WeightsError) -> BlockTensor {
        guard let tensor = block(name) else { throw .missingTensor(path: path, name: name) }
        guard tensor.shape == shape else { throw .wrongShape(path: path, name: name, found: tensor.shape, expected: shape) }
        return tensor
    }

    /// Only tensors of plain numbers: a `TensorView` has no blocks. `block` and `floats` give every one.
    package func find(_ name: String) -> TensorView? {
        guard let tensor = block(name), let type = tensor.type.elementType else { return nil }
        return TensorView(name: name, type: type, shape: tensor.shape, bytes: tensor.bytes, owner: file)
    }

    /// Blocks are dequantised.
    package func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        try block(name, shape: shape).floats()
    }

    // MARK: Reading

    private static func readHeader(_ cursor: inout GGUFCursor) throws(WeightsError) -> (version: Int, tensors: Int, entries: Int) {
        let magic = try cursor.unsigned(4, "the magic")
        guard magic == 0x4655_4747 else { throw cursor.failure("it does not begin with GGUF") }
        let version = try cursor.unsigned(4, "the version")
        guard version == 2 || version == 3 else {
            let why = version & 0xFFFF == 0 ? "it is a big-endian file" : "GGUF version \(version); this program reads 2 and 3"
            throw cursor.failure(why)
        }
        let tensors = try cursor.unsigned(8, "the number of tensors")
        let entries = try cursor.unsigned(8, "the number of metadata entries")
        guard tensors <= maximumTensors else { throw cursor.failure("it claims \(tensors) tensors, more than \(maximumTensors)") }
        guard entries <= maximumEntries else { throw cursor.failure("it claims \(entries) metadata entries, more than \(maximumEntries)") }
        return (Int(version), Int(tensors), Int(entries))
    }

    private static func readEntries(_ cursor: inout GGUFCursor, count: Int) throws(WeightsError) -> [String: GGUFEntry] {
        var entries: [String: GGUFEntry] = [:]
        for _ in 0..<count {
            let key = try cursor.name("a metadata key", atMost: maximumNameBytes)
            let entry = try GGUFEntry(&cursor, key: key)
            guard entries.updateValue(entry, forKey: key) == nil else { throw cursor.failure("metadata key \"\(key)\" stands twice") }
        }
        return entries
    }

    private static func alignment(_ entries: [String: GGUFEntry], _ cursor: GGUFCursor) throws(WeightsError) -> Int {
        guard let entry = entries["general.alignment"] else { return defaultAlignment }
        guard entry.type == .uint32, entry.element == nil else { throw cursor.failure("general.alignment is not a 32-bit number") }
        let value = cursor.unsigned(at: entry.range)
        guard value > 0, value & (value - 1) == 0 else { throw cursor.failure("general.alignment is \(value), not a power of two") }
        return Int(value)
    }

    private static func readInfos(
        _ cursor: inout GGUFCursor, count: Int, alignment: Int
    ) throws(WeightsError) -> ([String], [String: Info]) {
        var names: [String] = []
        var infos: [String: Info] = [:]
        for _ in 0..<count {
            let name = try cursor.name("a tensor's name", atMost: maximumNameBytes)
            let info = try readInfo(&cursor, name: name, alignment: alignment)
            guard infos.updateValue(info, forKey: name) == nil else { throw cursor.failure("tensor \"\(name)\" stands twice") }
            names.append(name)
        }
        guard count > 0 else { return (names, infos) }

        // The data section begins at the next multiple of the alignment; only now are the offsets in the file known.
        let (padded, overflow) = cursor.offset.addingReportingOverflow(alignment - 1)
        let start = padded / alignment * alignment
        guard !overflow, start <= cursor.count else { throw cursor.failure("the file ends before its tensors begin") }
        for name in names {
            guard let info = infos[name] else { continue }
            guard info.range.upperBound <= cursor.count - start else {
                throw cursor.failure(
                    "tensor \"\(name)\" lies at \(info.range) of a data section of \(cursor.count - start) bytes: the file is cut short")
            }
            infos[name]?.range = info.range.lowerBound + start..<info.range.upperBound + start
        }
        var end = start
        var before = ""
        for (name, info) in infos.sorted(by: { ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound) }) {
            guard info.range.lowerBound >= end || info.range.isEmpty else { throw cursor.failure("tensor \"\(name)\" overlaps \"\(before)\"") }
            end = max(end, info.range.upperBound)
            before = name
        }
        return (names, infos)
    }

    /// The range is still within the data section.
    private static func readInfo(_ cursor: inout GGUFCursor, name: String, alignment: Int) throws(WeightsError) -> Info {
        let rank = try cursor.unsigned(4, "the rank of tensor \"\(name)\"")
        guard rank <= maximumRank else { throw cursor.failure("tensor \"\(name)\" has \(rank) dimensions, more than \(maximumRank)") }
        var shape: [Int] = []
        for _ in 0..<rank {
            let side = try cursor.unsigned(8, "a dimension of tensor \"\(name)\"")
            // An empty side would let the others be anything.
            guard let side = Int(exactly: side), side > 0 else { throw cursor.failure("tensor \"\(name)\" has the impossible side \(side)") }
            shape.insert(side, at: 0)
        }
        let number = try cursor.unsigned(4, "the type of tensor \"\(name)\"")
        guard let type = BlockType(rawValue: UInt32(number)) else {
            throw .wrongType(path: cursor.path, name: name, found: ggmlTypeName(number))
        }
        let offset = try cursor.unsigned(8, "the offset of tensor \"\(name)\"")
        guard let first = Int(exactly: offset), first % alignment == 0 else {
            throw cursor.failure("tensor \"\(name)\" has the offset \(offset), not a multiple of \(alignment)")
        }
        guard var size = type.rowBytes(columns: shape.last ?? 1) else {
            throw cursor.failure("tensor \"\(name)\" of type \(type) and shape \(shape) has rows that are not whole blocks")
        }
        for side in shape.dropLast() {
            let (product, overflow) = size.multipliedReportingOverflow(by: side)
            guard !overflow else { throw cursor.failure("tensor \"\(name)\" has the impossible shape \(shape)") }
            size = product
        }
        let (end, overflow) = first.addingReportingOverflow(size)
        guard !overflow, end <= cursor.count else {
            throw cursor.failure("tensor \"\(name)\" needs \(size) bytes at \(first) in a file of \(cursor.count): the file is cut short")
        }
        return Info(type: type, shape: shape, range: first..<end)
    }

    /// Types that exist but are not read here, for the message.
    private static func ggmlTypeName(_ number: UInt64) -> String {
        let names: [UInt64: String] = [
            9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
            21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0",
            35: "TQ2_0", 39: "MXFP4",
        ]
        return names[number] ?? "number \(number)"
    }
}
