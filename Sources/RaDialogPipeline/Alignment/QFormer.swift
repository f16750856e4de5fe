// BLIP-2's Q-Former as RaDialog v1 uses it (model.md section 4b; Li et al. 2023, arXiv:2301.12597): learned queries that read the image.
// Input: the encoder's projection of the patches. Output: one row of the language model per query.
// Steps: the image tokens' norm, BERT layers over the queries (post-norm, without positions), linear onto the language model's width.
// Not here: BLIP-2's text path (word embeddings, `intermediate`, `output`), which only its training needs.

/// Alignment with a fixed number of image tokens.
package struct QFormer: Sendable {
    /// [queries, hidden]
    private let queries: FloatTensor
    private let shape: BundleManifest.Alignment.QFormer
    private let imageNorm: LayerNorm
    private let queryNorm: LayerNorm
    private let layers: [BERTLayer]
    private let toLanguage: Linear
    /// Channels of an image token.
    private let input: Int

    /// - Parameters:
    ///   - input: channels of the encoder's projection.
    ///   - output: width of the language model.
    init(_ source: any TensorSource, input: Int, output: Int, _ shape: BundleManifest.Alignment.QFormer) throws {
        guard shape.crossAttentionEvery > 0 else {
            throw PipelineError.inconsistent("alignment: cross-attention in every \(shape.crossAttentionEvery)th layer")
        }
        self.shape = shape
        self.input = input
        queries = try source.floats("query_tokens", shape: [1, shape.queries, shape.hidden])
        imageNorm = try LayerNorm(source, "ln_vision", width: input, epsilon: shape.visionNormEpsilon)
        queryNorm = try LayerNorm(source, "Qformer.bert.embeddings.LayerNorm", width: shape.hidden, epsilon: shape.layerNormEpsilon)
        let layerShape = BERTLayer.Shape(
            hidden: shape.hidden, heads: shape.heads, feedForward: shape.feedForward, layerNormEpsilon: shape.layerNormEpsilon,
            widen: "intermediate_query", narrow: "output_query")
        layers = try (0..<shape.layers).map { index in
            try BERTLayer(
                source, "Qformer.bert.encoder.layer.\(index).", layerShape,
                contextWidth: index % shape.crossAttentionEvery == 0 ? input : nil)
        }
        toLanguage = try Linear(source, "img_proj_layer", outputs: output, inputs: shape.hidden, hasBias: true)
    }

    /// `[patches, input]`, row-major over the grid, to `[queries, output]`.
    func callAsFunction(_ pool: KernelPool, _ features: Activations) -> Activations {
        precondition(features.columns == input, "a Q-Former of \(input) image channels was given \(features.columns)")
        let image = reinterpreted(features)  // [patches, input]
        imageNorm.apply(pool, into: image.pointer, from: image.pointer, rows: image.rows)

        let x = Activations(rows: shape.queries, columns: shape.hidden)
        queryNorm.apply(pool, into: x.pointer, from: queries.pointer, rows: shape.queries)
        for layer in layers { layer.apply(pool, to: x, context: image) }
        return toLanguage(pool, x)  // [queries, output]
    }

    /// The image tokens that v1 was trained on. Its code reads the channel-first image [input, patches] as [patches, input] without
    /// transposing it: token t, channel c is number t * input + c of the channel-first memory. A token is no patch, then, but a stretch
    /// of a few channels over the whole film; the weights expect exactly that.
    private func reinterpreted(_ features: Activations) -> Activations {
        let tokens = Activations(rows: features.rows, columns: features.columns)
        for patch in 0..<features.rows {
            let row = features.row(patch)
            for channel in 0..<features.columns { tokens.pointer[channel * features.rows + patch] = row[channel] }
        }
        return tokens
    }
}
