/// One BERT layer of the query path. Norms come after the sums (post-norm): x = norm(x + part(x)).
struct QFormerLayer: Sendable {
    private let attention: FullAttention
    private let attentionNorm: LayerNorm
    /// Where the layer reads the image.
    private let crossAttention: (attention: FullAttention, norm: LayerNorm)?
    private let feedForward: FeedForward
    private let feedForwardNorm: LayerNorm

    /// - Parameters:
    ///   - name: "Qformer.bert.encoder.layer.3."
    ///   - imageWidth: channels of an image token; nil for a layer without cross-attention.
    init(_ source: any TensorSource, _ name: String, _ shape: BundleManifest.Alignment.QFormer, imageWidth: Int?) throws {
        let hidden = shape.hidden
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
        crossAttention = try imageWidth.map { try attention("crossattention", contextWidth: $0) }
        feedForward = FeedForward(
            widen: try Linear(source, name + "intermediate_query.dense", outputs: shape.feedForward, inputs: hidden, hasBias: true),
            narrow: try Linear(source, name + "output_query.dense", outputs: hidden, inputs: shape.feedForward, hasBias: true))
        feedForwardNorm = try LayerNorm(source, name + "output_query.LayerNorm", width: hidden, epsilon: shape.layerNormEpsilon)
    }

    /// - Parameters:
    ///   - x: `[queries, hidden]`, in place.
    ///   - image: `[image tokens, input]`
    func apply(_ pool: KernelPool, to x: Activations, image: Activations) {
        attention.add(to: x, pool, from: x, context: x)
        attentionNorm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
        if let (attention, norm) = crossAttention {
            attention.add(to: x, pool, from: x, context: image)
            norm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
        }
        feedForward.add(to: x, pool, from: x)
        feedForwardNorm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
    }
}
