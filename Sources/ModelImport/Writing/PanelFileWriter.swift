import Foundation
import RaDialogPipeline

/// One weight of a language model on its way into a file.
protocol RowsOfWeights {
    /// Hugging Face's.
    var name: String { get }
    var shape: [Int] { get }
    /// Reads what all rows need; kept only while the weight is written.
    func open() throws -> any OpenRows
}

/// An open weight.
protocol OpenRows {
    /// Writes rows as blocks of `type`; of a vector, all of it as one row.
    /// - Parameter floats: room for the rows' numbers.
    /// - Throws: `ImportError` where a number is not finite, or too large for the type.
    func write(_ rows: Range<Int>, as type: BlockType, _ pool: KernelPool, floats: Activations, into blocks: UnsafeMutableRawBufferPointer) throws
}

/// A language model as a file of panels (`PanelFile`), written from front to back: memory is a few row blocks.
struct PanelFileWriter {
    private let pool: KernelPool

    /// Floats of one block of rows.
    private static let blockFloats = 1 << 22

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
                let count = entry.weights.shape.reduce(1, *)
                let floats = Activations(rows: 1, columns: count)
                let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.byteCount, alignment: 64)
                defer { bytes.deallocate() }
                try entry.weights.open().write(0..<1, as: .f32, pool, floats: floats, into: bytes)
                try writeAll(descriptor, path, UnsafeRawBufferPointer(bytes))
                try advance(count)
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
        let (rows, columns) = (weights.shape[0], weights.shape[1])
        let step = min(rows, max(1, Self.blockFloats / columns / PanelMatrix.panelRows) * PanelMatrix.panelRows)
        guard let rowBytes = type.rowBytes(columns: columns), let packedBytes = PanelMatrix.byteCount(type, rows: step, columns: columns) else {
            throw ImportError.unsupported(path: path, reason: "\(weights.name) as \(type) in panels")
        }
        let floats = Activations(rows: step, columns: columns)
        let blocks = UnsafeMutableRawBufferPointer.allocate(byteCount: step * rowBytes, alignment: 64)
        let panels = UnsafeMutableRawBufferPointer.allocate(byteCount: packedBytes, alignment: 64)
        defer {
            blocks.deallocate()
            panels.deallocate()
        }
        let open = try weights.open()
        for first in stride(from: 0, to: rows, by: step) {
            let count = min(step, rows - first)
            let filled = UnsafeMutableRawBufferPointer(rebasing: blocks[..<(count * rowBytes)])
            try open.write(first..<first + count, as: type, pool, floats: floats, into: filled)
            let bytes = PanelMatrix.byteCount(type, rows: count, columns: columns) ?? 0
            let target = UnsafeMutableRawBufferPointer(rebasing: panels[..<bytes])
            if let bad = PanelMatrix.pack(pool, type, UnsafeRawBufferPointer(filled), rows: count, columns: columns, into: target) {
                throw ImportError.unsupported(path: path, reason: "row \(first + bad) of \(weights.name) has a number or a scale that is not finite in \(type)")
            }
            try writeAll(descriptor, path, UnsafeRawBufferPointer(target))
            try advance(count * columns)
        }
    }
}

/// A weight of the base model with the adapter merged.
struct MergedRows: RowsOfWeights {
    let weights: LanguageModelWeights
    let tensor: LlamaConfiguration.Tensor

    var name: String { tensor.name }
    var shape: [Int] { tensor.shape }

    func open() throws -> any OpenRows { Open(merged: try weights.open(tensor.name), path: weights.path) }

    private struct Open: OpenRows {
        let merged: MergedTensor
        let path: String

        func write(_ rows: Range<Int>, as type: BlockType, _ pool: KernelPool, floats: Activations, into blocks: UnsafeMutableRawBufferPointer) throws {
            // One row of a vector is all of it.
            let isVector = merged.shape.count == 1
            let columns = merged.shape.last ?? 1
            let buffer = UnsafeMutableBufferPointer(rebasing: floats.buffer[..<(rows.count * columns)])
            try merged.read(rows: isVector ? 0..<merged.rows : rows, into: buffer, pool: pool)
            guard let bad = type.quantize(pool, floats.pointer, rows: rows.count, columns: columns, into: blocks) else { return }
            let row = "row \(rows.lowerBound + bad) of \(merged.name), with the adapter merged, has a number that is"
            guard UnsafeBufferPointer(start: floats.row(bad), count: columns).allSatisfy(\.isFinite) else {
                throw ImportError.malformed(path: path, reason: "\(row) not finite")
            }
            throw ImportError.unsupported(path: path, reason: "\(row) too large for \(type): use none")
        }
    }
}

/// A weight of a GGUF file, its rows in the order of Hugging Face.
struct StoredRows: RowsOfWeights, OpenRows {
    let block: BlockTensor
    let path: String

    var name: String { block.name }
    var shape: [Int] { block.shape }

    func open() -> any OpenRows { self }

    func write(_ rows: Range<Int>, as type: BlockType, _ pool: KernelPool, floats: Activations, into blocks: UnsafeMutableRawBufferPointer) throws {
        let columns = shape.last ?? 1
        if block.type == type {
            for (place, row) in rows.enumerated() {
                UnsafeMutableRawBufferPointer(rebasing: blocks[(place * block.rowBytes)...]).copyMemory(from: block.row(row))
            }
            return
        }
        for (place, row) in rows.enumerated() { block.dequantizeRow(row, into: floats.row(place)) }
        if let bad = type.quantize(pool, floats.pointer, rows: rows.count, columns: columns, into: blocks) {
            throw ImportError.unsupported(
                path: path, reason: "row \(rows.lowerBound + bad) of \(name) has a number that is not finite, or too large for \(type)")
        }
    }
}
