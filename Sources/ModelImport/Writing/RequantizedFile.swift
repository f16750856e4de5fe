import RaDialogPipeline

/// A GGUF file again, its matrices in another type, written from front to back: memory is a few row blocks.
struct RequantizedFile {
    let source: GGUF
    let type: BlockType
    let pool: KernelPool

    /// Floats of one block of rows.
    private static let blockFloats = 1 << 22

    /// - Parameter progress: numbers written so far, and in all.
    func write(_ descriptor: Int32, _ path: String, progress: (Int, Int) -> Void) throws {
        let inputs = source.storedNames.compactMap { source.block($0) }
        let tensors = inputs.map { tensor in
            GGUFWriter.Tensor(name: tensor.name, type: StoredType.of(tensor.name, shape: tensor.shape, wanted: type, tiedEmbeddings: source.block("output.weight") == nil), shape: tensor.shape)
        }
        let total = inputs.reduce(0) { $0 + $1.rows * $1.columns }
        var done = 0
        do {
            let writer = try GGUFWriter(descriptor: descriptor, path: path, metadata: Self.metadata(of: source), tensors: tensors)
            for (input, output) in zip(inputs, tensors) {
                try write(input, as: output.type, writer) {
                    done += $0
                    progress(done, total)
                }
            }
            _ = try writer.finish()
        } catch let error as WeightsError {
            throw ImportError(error)
        }
    }

    private func write(_ tensor: BlockTensor, as type: BlockType, _ writer: GGUFWriter, _ advance: (Int) -> Void) throws {
        if tensor.type == type {
            try writer.append(tensor.bytes)
            return advance(tensor.rows * tensor.columns)
        }
        let step = max(1, min(tensor.rows, Self.blockFloats / tensor.columns))
        let floats = Activations(rows: step, columns: tensor.columns)
        guard let rowBytes = type.rowBytes(columns: tensor.columns) else {
            throw ImportError.unsupported(path: source.path, reason: "rows of \(tensor.columns) in \(tensor.name) are not whole blocks of \(type)")
        }
        let blocks = UnsafeMutableRawBufferPointer.allocate(byteCount: step * rowBytes, alignment: 64)
        defer { blocks.deallocate() }
        for first in stride(from: 0, to: tensor.rows, by: step) {
            let count = min(step, tensor.rows - first)
            let range = first * tensor.rowBytes..<(first + count) * tensor.rowBytes
            tensor.type.dequantize(
                pool, UnsafeRawBufferPointer(rebasing: tensor.bytes[range]), rows: count, columns: tensor.columns, into: floats.pointer)
            if let bad = type.quantize(pool, floats.pointer, rows: count, columns: tensor.columns, into: blocks) {
                throw ImportError.unsupported(
                    path: source.path, reason: "row \(first + bad) of \(tensor.name) has a number that is not finite, or too large for \(type)")
            }
            try writer.append(UnsafeRawBufferPointer(rebasing: blocks[..<(count * rowBytes)]))
            advance(count * tensor.columns)
        }
    }

    /// The file without its tensors: model and vocabulary as metadata.
    static func writeVocabulary(of source: GGUF, _ descriptor: Int32, _ path: String) throws {
        do throws(WeightsError) {
            _ = try GGUFWriter(descriptor: descriptor, path: path, metadata: metadata(of: source), tensors: []).finish()
        } catch {
            throw ImportError(error)
        }
    }

    /// What this program and llama.cpp read of a model and its vocabulary; keys of kinds that no such key has are left behind.
    private static func metadata(of source: GGUF) throws(WeightsError) -> [(key: String, value: GGUFWriter.Value)] {
        var values: [(key: String, value: GGUFWriter.Value)] = []
        for key in source.keys where !["general.alignment", "general.file_type", "general.quantization_version"].contains(key) {
            if let value = try value(of: key, in: source) { values.append((key, value)) }
        }
        return values
    }

    private static func value(of key: String, in source: GGUF) throws(WeightsError) -> GGUFWriter.Value? {
        guard let (type, element, _) = source.type(of: key) else { return nil }
        switch (type, element) {
        case (.string, _): return try source.string(key).map { .string($0) }
        case (.boolean, _): return try source.boolean(key).map { .boolean($0) }
        case (.float32, _), (.float64, _): return try source.real(key).map { .float32(Float($0)) }
        case (.array, .string?): return try source.strings(key).map { .strings($0) }
        case (.array, .float32?): return try source.floats(key).map { .floats($0) }
        case (.array, .int32?), (.array, .uint32?): return try source.int32s(key).map { .int32s($0) }
        case (.array, _): return nil
        default: return try source.integer(key).map { number in UInt32(exactly: number).map { .uint32($0) } ?? .int32(Int32(clamping: number)) }
        }
    }
}
