internal import CKernels

// LLaMA (model.md section 5): RMSNorm, rotary embedding (half-split), grouped-query attention, SwiGLU.
// Input: rows of embeddings, which are tokens or image patches. Output: the logits after the last row. The rows before are in the
// cache. A row's bits do not depend on what is computed beside it (ck_gemm.h), so reading a prompt in one piece, in chunks, or token by
// token, alone or with other conversations, leaves the same cache. They do depend on where the row comes from (`RowOrigin`): the pool may have one
// arithmetic for many rows and another that is faster for few.

/// Where a row of the language model comes from. It belongs to the conversation, whenever the row is computed, and again.
package enum RowOrigin: Sendable {
    /// A prompt or a question, image patches, the end of an answer: computed with many others.
    case read
    /// A token that the model wrote: computed alone or with a few.
    case written
}

/// The language model's weights.
package final class LanguageModel: Sendable {
    package let manifest: BundleManifest.LanguageModel
    private let layers: [Layer]
    private let finalNorm: FloatTensor
    private let embeddings: Embeddings
    private let head: Linear
    private let rotary: Rotary

    private enum Embeddings: Sendable {
        case floats(FloatTensor)
        case blocks(BlockTensor)
        case panels(PanelMatrix)
        /// The head's weights are the embeddings too.
        case tied
    }

    private struct Layer: Sendable {
        let inputNorm: FloatTensor
        let query, key, value, output: Linear
        let feedForwardNorm: FloatTensor
        let gate, up, down: Linear
    }

    /// Whether its products are computed in the pool's panel arithmetic.
    var isInPanels: Bool { head.isInPanels }

    /// Rows that go through the layers together: bounds the working memory, and never shows in a result.
    static let chunk = 512

    /// Logits that are held at once where those of every row are wanted: 16 MB.
    private static let logitFloats = 1 << 22

    /// - Parameter cache: how keys and values are stored; nil: where products are rounded to panels' arithmetic, halves, which lose nothing that
    ///   counts; where they are exact, floats.
    package init(_ source: any TensorSource, _ manifest: BundleManifest.LanguageModel, cache: KeyValueType? = nil) throws {
        self.manifest = manifest
        let hidden = manifest.hidden
        guard manifest.heads > 0, hidden % manifest.heads == 0, manifest.headDimension % 2 == 0,
            manifest.keyValueHeads > 0, manifest.heads % manifest.keyValueHeads == 0
        else {
            throw PipelineError.inconsistent(
                "language_model: \(hidden) wide with \(manifest.heads) heads and \(manifest.keyValueHeads) key-value heads")
        }
        let keyValueWidth = manifest.keyValueHeads * manifest.headDimension

        layers = try (0..<manifest.layers).map { index in
            let name = "model.layers.\(index)."
            return Layer(
                inputNorm: try source.floats(name + "input_layernorm.weight", shape: [hidden]),
                query: try Linear(source, name + "self_attn.q_proj", outputs: hidden, inputs: hidden),
                key: try Linear(source, name + "self_attn.k_proj", outputs: keyValueWidth, inputs: hidden),
                value: try Linear(source, name + "self_attn.v_proj", outputs: keyValueWidth, inputs: hidden),
                output: try Linear(source, name + "self_attn.o_proj", outputs: hidden, inputs: hidden),
                feedForwardNorm: try source.floats(name + "post_attention_layernorm.weight", shape: [hidden]),
                gate: try Linear(source, name + "mlp.gate_proj", outputs: manifest.feedForward, inputs: hidden),
                up: try Linear(source, name + "mlp.up_proj", outputs: manifest.feedForward, inputs: hidden),
                down: try Linear(source, name + "mlp.down_proj", outputs: hidden, inputs: manifest.feedForward))
        }
        finalNorm = try source.floats("model.norm.weight", shape: [hidden])
        if manifest.tiedEmbeddings {
            embeddings = .tied
            head = try Linear(source, "model.embed_tokens", outputs: manifest.vocabulary, inputs: hidden)
        } else {
            embeddings = try Self.embeddings(source, "model.embed_tokens.weight", shape: [manifest.vocabulary, hidden])
            head = try Linear(source, "lm_head", outputs: manifest.vocabulary, inputs: hidden)
        }
        rotary = try Rotary(manifest)
        keyValueType = cache ?? (head.isInPanels ? .f16 : .f32)
    }

    private static func embeddings(_ source: any TensorSource, _ name: String, shape: [Int]) throws(WeightsError) -> Embeddings {
        if let panels = try source.panels(name, rows: shape[0], columns: shape[1]) { return .panels(panels) }
        guard let blocks = source.block(name) else { return .floats(try source.floats(name, shape: shape)) }
        guard blocks.shape == shape else { throw .wrongShape(path: source.path, name: name, found: blocks.shape, expected: shape) }
        return .blocks(blocks)
    }

    /// `[tokens, hidden]`. Every token is below the vocabulary's size.
    package func embed(_ tokens: [Int32]) -> Activations {
        let rows = Activations(rows: tokens.count, columns: manifest.hidden)
        for (index, token) in tokens.enumerated() {
            let token = Int(token)
            precondition(token >= 0 && token < manifest.vocabulary, "token \(token) is outside the vocabulary")
            switch embeddings {
            case .floats(let table): rows.row(index).update(from: table.pointer + token * manifest.hidden, count: manifest.hidden)
            case .blocks(let table): table.dequantizeRow(token, into: rows.row(index))
            case .panels(let table): table.dequantizeRow(token, into: rows.row(index))
            case .tied: head.unpackRow(token, into: rows.row(index))
            }
        }
        return rows
    }

    /// Reads `rows` behind what `cache` holds.
    ///
    /// - Parameters:
    ///   - rows: `[count, hidden]`, at least one; overwritten.
    ///   - check: asked before every layer; throws to stop. The cache then holds what it held.
    /// - Returns: `[1, vocabulary]`, the logits of what follows the last row.
    package func read(
        _ pool: KernelPool, _ rows: Activations, cache: KeyValueCache, check: () throws -> Void = {}
    ) throws -> Activations {
        try advance(pool, rows, cache: cache, check: check)
        return logits(pool, rows, rows.rows - 1..<rows.rows)
    }

    /// Reads `rows` as `read` does, and gives the logits of what follows each of them from row `first` on, a few rows at a time.
    ///
    /// - Parameters:
    ///   - rows: `[count, hidden]`, at least one; overwritten.
    ///   - body: gets the number of a row and the logits `[some, vocabulary]` of it and the rows behind it; they may be overwritten.
    package func readEvery(
        _ pool: KernelPool, _ rows: Activations, from first: Int = 0, cache: KeyValueCache, check: () throws -> Void = {},
        _ body: (Int, Activations) throws -> Void
    ) throws {
        precondition(first >= 0, "rows are counted from zero")
        try advance(pool, rows, cache: cache, check: check)
        let step = max(1, Self.logitFloats / manifest.vocabulary)
        for row in stride(from: first, to: rows.rows, by: step) {
            try check()
            try body(row, logits(pool, rows, row..<min(row + step, rows.rows)))
        }
    }

    /// A cache of this model.
    package func makeCache() -> KeyValueCache { KeyValueCache(manifest, type: keyValueType) }

    /// How `makeCache`'s caches store their numbers.
    package let keyValueType: KeyValueType

    /// Runs `rows` through the layers behind what `cache` holds, in place.
    private func advance(_ pool: KernelPool, _ rows: Activations, cache: KeyValueCache, check: () throws -> Void) throws {
        let start = cache.length
        try requireRoom(rows.rows, in: cache)
        do {
            for first in stride(from: 0, to: rows.rows, by: Self.chunk) {
                let count = min(Self.chunk, rows.rows - first)
                try advance(pool, rows.row(first), [BatchedRows(cache: cache, count: count)], check: check)
            }
        } catch {
            cache.length = start
            throw error
        }
    }

    /// - Throws: `.contextOverflow`.
    package func requireRoom(_ rows: Int, in cache: KeyValueCache) throws(PipelineError) {
        guard cache.length + rows <= manifest.context else {
            throw .contextOverflow(needed: cache.length + rows, context: manifest.context)
        }
    }

    /// The rows of one conversation among those that are computed together.
    package struct BatchedRows {
        package var cache: KeyValueCache
        package var count: Int
        package var origin: RowOrigin

        package init(cache: KeyValueCache, count: Int, origin: RowOrigin = .read) {
            self.cache = cache
            self.count = count
            self.origin = origin
        }
    }

    /// Runs the rows of several conversations through the layers, each behind what its own cache holds.
    ///
    /// - Parameters:
    ///   - x: `[all counts, hidden]`, one conversation after the other; overwritten by what comes out of the last layer.
    ///   - batch: different caches, with room (`requireRoom`); `chunk` rows together at most; those with written rows behind all others.
    ///   - check: asked before every layer; throws to stop. The caches then hold what they held.
    package func advance(_ pool: KernelPool, _ x: UnsafeMutablePointer<Float>, _ batch: [BatchedRows], check: () throws -> Void) throws {
        let count = batch.reduce(0) { $0 + $1.count }
        precondition(count > 0 && count <= Self.chunk, "rows that go through the layers together")
        precondition(!batch.indices.dropFirst().contains { batch[$0 - 1].origin == .written && batch[$0].origin == .read }, "written rows stand last")
        for part in batch { part.cache.reserve(part.cache.length + part.count) }
        try runLayers(pool, x, count: count, batch, check: check)
        for part in batch { part.cache.length += part.count }
    }

    /// The logits of what follows each of the chosen rows, `[picks, vocabulary]`.
    /// - Parameters:
    ///   - rows: what came out of the last layer; the last `written` of them are written ones.
    ///   - picks: ascending.
    package func logits(_ pool: KernelPool, _ rows: Activations, _ picks: [Int], written: Int = 0) -> Activations {
        let chosen = Activations(rows: picks.count, columns: manifest.hidden)
        for (place, row) in picks.enumerated() { chosen.row(place).update(from: rows.row(row), count: manifest.hidden) }
        return logits(pool, chosen, 0..<picks.count, written: picks.count { $0 >= rows.rows - written })
    }

    /// `rows`: what came out of the last layer.
    private func logits(_ pool: KernelPool, _ rows: Activations, _ range: Range<Int>, written: Int = 0) -> Activations {
        let normed = Activations(rows: range.count, columns: manifest.hidden)
        ck_rms_norm(
            pool.handle, normed.pointer, rows.row(range.lowerBound), range.count, manifest.hidden, finalNorm.pointer,
            Float(manifest.rmsNormEpsilon))
        return head(pool, normed, written: written)
    }

    /// `x`: [count, hidden], in place. Keys and values are written behind the caches' lengths.
    private func runLayers(
        _ pool: KernelPool, _ x: UnsafeMutablePointer<Float>, count: Int, _ batch: [BatchedRows], check: () throws -> Void
    ) throws {
        let hidden = manifest.hidden
        let epsilon = Float(manifest.rmsNormEpsilon)
        let written = batch.reduce(0) { $0 + ($1.origin == .written ? $1.count : 0) }
        let normed = Activations(rows: count, columns: hidden)
        let queries = Activations(rows: count, columns: hidden)
        let attended = Activations(rows: count, columns: hidden)
        let gate = Activations(rows: count, columns: manifest.feedForward)
        let up = Activations(rows: count, columns: manifest.feedForward)
        let attention = BatchedAttention(pool, batch, queries: queries, out: attended, heads: manifest.heads)

        for (index, layer) in layers.enumerated() {
            try check()
            ck_rms_norm(pool.handle, normed.pointer, x, count, hidden, layer.inputNorm.pointer, epsilon)
            Linear.apply(
                pool, [(layer.query, queries.pointer), (layer.key, attention.keys.pointer), (layer.value, attention.values.pointer)],
                from: normed.pointer, rows: count, written: written)
            var row = 0
            for part in batch {
                rotary.rotate(pool, queries.row(row), rows: part.count, heads: manifest.heads, first: part.cache.length)
                rotary.rotate(pool, attention.keys.row(row), rows: part.count, heads: manifest.keyValueHeads, first: part.cache.length)
                row += part.count
            }
            attention.run(layer: index)
            layer.output.apply(pool, into: x, from: attended.pointer, rows: count, written: written, residual: x)

            ck_rms_norm(pool.handle, normed.pointer, x, count, hidden, layer.feedForwardNorm.pointer, epsilon)
            Linear.apply(pool, [(layer.gate, gate.pointer), (layer.up, up.pointer)], from: normed.pointer, rows: count, written: written)
            ck_silu_multiply(pool.handle, gate.pointer, up.pointer, count * manifest.feedForward)
            layer.down.apply(pool, into: x, from: gate.pointer, rows: count, written: written, residual: x)
        }
    }
}
