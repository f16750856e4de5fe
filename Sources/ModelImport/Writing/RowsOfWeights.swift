import RaDialogPipeline

/// One weight of a language model on its way into a file.
protocol RowsOfWeights {
    /// Hugging Face's, or GGUF's where the weight comes from there and goes there.
    var name: String { get }
    /// Row-major. A vector is one row.
    var shape: [Int] { get }
    /// The file or folder that errors name.
    var path: String { get }
    /// What errors call the weight.
    var described: String { get }
    /// Rows that have to be read together: blocks begin at multiples of it.
    var rowGroup: Int { get }
    /// Reads what all rows need; kept only while the weight is written.
    func open() throws -> any OpenRows
}

/// An open weight.
protocol OpenRows {
    /// Writes rows' numbers, row after row.
    func read(_ rows: Range<Int>, into floats: UnsafeMutablePointer<Float>, _ pool: KernelPool) throws
    /// Copies rows that are stored as blocks of `type` already; false, and nothing written, where they are not.
    func copy(_ rows: Range<Int>, as type: BlockType, into blocks: UnsafeMutableRawBufferPointer) -> Bool
}

extension RowsOfWeights {
    var described: String { name }
    var rowGroup: Int { 1 }
    var rows: Int { shape.dropLast().reduce(1, *) }
    var columns: Int { shape.last ?? 1 }

    /// All rows as blocks of `type`, a few at a time and in order: memory is one step's numbers and blocks.
    ///
    /// - Parameters:
    ///   - multiple: steps begin at multiples of it.
    ///   - body: gets the rows and their blocks, which are valid during the call.
    /// - Throws: `ImportError` where a number is not finite, or too large for the type; what `body` throws.
    func forEachStep(
        as type: BlockType, rowsInMultiplesOf multiple: Int = 1, _ pool: KernelPool, _ body: (Range<Int>, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let rowBytes = type.rowBytes(columns: columns) else {
            throw ImportError.unsupported(path: path, reason: "rows of \(columns) numbers in \(described) are not whole blocks of \(type)")
        }
        let group = multiple * rowGroup
        let step = min(rows, max(1, RowSteps.floats / max(1, columns) / group) * group)
        let floats = Activations(rows: step, columns: columns)
        let blocks = UnsafeMutableRawBufferPointer.allocate(byteCount: step * rowBytes, alignment: 64)
        defer { blocks.deallocate() }
        let open = try open()
        for first in stride(from: 0, to: rows, by: step) {
            let range = first..<min(first + step, rows)
            let filled = UnsafeMutableRawBufferPointer(rebasing: blocks[..<(range.count * rowBytes)])
            if !open.copy(range, as: type, into: filled) {
                try open.read(range, into: floats.pointer, pool)
                if let bad = type.quantize(pool, floats.pointer, rows: range.count, columns: columns, into: filled) {
                    throw refusal(of: first + bad, UnsafeBufferPointer(start: floats.row(bad), count: columns), type)
                }
            }
            try body(range, UnsafeRawBufferPointer(filled))
        }
    }

    private func refusal(of row: Int, _ numbers: UnsafeBufferPointer<Float>, _ type: BlockType) -> ImportError {
        let number = "row \(row) of \(described) has a number that is"
        guard numbers.allSatisfy(\.isFinite) else { return .malformed(path: path, reason: "\(number) not finite") }
        return .unsupported(path: path, reason: "\(number) too large for \(type): import it without quantisation (none)")
    }
}

private enum RowSteps {
    /// Numbers of one step.
    static let floats = 1 << 22
}

/// A weight of the base model with the adapter merged.
struct MergedRows: RowsOfWeights {
    let weights: LanguageModelWeights
    let tensor: LlamaConfiguration.Tensor

    var name: String { tensor.name }
    var shape: [Int] { tensor.shape }
    var path: String { weights.path }
    var described: String { "\(tensor.name), with the adapter merged," }

    func open() throws -> any OpenRows { Open(merged: try weights.open(tensor.name)) }

    private struct Open: OpenRows {
        let merged: MergedTensor

        func read(_ rows: Range<Int>, into floats: UnsafeMutablePointer<Float>, _ pool: KernelPool) throws {
            let isVector = merged.shape.count == 1
            let count = rows.count * (merged.shape.last ?? 1)
            try merged.read(rows: isVector ? 0..<merged.rows : rows, into: UnsafeMutableBufferPointer(start: floats, count: count), pool: pool)
        }

        func copy(_ rows: Range<Int>, as type: BlockType, into blocks: UnsafeMutableRawBufferPointer) -> Bool { false }
    }
}

/// A weight of a GGUF file, in the order of its tensor.
struct StoredRows: RowsOfWeights, OpenRows {
    let block: BlockTensor
    let path: String

    var name: String { block.name }
    var shape: [Int] { block.shape }

    func open() -> any OpenRows { self }

    func read(_ rows: Range<Int>, into floats: UnsafeMutablePointer<Float>, _ pool: KernelPool) throws {
        let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: rows.count * block.rowBytes, alignment: 64)
        defer { stored.deallocate() }
        gather(rows, into: stored)
        block.type.dequantize(pool, UnsafeRawBufferPointer(stored), rows: rows.count, columns: columns, into: floats)
    }

    func copy(_ rows: Range<Int>, as type: BlockType, into blocks: UnsafeMutableRawBufferPointer) -> Bool {
        guard block.type == type else { return false }
        gather(rows, into: blocks)
        return true
    }

    private func gather(_ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer) {
        for (place, row) in rows.enumerated() {
            UnsafeMutableRawBufferPointer(rebasing: target[(place * block.rowBytes)...]).copyMemory(from: block.row(row))
        }
    }
}

/// The rows of every head in the order of GGUF's rotary embedding.
struct InterleavedHeads: RowsOfWeights {
    let base: any RowsOfWeights
    let headDimension: Int

    var name: String { base.name }
    var shape: [Int] { base.shape }
    var path: String { base.path }
    var described: String { base.described }
    var rowGroup: Int { headDimension }

    func open() throws -> any OpenRows {
        Open(base: try base.open(), columns: base.columns, order: GGUFRotaryRows.interleaved(heads: 1, headDimension: headDimension))
    }

    private struct Open: OpenRows {
        let base: any OpenRows
        let columns: Int
        /// Of the rows of one head.
        let order: [UInt32]

        func read(_ rows: Range<Int>, into floats: UnsafeMutablePointer<Float>, _ pool: KernelPool) throws {
            precondition(rows.lowerBound % order.count == 0 && rows.count % order.count == 0, "whole heads")
            let found = Activations(rows: rows.count, columns: columns)
            try base.read(rows, into: found.pointer, pool)
            for row in 0..<rows.count {
                let within = row % order.count
                (floats + row * columns).update(from: found.row(row - within + Int(order[within])), count: columns)
            }
        }

        func copy(_ rows: Range<Int>, as type: BlockType, into blocks: UnsafeMutableRawBufferPointer) -> Bool { false }
    }
}
