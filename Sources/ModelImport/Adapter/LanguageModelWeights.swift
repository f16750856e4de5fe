import Glibc
package import RaDialogPipeline

/// The language model's weights as they will be used: the base model with the adapter merged, row block by row block.
///
/// `init` checks everything that can be checked without reading weights: every tensor the configuration asks for is there with its shape,
/// every LoRA pair fits exactly one of them and has the configured rank, every targeted layer has its pair, and nothing of the adapter is left over.
package struct LanguageModelWeights: Sendable {
    package let configuration: LlamaConfiguration
    /// Rows of embedding and head: the base model's, or the adapter's where it replaces them.
    package let vocabulary: Int
    /// What the bundle will hold, in the order in which the model reads it.
    package let tensors: [LlamaConfiguration.Tensor]
    /// Tensors of the base checkpoint that the language model does not use, sorted ("…rotary_emb.inv_freq", a vision tower).
    package let unused: [String]

    /// For messages: the base model's folder.
    package var path: String { base.path }

    private let base: any CheckpointTensors
    private let adapter: LoraAdapter?

    /// - Parameter extras: names of the adapter's tensors that are not the language model's and that the caller reads itself with `LoraAdapter.extra`:
    ///   v1's "model.img_proj_layer.weight".
    package init(
        base: any CheckpointTensors, configuration: LlamaConfiguration, adapter: LoraAdapter?, extras: Set<String> = []
    ) throws(ImportError) {
        self.base = base
        self.configuration = configuration
        self.adapter = adapter
        vocabulary = try Self.vocabulary(configuration, adapter)
        tensors = configuration.tensors(vocabulary: vocabulary)
        let present = Set(base.names)
        for tensor in tensors {
            if let key = adapter?.replacements[tensor.name], let adapter {
                try Self.check(adapter.source, key, tensor.shape)
            } else {
                guard present.contains(tensor.name) else { throw .missingTensor(path: base.path, name: tensor.name) }
                try Self.check(base, tensor.name, tensor.shape)
            }
        }
        unused = present.subtracting(tensors.map(\.name)).sorted()
        if let adapter { try Self.check(adapter, tensors, extras) }
    }

    /// One tensor, ready to be read.
    /// - Throws: `ImportError.missingTensor` for a name that is not in `tensors`.
    package func open(_ name: String) throws(ImportError) -> MergedTensor {
        guard let tensor = tensors.first(where: { $0.name == name }) else { throw .missingTensor(path: base.path, name: name) }
        if let adapter, let key = adapter.replacements[name] {
            return try MergedTensor(name: name, base: adapter.source.view(key, shape: tensor.shape), adapter: nil)
        }
        let view = try base.view(name, shape: tensor.shape)
        return try MergedTensor(name: name, base: view, adapter: adapter)
    }

    // MARK: - Checks

    private static func vocabulary(_ configuration: LlamaConfiguration, _ adapter: LoraAdapter?) throws(ImportError) -> Int {
        guard let adapter else { return configuration.vocabulary }
        var rows: [Int] = []
        for name in [LlamaConfiguration.embedding, LlamaConfiguration.head] {
            guard let key = adapter.replacements[name] else { continue }
            let shape = try adapter.source.shape(of: key)
            guard shape.count == 2, shape[1] == configuration.hidden else {
                throw .wrongShape(path: adapter.path, name: key, found: shape, expected: [configuration.vocabulary, configuration.hidden])
            }
            rows.append(shape[0])
        }
        guard let first = rows.first else { return configuration.vocabulary }
        guard rows.allSatisfy({ $0 == first }), rows.count == 2 || configuration.tiedEmbeddings || first == configuration.vocabulary else {
            throw .badAdapter(path: adapter.path, reason: "it replaces embedding or head by \(rows) rows beside the base model's \(configuration.vocabulary)")
        }
        return first
    }

    private static func check(_ source: any CheckpointTensors, _ name: String, _ shape: [Int]) throws(ImportError) {
        let found = try source.shape(of: name)
        guard found == shape else { throw .wrongShape(path: source.path, name: name, found: found, expected: shape) }
    }

    private static func check(_ adapter: LoraAdapter, _ tensors: [LlamaConfiguration.Tensor], _ extras: Set<String>) throws(ImportError) {
        let rank = adapter.configuration.rank
        var left = Set(adapter.pairs.keys)
        var unread = Set(adapter.replacements.keys).subtracting(extras)
        for tensor in tensors {
            unread.remove(tensor.name)
            guard let pair = adapter.pairs[tensor.name] else {
                // The head of a tied model is its embedding and is no target.
                if adapter.configuration.isTarget(tensor.name), adapter.replacements[tensor.name] == nil {
                    throw .badAdapter(path: adapter.path, reason: "target_modules of adapter_config.json covers \"\(tensor.name)\", for which the adapter has no LoRA pair")
                }
                continue
            }
            guard tensor.shape.count == 2 else { throw .badAdapter(path: adapter.path, reason: "it has a LoRA pair for \"\(tensor.name)\", which is not a matrix") }
            try check(adapter.source, pair.a, [rank, tensor.shape[1]])
            try check(adapter.source, pair.b, [tensor.shape[0], rank])
            left.remove(tensor.name)
        }
        if let name = left.min() { throw .badAdapter(path: adapter.path, reason: "it has a LoRA pair for \"\(name)\", which the base model does not have") }
        if let name = unread.min() { throw .badAdapter(path: adapter.path, reason: "it has the tensor \"\(name)\", which nothing uses") }
    }
}

