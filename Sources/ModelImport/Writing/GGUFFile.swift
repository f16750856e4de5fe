import RaDialogPipeline

/// A language model as a GGUF file, written from front to back: memory is a few row blocks.
struct GGUFFile {
    let metadata: [(key: String, value: GGUFWriter.Value)]
    let entries: [Entry]
    let pool: KernelPool

    struct Entry {
        var weights: any RowsOfWeights
        /// GGUF's.
        var name: String
        var type: BlockType
    }

    /// - Parameter advance: gets the count of numbers of every step that is written.
    func write(_ descriptor: Int32, _ path: String, advance: (Int) throws -> Void) throws {
        do {
            let tensors = entries.map { GGUFWriter.Tensor(name: $0.name, type: $0.type, shape: $0.weights.shape) }
            let writer = try GGUFWriter(descriptor: descriptor, path: path, metadata: metadata, tensors: tensors)
            for entry in entries {
                try entry.weights.forEachStep(as: entry.type, pool) { rows, blocks in
                    try writer.append(blocks)
                    try advance(rows.count * entry.weights.columns)
                }
            }
            _ = try writer.finish()
        } catch let error as WeightsError {
            throw ImportError(error)
        }
    }
}

extension GGUFFile {
    /// The base with its adapter merged, in llama.cpp's names and row order.
    /// - Throws: `ImportError.missingTensor` for a weight that GGUF has no name for.
    init(merging weights: LanguageModelWeights, type: BlockType, name: String, pool: KernelPool) throws(ImportError) {
        let model = weights.configuration
        var entries: [Entry] = []
        for tensor in weights.tensors {
            guard let stored = GGUFNames.gguf(tensor.name) else { throw .missingTensor(path: weights.path, name: tensor.name) }
            let merged = MergedRows(weights: weights, tensor: tensor)
            let isRotated = tensor.name.hasSuffix("q_proj.weight") || tensor.name.hasSuffix("k_proj.weight")
            entries.append(
                Entry(
                    weights: isRotated ? InterleavedHeads(base: merged, headDimension: model.hidden / model.heads) : merged, name: stored,
                    type: StoredType.of(stored, shape: tensor.shape, wanted: type, tiedEmbeddings: model.tiedEmbeddings)))
        }
        var metadata: [(key: String, value: GGUFWriter.Value)] = [
            ("general.architecture", .string("llama")), ("general.name", .string(name)),
            ("llama.vocab_size", .uint32(UInt32(weights.vocabulary))), ("llama.context_length", .uint32(UInt32(model.context))),
            ("llama.embedding_length", .uint32(UInt32(model.hidden))), ("llama.block_count", .uint32(UInt32(model.layers))),
            ("llama.feed_forward_length", .uint32(UInt32(model.feedForward))),
            ("llama.attention.head_count", .uint32(UInt32(model.heads))), ("llama.attention.head_count_kv", .uint32(UInt32(model.keyValueHeads))),
            ("llama.attention.layer_norm_rms_epsilon", .float32(Float(model.rmsNormEpsilon))),
            ("llama.rope.freq_base", .float32(Float(model.ropeTheta))), ("llama.rope.dimension_count", .uint32(UInt32(model.hidden / model.heads))),
        ]
        if let scaling = model.ropeScaling, scaling.kind == "linear", let factor = scaling.numbers["factor"] {
            metadata.append(("llama.rope.scaling.type", .string("linear")))
            metadata.append(("llama.rope.scaling.factor", .float32(Float(factor))))
        }
        self.init(metadata: metadata, entries: entries, pool: pool)
    }

    /// A GGUF file again, its matrices in another type.
    init(requantizing source: GGUF, type: BlockType, pool: KernelPool) throws(WeightsError) {
        let isTied = source.block("output.weight") == nil
        let entries = source.storedNames.compactMap { source.block($0) }.map { tensor in
            Entry(
                weights: StoredRows(block: tensor, path: source.path), name: tensor.name,
                type: StoredType.of(tensor.name, shape: tensor.shape, wanted: type, tiedEmbeddings: isTied))
        }
        self.init(metadata: try source.copiedMetadata(), entries: entries, pool: pool)
    }

    /// A GGUF file without its tensors: what it says of the model, and the vocabulary.
    init(vocabularyOf source: GGUF, pool: KernelPool) throws(WeightsError) {
        self.init(metadata: try source.copiedMetadata(), entries: [], pool: pool)
    }
}

extension GGUF {
    /// What this program and llama.cpp read of a model and its vocabulary; keys of kinds that no such key has are left behind.
    fileprivate func copiedMetadata() throws(WeightsError) -> [(key: String, value: GGUFWriter.Value)] {
        var values: [(key: String, value: GGUFWriter.Value)] = []
        for key in keys where !["general.alignment", "general.file_type", "general.quantization_version"].contains(key) {
            if let value = try copied(key) { values.append((key, value)) }
        }
        return values
    }

    private func copied(_ key: String) throws(WeightsError) -> GGUFWriter.Value? {
        guard let (type, element, _) = self.type(of: key) else { return nil }
        switch (type, element) {
        case (.string, _): return try string(key).map { .string($0) }
        case (.boolean, _): return try boolean(key).map { .boolean($0) }
        case (.float32, _), (.float64, _): return try real(key).map { .float32(Float($0)) }
        case (.array, .string?): return try strings(key).map { .strings($0) }
        case (.array, .float32?): return try floats(key).map { .floats($0) }
        case (.array, .int32?), (.array, .uint32?): return try int32s(key).map { .int32s($0) }
        case (.array, _): return nil
        default: return try integer(key).map { number in UInt32(exactly: number).map { .uint32($0) } ?? .int32(Int32(clamping: number)) }
        }
    }
}
