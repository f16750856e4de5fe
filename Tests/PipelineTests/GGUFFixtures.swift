import Foundation
import RaDialogPipeline

/// A GGUF file in memory, right or wrong as the test wants it.
struct GGUFBytes {
    var bytes: [UInt8] = []

    /// A header with these counts.
    init(version: UInt32 = 3, tensors: UInt64 = 0, entries: UInt64 = 0) {
        bytes = Array("GGUF".utf8)
        add(version)
        add(tensors)
        add(entries)
    }

    mutating func add(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    mutating func addInfo(_ name: String, shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        add(name)
        add(UInt32(shape.count))
        for side in shape.reversed() { add(side) }
        add(type)
        add(offset)
    }

    /// The end of the infos, and `count` bytes of tensors.
    mutating func addData(_ count: Int) {
        while bytes.count % 32 != 0 { bytes.append(0) }
        bytes += [UInt8](repeating: 1, count: count)
    }
}

extension ScratchFolder {
    func gguf(_ bytes: [UInt8]) throws -> GGUF {
        try write(bytes, as: "file.gguf")
        return try GGUF(path: path + "/file.gguf")
    }

    /// Writes with the writer, in pieces of `piece` bytes.
    func writeGGUF(
        _ name: String, metadata: [(key: String, value: GGUFWriter.Value)], tensors: [(GGUFWriter.Tensor, [UInt8])], piece: Int = 1 << 20
    ) throws -> String {
        let file = path + "/" + name
        _ = FileManager.default.createFile(atPath: file, contents: nil)
        let handle = try FileHandle(forWritingTo: URL(filePath: file))
        let writer = try GGUFWriter(descriptor: handle.fileDescriptor, path: file, metadata: metadata, tensors: tensors.map(\.0))
        for (_, bytes) in tensors {
            for start in stride(from: 0, to: bytes.count, by: piece) {
                try bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { try writer.append($0) }
            }
        }
        let count = try writer.finish()
        try handle.close()
        let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
        precondition(size == count, "the writer counts its bytes")
        return file
    }
}
