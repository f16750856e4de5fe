import RaDialogPipeline

/// The merged language model as a GGUF file, in llama.cpp's names and row order, written from front to back: memory is a few row blocks.
struct LanguageModelFile {
    let weights: LanguageModelWeights
    let type: BlockType
    let pool: KernelPool

    /// Floats of one block of rows.
    private static let blockFloats = 1 << 22

    /// - Parameter advance: gets the floats of every block that is written.
    func write(_ descriptor: Int32, _ path: String, name: String, advance: (Int) throws -> Void) throws {
        let tensors = try weights.tensors.map { tensor in
            guard let stored = GGUFNames.gguf(tensor.name) else { throw ImportError.missingTensor(path: path, name: tensor.name) }
            let type = StoredType.of(stored, shape: tensor.shape, wanted: type, tiedEmbeddings: weights.configuration.tiedEmbeddings)
            return GGUFWriter.Tensor(name: stored, type: type, shape: tensor.shape)
        }
        do {
            let writer = try GGUFWriter(descriptor: descriptor, path: path, metadata: metadata(name: name), tensors: tensors)
            for (tensor, stored) in zip(weights.tensors, tensors) { try write(tensor, as: stored.type, writer, path, advance) }
            _ = try writer.finish()
        } catch let error as WeightsError {
            throw ImportError(error)
        }
    }

    private func write(
        _ tensor: LlamaConfiguration.Tensor, as type: BlockType, _ writer: GGUFWriter, _ path: String, _ advance: (Int) throws -> Void
    ) throws {
        let merged = try weights.open(tensor.name)
        let rows = tensor.shape.count == 1 ? 1 : merged.rows
        let columns = tensor.shape.last ?? 1
        // Whole heads, so that the rows of one can be reordered within the block.
        let head = weights.configuration.hidden / weights.configuration.heads
        let step = max(1, Self.blockFloats / columns / head) * head
        let isRotated = tensor.name.hasSuffix("q_proj.weight") || tensor.name.hasSuffix("k_proj.weight")
        let order = isRotated ? GGUFRotaryRows.interleaved(heads: 1, headDimension: head) : []
        let floats = Activations(rows: min(step, rows), columns: columns)
        let ordered = isRotated ? Activations(rows: min(step, rows), columns: columns) : floats
        guard let rowBytes = type.rowBytes(columns: columns) else { throw ImportError.unsupported(path: path, reason: "\(tensor.name) as \(type)") }
        let blocks = UnsafeMutableRawBufferPointer.allocate(byteCount: min(step, rows) * rowBytes, alignment: 64)
        defer { blocks.deallocate() }

        for first in stride(from: 0, to: rows, by: step) {
            let range = first..<min(first + step, rows)
            // One row of a vector is all of it.
            try merged.read(rows: tensor.shape.count == 1 ? 0..<merged.rows : range, into: floats.buffer, pool: pool)
            for row in 0..<(isRotated ? range.count : 0) {
                let within = row % head
                ordered.row(row).update(from: floats.row(row - within + Int(order[within])), count: columns)
            }
            if let bad = type.quantize(pool, ordered.pointer, rows: range.count, columns: columns, into: blocks) {
                let row = "row \(first + bad) of \(tensor.name), with the adapter merged, has a number that is"
                guard UnsafeBufferPointer(start: ordered.row(bad), count: columns).allSatisfy(\.isFinite) else {
                    throw ImportError.malformed(path: weights.path, reason: "\(row) not finite")
                }
                throw ImportError.unsupported(path: weights.path, reason: "\(row) too large for \(type): use none")
            }
            try writer.append(UnsafeRawBufferPointer(rebasing: blocks[..<(range.count * rowBytes)]))
            try advance(range.count * columns)
        }
    }

    private func metadata(name: String) -> [(key: String, value: GGUFWriter.Value)] {
        let model = weights.configuration
        var values: [(key: String, value: GGUFWriter.Value)] = [
            ("general.architecture", .string("llama")), ("general.name", .string(name)),
            ("llama.vocab_size", .uint32(UInt32(weights.vocabulary))), ("llama.context_length", .uint32(UInt32(model.context))),
            ("llama.embedding_length", .uint32(UInt32(model.hidden))), ("llama.block_count", .uint32(UInt32(model.layers))),
            ("llama.feed_forward_length", .uint32(UInt32(model.feedForward))),
            ("llama.attention.head_count", .uint32(UInt32(model.heads))), ("llama.attention.head_count_kv", .uint32(UInt32(model.keyValueHeads))),
            ("llama.attention.layer_norm_rms_epsilon", .float32(Float(model.rmsNormEpsilon))),
            ("llama.rope.freq_base", .float32(Float(model.ropeTheta))), ("llama.rope.dimension_count", .uint32(UInt32(model.hidden / model.heads))),
        ]
        if let scaling = model.ropeScaling, scaling.kind == "linear", let factor = scaling.numbers["factor"] {
            values.append(("llama.rope.scaling.type", .string("linear")))
            values.append(("llama.rope.scaling.factor", .float32(Float(factor))))
        }
        return values
    }
}
