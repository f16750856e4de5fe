/// Reader of the safetensors container: 8 bytes little-endian header length, a JSON header, the tensors' bytes.
///
/// Source: https://huggingface.co/docs/safetensors, and the checks of its reference implementation: the tensors lie in order,
/// without overlap and without holes, from the first byte behind the header to the last byte of the file. Everything is
/// checked before `init` returns; nothing is allocated on the word of a length in the file.
package struct Safetensors: TensorSource {
    /// As the reference implementation has it.
    static let maximumHeaderBytes = 100_000_000
    /// Far above any model's; keeps a hostile header from costing more memory than it has bytes.
    static let maximumTensors = 100_000
    static let maximumNameBytes = 1024
    static let maximumRank = 8

    private let file: MappedFile
    private let entries: [String: Entry]

    package var path: String { file.path }
    package var names: [String] { entries.keys.sorted() }

    struct Entry {
        var type: TensorType
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
        do {
            entries = try Self.entries(of: file.bytes)
        } catch {
            throw .malformed(path: file.path, reason: "\(error.reason) (header offset \(error.offset))")
        }
    }

    package func find(_ name: String) -> TensorView? {
        guard let entry = entries[name] else { return nil }
        return TensorView(
            name: name, type: entry.type, shape: entry.shape, bytes: UnsafeRawBufferPointer(rebasing: file.bytes[entry.range]),
            owner: file)
    }

    package func letGo() { file.discard(file.bytes) }

    private static func entries(of bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> [String: Entry] {
        let lengthBytes = 8
        guard bytes.count >= lengthBytes else { throw JSONSyntaxError(offset: 0, reason: "the file has \(bytes.count) bytes") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(maximumHeaderBytes), length <= UInt64(bytes.count - lengthBytes) else {
            throw JSONSyntaxError(offset: 0, reason: "the header claims \(length) bytes in a file of \(bytes.count)")
        }
        let start = lengthBytes + Int(length)
        let header = UnsafeRawBufferPointer(rebasing: bytes[lengthBytes..<start])
        guard header.first == UInt8(ascii: "{") else { throw JSONSyntaxError(offset: 0, reason: "the header does not start with '{'") }

        var entries: [String: Entry] = [:]
        var reader = JSONReader(header)
        try reader.object { reader, name throws(JSONSyntaxError) in
            guard name.utf8.count <= maximumNameBytes else { throw reader.failure("a name of more than \(maximumNameBytes) bytes") }
            guard name != "__metadata__" else {
                try reader.object { reader, _ throws(JSONSyntaxError) in _ = try reader.string() }
                return
            }
            guard entries.count < maximumTensors else { throw reader.failure("more than \(maximumTensors) tensors") }
            entries[name] = try entry(&reader, name: name, start: start, fileBytes: bytes.count)
        }
        try reader.end()
        try checkNoHoles(entries, start: start, end: bytes.count)
        return entries
    }

    /// One tensor's object: dtype, shape, data_offsets, and nothing else.
    private static func entry(
        _ reader: inout JSONReader, name: String, start: Int, fileBytes: Int
    ) throws(JSONSyntaxError) -> Entry {
        var type: TensorType?
        var shape: [Int]?
        var offsets: [Int]?
        try reader.object { reader, key throws(JSONSyntaxError) in
            switch key {
            case "dtype":
                let text = try reader.string()
                type = TensorType(rawValue: text)
                guard type != nil else { throw reader.failure("tensor \"\(name)\" has the unknown dtype \"\(text.prefix(40))\"") }
            case "shape": shape = try naturals(&reader, atMost: maximumRank)
            case "data_offsets": offsets = try naturals(&reader, atMost: 2)
            default: throw reader.failure("tensor \"\(name)\" has the unknown key \"\(key.prefix(40))\"")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw reader.failure("tensor \"\(name)\" lacks dtype, shape or two data_offsets")
        }
        guard offsets[0] <= offsets[1], offsets[1] <= fileBytes - start else {
            throw reader.failure("tensor \"\(name)\" lies at \(offsets[0])..<\(offsets[1]) of \(fileBytes - start) bytes")
        }
        var size = type.bytesPerElement
        for side in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: side)
            guard !overflow else { throw reader.failure("tensor \"\(name)\" has the impossible shape \(shape)") }
            size = product
        }
        guard size == offsets[1] - offsets[0] else {
            throw reader.failure("tensor \"\(name)\" of shape \(shape) needs \(size) bytes and has \(offsets[1] - offsets[0])")
        }
        return Entry(type: type, shape: shape, range: start + offsets[0]..<start + offsets[1])
    }

    private static func naturals(_ reader: inout JSONReader, atMost limit: Int) throws(JSONSyntaxError) -> [Int] {
        var values: [Int] = []
        try reader.array { reader throws(JSONSyntaxError) in
            guard values.count < limit else { throw reader.failure("more than \(limit) numbers in an array") }
            values.append(try reader.natural())
        }
        return values
    }

    private static func checkNoHoles(_ entries: [String: Entry], start: Int, end: Int) throws(JSONSyntaxError) {
        var next = start
        let ordered = entries.sorted { ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound) }
        for (name, entry) in ordered {
            guard entry.range.lowerBound == next else {
                let what = entry.range.lowerBound < next ? "overlaps the one before it" : "leaves unused bytes in front of it"
                throw JSONSyntaxError(offset: 0, reason: "tensor \"\(name)\" \(what)")
            }
            next = entry.range.upperBound
        }
        guard next == end else { throw JSONSyntaxError(offset: 0, reason: "the tensors end at byte \(next) of \(end)") }
    }
}