/// One weight, merged while it is read. Keeps the low-rank factors in memory (rank x columns + rows x rank floats), never the matrix.
package final class MergedTensor: Sendable {
    package let name: String
    package let shape: [Int]
    /// Length of the first axis, and elements behind one index of it.
    package var rows: Int { base.rows }
    package var columns: Int { base.columns }

    private let base: TensorView
    private let factors: Factors?

    private struct Factors: Sendable {
        /// A with scale, packed as the weight [columns, rank] of a layer: (scale * B) A = B . (scale * A^T)^T.
        var a: Linear
        /// [rows, rank]
        var b: FloatTensor
        var rank: Int
    }

    fileprivate init(name: String, base: TensorView, adapter: LoraAdapter?) throws(ImportError) {
        self.name = name
        shape = base.shape
        self.base = base
        guard [.f32, .f16, .bf16].contains(base.type) else { throw .wrongType(path: base.owner.path, name: name, found: base.type.rawValue) }
        guard let adapter, let pair = adapter.pairs[name] else {
            factors = nil
            return
        }
        let rank = adapter.configuration.rank
        let scale = Float(adapter.configuration.scale)
        let columns = base.columns
        let a = try adapter.source.view(pair.a, shape: [rank, columns])
        let b = try adapter.source.view(pair.b, shape: [base.rows, rank])
        do {
            let wide = try FloatTensor(a)
            let layer = try Linear(outputs: columns, inputs: rank, bias: nil) { column, row in
                for index in 0..<rank { row[index] = scale * wide.pointer[index * columns + column] }
            }
            factors = Factors(a: layer, b: try FloatTensor(b), rank: rank)
        } catch let error as WeightsError {
            throw ImportError(error)
        } catch {
            throw .badAdapter(path: adapter.path, reason: "\"\(pair.a)\": \(error)")
        }
    }

    /// Rows of the merged tensor: W + scale * B A in fp32, the sum over the rank as one chain of fused multiply-adds in ascending order, then W.
    /// The bits depend neither on the threads of the pool nor on how the rows are split into blocks. Any thread may call.
    ///
    /// - Parameter buffer: room for `rows.count * columns` floats, row-major, which are all written.
    /// - Parameter forgetting: true tells the system that these rows of the base file will not be read again, so that a file of
    ///   13 GB does not count as resident.
    package func read(
        rows: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>, pool: KernelPool, forgetting: Bool = true
    ) throws(ImportError) {
        precondition(buffer.count >= rows.count * columns, "a buffer for all rows")
        guard let target = buffer.baseAddress, !rows.isEmpty, columns > 0 else { return }
        do throws(WeightsError) {
            try base.widen(rows: rows, into: target)
        } catch {
            throw ImportError(error)
        }
        if forgetting { base.owner.discard(base.bytes(ofRows: rows)) }
        guard let factors else { return }
        // The residual is y itself: product first, then + W.
        factors.a.apply(pool, into: target, from: factors.b.pointer + rows.lowerBound * factors.rank, rows: rows.count, residual: target)
    }

    /// Asks the system to read these rows of the base file ahead.
    package func prefetch(rows: Range<Int>) { base.owner.prefetch(base.bytes(ofRows: rows)) }
}
