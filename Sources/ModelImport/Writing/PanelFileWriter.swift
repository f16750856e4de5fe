import Foundation
import RaDialogPipeline

/// A language model as a file of panels (`PanelFile`), written from front to back: memory is a few row blocks.
struct PanelFileWriter {
    private let pool: KernelPool

    private struct Entry {
        var weights: any RowsOfWeights
        /// nil for a norm, which stays as it is.
        var type: BlockType?
        var byteCount: Int

        var storedName: String { type.map { PanelFile.storedName(weights.name, $0) } ?? weights.name }
    }

    /// In the file's order: matrices first, whose sizes are multiples of 64, so that each of them is aligned; norms behind them.
    private let entries: [Entry]

    /// nil where a matrix would have a type or a width that panels do not have.
    /// - Parameter type: of a matrix, by its Hugging Face name.
    init?(_ weights: [any RowsOfWeights], pool: KernelPool, type: (any RowsOfWeights) -> BlockType) {
        self.pool = pool
        var matrices: [Entry] = []
        var norms: [Entry] = []
        for tensor in weights {
            guard tensor.shape.count == 2 else {
                norms.append(Entry(weights: tensor, type: nil, byteCount: tensor.shape.reduce(4, *)))
                continue
            }
            let type = type(tensor)
            guard let bytes = PanelMatrix.byteCount(type, rows: tensor.shape[0], columns: tensor.shape[1]) else { return nil }
            matrices.append(Entry(weights: tensor, type: type, byteCount: bytes))
        }
        entries = matrices + norms
    }

    /// - Parameter advance: gets the numbers of every block that is written.
    func write(_ descriptor: Int32, _ path: String, advance: (Int) throws -> Void) throws {
        try writeHeader(descriptor, path)
        for entry in entries {
            if let type = entry.type {
                try writeMatrix(entry.weights, as: type, descriptor, path, advance)
            } else {
                try entry.weights.forEachStep(as: .f32, pool) { rows, bytes in
                    try writeAll(descriptor, path, bytes)
                    try advance(rows.count * entry.weights.columns)
                }
            }
        }
    }

    private func writeHeader(_ descriptor: Int32, _ path: String) throws {
        var header: [String: Any] = [:]
        var offset = 0
        for entry in entries {
            header[entry.storedName] = [
                "dtype": entry.type == nil ? "F32" : "U8", "shape": entry.type == nil ? entry.weights.shape : [entry.byteCount],
                "data_offsets": [offset, offset + entry.byteCount],
            ] as [String: Any]
            offset += entry.byteCount
        }
        var text = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
        // Blanks may follow the header: the data begins at a multiple of 64 behind the eight bytes of its length.
        let length = (text.count + 8 + PanelMatrix.alignment - 1) / PanelMatrix.alignment * PanelMatrix.alignment - 8
        text.append(contentsOf: [UInt8](repeating: UInt8(ascii: " "), count: length - text.count))
        var stored = UInt64(length).littleEndian
        try withUnsafeBytes(of: &stored) { try writeAll(descriptor, path, $0) }
        try text.withUnsafeBytes { try writeAll(descriptor, path, $0) }
    }

    private func writeMatrix(
        _ weights: any RowsOfWeights, as type: BlockType, _ descriptor: Int32, _ path: String, _ advance: (Int) throws -> Void
    ) throws {
        let columns = weights.columns
        // As many as the first step has, which no later one exceeds.
        var panels = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        defer { panels.deallocate() }
        try weights.forEachStep(as: type, rowsInMultiplesOf: PanelMatrix.panelRows, pool) { rows, blocks in
            guard let bytes = PanelMatrix.byteCount(type, rows: rows.count, columns: columns) else {
                throw ImportError.unsupported(path: path, reason: "\(weights.name) as \(type) in panels")
            }
            if panels.count < bytes {
                panels.deallocate()
                panels = .allocate(byteCount: bytes, alignment: 64)
            }
            let target = UnsafeMutableRawBufferPointer(rebasing: panels[..<bytes])
            if let bad = PanelMatrix.pack(pool, type, blocks, rows: rows.count, columns: columns, into: target) {
                throw ImportError.unsupported(
                    path: weights.path, reason: "row \(rows.lowerBound + bad) of \(weights.described) has a number or a scale that is not finite in \(type)")
            }
            try writeAll(descriptor, path, UnsafeRawBufferPointer(target))
            try advance(rows.count * columns)
        }
    }
}
