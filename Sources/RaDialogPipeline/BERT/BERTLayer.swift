/// One layer of a BERT encoder (Devlin et al. 2018, arXiv:1810.04805), with cross-attention where the Q-Former has it. Norms come after
/// the sums (post-norm): x = norm(x + part(x)).
struct BERTLayer: Sendable {
    /// What all layers of one encoder have in common.
    struct Shape: Sendable {
        var hidden: Int
        var heads: Int
        var feedForward: Int
        var layerNormEpsilon: Double
        /// What the tensors of the feed-forward part are called.
        var widen = "intermediate"
        var narrow = "output"
    }

    private let attention: FullAttention
    private let attentionNorm: LayerNorm
    /// Where the layer reads a context of its own.
    private let crossAttention: (attention: FullAttention, norm: LayerNorm)?
    private let feedForward: FeedForward
    private let feedForwardNorm: LayerNorm

    /// - Parameters:
    ///   - name: "bert.encoder.layer.3."
    ///   - contextWidth: columns of the context; nil for a layer without cross-attention.
    init(_ source: any TensorSource, _ name: String, _ shape: Shape, contextWidth: Int? = nil) throws {
        let hidden = shape.hidden
        guard shape.heads > 0, hidden % shape.heads == 0 else {
            throw PipelineError.inconsistent("\(name)*: \(hidden) wide with \(shape.heads) heads")
        }
        func attention(_ part: String, contextWidth: Int) throws -> (FullAttention, LayerNorm) {
            func linear(_ layer: String, inputs: Int) throws -> Linear {
                try Linear(source, "\(name)\(part).\(layer)", outputs: hidden, inputs: inputs, hasBias: true)
            }
            return (
                FullAttention(
                    heads: shape.heads, query: try linear("self.query", inputs: hidden), key: try linear("self.key", inputs: contextWidth),
                    value: try linear("self.value", inputs: contextWidth), output: try linear("output.dense", inputs: hidden)),
                try LayerNorm(source, "\(name)\(part).output.LayerNorm", width: hidden, epsilon: shape.layerNormEpsilon)
            )
        }
        (self.attention, attentionNorm) = try attention("attention", contextWidth: hidden)
        crossAttention = try contextWidth.map { try attention("crossattention", contextWidth: $0) }
        feedForward = FeedForward(
            widen: try Linear(source, "\(name)\(shape.widen).dense", outputs: shape.feedForward, inputs: hidden, hasBias: true),
            narrow: try Linear(source, "\(name)\(shape.narrow).dense", outputs: hidden, inputs: shape.feedForward, hasBias: true))
        feedForwardNorm = try LayerNorm(source, "\(name)\(shape.narrow).LayerNorm", width: hidden, epsilon: shape.layerNormEpsilon)
    }

    /// - Parameters:
    ///   - x: `[rows, hidden]`, in place.
    ///   - context: `[context rows, context width]`, for a layer with cross-attention.
    func apply(_ pool: KernelPool, to x: Activations, context: Activations? = nil) {
        attention.add(to: x, pool, from: x, context: x)
        attentionNorm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
        if let (attention, norm) = crossAttention {
            guard let context else { preconditionFailure("a layer with cross-attention is given its context") }
            attention.add(to: x, pool, from: x, context: context)
            norm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
        }
        feedForward.add(to: x, pool, from: x)
        feedForwardNorm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
    }
}
