internal import CKernels

// What the alignment's Q-Former and the encoder's pooler for a prior image are both made of.

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row.
struct LayerNorm: Sendable {
    private let weight: FloatTensor
    private let bias: FloatTensor
    private let epsilon: Float

    /// `name`.{weight,bias} [width]
    init(_ source: any TensorSource, _ name: String, width: Int, epsilon: Double) throws {
        weight = try source.floats(name + ".weight", shape: [width])
        bias = try source.floats(name + ".bias", shape: [width])
        self.epsilon = Float(epsilon)
    }

    /// `y` may be `x`.
    func apply(_ pool: KernelPool, into y: UnsafeMutablePointer<Float>, from x: UnsafePointer<Float>, rows: Int) {
        ck_layer_norm(pool.handle, y, x, rows, weight.count, weight.pointer, bias.pointer, epsilon)
    }

    func callAsFunction(_ pool: KernelPool, _ x: Activations) -> Activations {
        precondition(x.columns == weight.count, "a norm of \(weight.count) columns was given \(x.columns)")
        let y = Activations(rows: x.rows, columns: x.columns)
        apply(pool, into: y.pointer, from: x.pointer, rows: x.rows)
        return y
    }
}

/// Attention without order: every row of `x` looks at every row of a context, which may be `x` itself.
struct FullAttention: Sendable {
    private let query, key, value, output: Linear
    private let heads: Int

    /// - Parameters:
    ///   - query, key, value: onto the same width, which `heads` divides; key and value read the context.
    ///   - output: from that width onto the width of `x`.
    init(heads: Int, query: Linear, key: Linear, value: Linear, output: Linear) {
        precondition(
            query.outputs % heads == 0 && key.outputs == query.outputs && value.outputs == query.outputs && output.inputs == query.outputs,
            "queries, keys and values are equally wide")
        self.query = query
        self.key = key
        self.value = value
        self.output = output
        self.heads = heads
    }

    /// `residual` + output(softmax(q . k / sqrt(head size)) . v), written over `residual`.
    /// - Parameter residual: `[x.rows, width of x]`; may be `x`.
    func add(to residual: Activations, _ pool: KernelPool, from x: Activations, context: Activations) {
        let queries = query(pool, x)
        let keys = key(pool, context)
        let values = value(pool, context)
        let attended = Activations(rows: x.rows, columns: query.outputs)
        let scores = Activations(rows: pool.threads, columns: context.rows)
        let shape = ck_full_attention_shape(queries: x.rows, keys: context.rows, heads: heads, head_size: query.outputs / heads)
        ck_full_attention(pool.handle, attended.pointer, queries.pointer, keys.pointer, values.pointer, shape, scores.pointer)
        output.apply(pool, into: residual.pointer, from: attended.pointer, rows: x.rows, residual: residual.pointer)
    }
}

/// Linear, exact GELU, linear.
struct FeedForward: Sendable {
    let widen: Linear
    let narrow: Linear

    /// `residual` + narrow(gelu(widen(x))), written over `residual`, which may be `x`.
    func add(to residual: Activations, _ pool: KernelPool, from x: Activations) {
        let hidden = widen(pool, x)
        ck_gelu(pool.handle, hidden.pointer, hidden.rows * hidden.columns)
        narrow.apply(pool, into: residual.pointer, from: hidden.pointer, rows: x.rows, residual: residual.pointer)
    }
}
