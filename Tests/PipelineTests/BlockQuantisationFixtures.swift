import Foundation
import RaDialogPipeline

/// fixtures/blocks, written by reference/write_blocks.py: golden blocks of the `gguf` Python package.
enum BlockFixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fixtures/blocks")
    /// Of every fixture's rows.
    static let columns = 512

    static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: folder.appending(path: name))) }

    static func floats(_ name: String) throws -> [Float] {
        try bytes(name).withUnsafeBytes { raw in
            (0..<raw.count / 4).map { Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))) }
        }
    }
}

extension BlockType {
    static let quantised: [BlockType] = [.q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_K, .q5_K, .q6_K]

    func dequantized(_ pool: KernelPool, _ bytes: [UInt8], columns: Int) -> [Float] {
        let rows = bytes.count / (rowBytes(columns: columns) ?? 1)
        let target = Activations(rows: rows, columns: columns)
        bytes.withUnsafeBytes { dequantize(pool, $0, rows: rows, columns: columns, into: target.pointer) }
        return target.array
    }

    /// The bytes, or the first row that was refused.
    func quantized(_ pool: KernelPool, _ values: [Float], columns: Int) -> (bytes: [UInt8], refused: Int?) {
        let rows = values.count / columns
        var bytes = [UInt8](repeating: 0xAA, count: rows * (rowBytes(columns: columns) ?? 0))
        let refused = bytes.withUnsafeMutableBytes { quantize(pool, values, rows: rows, columns: columns, into: $0) }
        return (bytes, refused)
    }
}
