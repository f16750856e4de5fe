/// A zip archive of stored entries as tests want it, and pickles byte by byte.
struct ZipFile {
    var entries: [(name: String, bytes: [UInt8])]
    /// Written into the headers; 0 is stored.
    var method: UInt16 = 0
    var flags: UInt16 = 0
    var comment: [UInt8] = []

    init(_ entries: [(String, [UInt8])]) { self.entries = entries.map { (name: $0.0, bytes: $0.1) } }

    /// A checkpoint of one storage, "0".
    static func tensor(pickle: [UInt8], storage: [UInt8]) -> ZipFile {
        ZipFile([("archive/data.pkl", pickle), ("archive/data/0", storage)])
    }

    static func little<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

    var bytes: [UInt8] {
        var data: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let offset = UInt32(data.count)
            let name = Array(entry.name.utf8)
            let size = Self.little(UInt32(entry.bytes.count))
            let common = Self.little(flags) + Self.little(method) + [UInt8](repeating: 0, count: 8) + size + size + Self.little(UInt16(name.count))
            data += Self.little(UInt32(0x0403_4B50)) + Self.little(UInt16(20)) + common + Self.little(UInt16(0)) + name + entry.bytes
            directory += Self.little(UInt32(0x0201_4B50)) + Self.little(UInt32(20)) + common + [UInt8](repeating: 0, count: 12) + Self.little(offset) + name
        }
        let count = Self.little(UInt16(entries.count))
        return data + directory + Self.little(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + count + count + Self.little(UInt32(directory.count))
            + Self.little(UInt32(data.count)) + Self.little(UInt16(comment.count)) + comment
    }
}

/// Pieces of pickles.
enum Pickle {
    static func text(_ text: String) -> [UInt8] { [0x58] + ZipFile.little(UInt32(text.utf8.count)) + Array(text.utf8) }
    static func global(_ module: String, _ name: String) -> [UInt8] { [0x63] + Array("\(module)\n\(name)\n".utf8) }
    static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + ZipFile.little(Int64(value)) }
    static func tuple(_ parts: [[UInt8]]) -> [UInt8] { [0x28] + parts.flatMap { $0 } + [0x74] }
    static func whole(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + [0x2E] }

    /// A whole pickle.
    static func dictionary(_ members: [(String, [UInt8])]) -> [UInt8] {
        whole([0x7D, 0x28] + members.flatMap { text($0.0) + $0.1 } + [0x75])
    }

    /// A tensor on storage "0", of four floats unless told otherwise.
    static func tensor(offset: Int = 0, shape: [Int] = [2, 2], strides: [Int] = [2, 1], elements: Int = 4, type: String = "FloatStorage", key: String = "0") -> [UInt8] {
        let storage = tuple([text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)]) + [0x51]
        let arguments = tuple([storage, integer(offset), tuple(shape.map(integer)), tuple(strides.map(integer)), [0x89], [0x7D]])
        return global("torch._utils", "_rebuild_tensor_v2") + arguments + [0x52]
    }
}
