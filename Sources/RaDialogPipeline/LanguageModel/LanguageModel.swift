internal import CKernels

// LLaMA (model.md section 5): RMSNorm, rotary embedding (half-split), grouped-query attention, SwiGLU.
// Input: rows of embeddings, which are tokens or image patches. Output: the logits after the last row. The rows before are in the
// cache. A row's bits do not depend on how many rows are given at once (ck_gemm.h), so reading a prompt in one piece, in chunks, or token
// by token leaves the same cache.

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
    private static let chunk = 512

    /// Logits that are held at once where those of every row are wanted: 16 MB.
    private static let logitFloats = 1 << 22

    package init(_ source: any TensorSource, _ manifest: BundleManifest.LanguageModel) throws {
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

    /// Runs `rows` through the layers behind what `cache` holds, in place.
    private func advance(_ pool: KernelPool, _ rows: Activations, cache: KeyValueCache, check: () throws -> Void) throws {
        precondition(rows.rows > 0 && rows.columns == manifest.hidden, "rows of embeddings are read")
        let start = cache.length
        guard start + rows.rows <= manifest.context else {
            throw PipelineError.contextOverflow(needed: start + rows.rows, context: manifest.context)
        }
        cache.reserve(start + rows.rows)
        do {
            for first in stride(from: 0, to: rows.rows, by: Self.chunk) {
                let count = min(Self.chunk, rows.rows - first)
                try runLayers(pool, rows.row(first), count: count, cache: cache, check: check)
                cache.length += count
            }
        } catch {
            cache.length = start
            throw error
        }
    }

    /// `rows`: what came out of the last layer.
    private func logits(_ pool: KernelPool, _ rows: Activations, _ range: Range<Int>) -> Activations {
        let normed = Activations(rows: range.count, columns: manifest.hidden)
        ck_rms_norm(
            pool.handle, normed.pointer, rows.row(range.lowerBound), range.count, manifest.hidden, finalNorm.pointer,
            Float(manifest.rmsNormEpsilon))
        return head(pool, normed)
    }

    /// `x`: [count, hidden], in place. Keys and values are written behind the cache's length.
    private func runLayers(
        _ pool: KernelPool, _ x: UnsafeMutablePointer<Float>, count: Int, cache: KeyValueCache, check: () throws -> Void
    ) throws {
        let hidden = manifest.hidden
        let epsilon = Float(manifest.rmsNormEpsilon)
        let start = cache.length
        let normed = Activations(rows: count, columns: hidden)
        let queries = Activations(rows: count, columns: hidden)
        let attended = Activations(rows: count, columns: hidden)
        let gate = Activations(rows: count, columns: manifest.feedForward)
        let up = Activations(rows: count, columns: manifest.feedForward)
        let scores = Activations(rows: pool.threads, columns: start + count)
        let shape = ck_attention_shape(
            rows: count, first: start, heads: manifest.heads, key_value_heads: manifest.keyValueHeads, head_size: manifest.headDimension)

        for (index, layer) in layers.enumerated() {
            try check()
            let keys = cache.keys(layer: index)  // [capacity, keyValueHeads, headDimension]
            let values = cache.values(layer: index)

            ck_rms_norm(pool.handle, normed.pointer, x, count, hidden, layer.inputNorm.pointer, epsilon)
            layer.query.apply(pool, into: queries.pointer, from: normed.pointer, rows: count)
            layer.key.apply(pool, into: keys + start * cache.width, from: normed.pointer, rows: count)
            layer.value.apply(pool, into: values + start * cache.width, from: normed.pointer, rows: count)
            rotary.rotate(pool, queries.pointer, rows: count, heads: manifest.heads, first: start)
            rotary.rotate(pool, keys + start * cache.width, rows: count, heads: manifest.keyValueHeads, first: start)
            ck_attention(pool.handle, attended.pointer, queries.pointer, keys, values, shape, scores.pointer)
            layer.output.apply(pool, into: x, from: attended.pointer, rows: count, residual: x)

            ck_rms_norm(pool.handle, normed.pointer, x, count, hidden, layer.feedForwardNorm.pointer, epsilon)
            layer.gate.apply(pool, into: gate.pointer, from: normed.pointer, rows: count)
            layer.up.apply(pool, into: up.pointer, from: normed.pointer, rows: count)
            ck_silu_multiply(pool.handle, gate.pointer, up.pointer, count * manifest.feedForward)
            layer.down.apply(pool, into: x, from: gate.pointer, rows: count, residual: x)
        }
    }
}
