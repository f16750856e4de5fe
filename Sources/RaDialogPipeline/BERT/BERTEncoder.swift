/// BERT as a text encoder (Devlin et al. 2018, arXiv:1810.04805): embeddings of token, position and segment, their norm, and the layers.
/// For one text at a time: nothing is padded, so nothing is masked. Every token is of the first segment.
struct BERTEncoder: Sendable {
    /// [vocabulary, hidden]
    private let words: FloatTensor
    /// [positions, hidden]
    private let places: FloatTensor
    /// [segments, hidden]
    private let segments: FloatTensor
    private let norm: LayerNorm
    private let layers: [BERTLayer]
    private let hidden: Int

    /// Segments of every published BERT.
    static let segmentCount = 2

    /// - Parameter name: in front of "embeddings." and "encoder.".
    init(_ source: any TensorSource, _ name: String, _ shape: BundleManifest.Labeler) throws {
        let embeddings = name + "embeddings."
        hidden = shape.hidden
        words = try source.floats(embeddings + "word_embeddings.weight", shape: [shape.vocabulary, hidden])
        places = try source.floats(embeddings + "position_embeddings.weight", shape: [shape.positions, hidden])
        segments = try source.floats(embeddings + "token_type_embeddings.weight", shape: [Self.segmentCount, hidden])
        norm = try LayerNorm(source, embeddings + "LayerNorm", width: hidden, epsilon: shape.layerNormEpsilon)
        let layerShape = BERTLayer.Shape(
            hidden: hidden, heads: shape.heads, feedForward: shape.feedForward, layerNormEpsilon: shape.layerNormEpsilon)
        layers = try (0..<shape.layers).map { try BERTLayer(source, "\(name)encoder.layer.\($0).", layerShape) }
    }

    /// `[tokens, hidden]`: what comes out of the last layer.
    /// - Parameter tokens: at least one, at most as many as there are positions.
    func callAsFunction(_ pool: KernelPool, _ tokens: [Int32]) -> Activations {
        precondition(!tokens.isEmpty && tokens.count <= places.shape[0], "\(tokens.count) tokens have to have a position each")
        let x = Activations(rows: tokens.count, columns: hidden)
        for (position, token) in tokens.enumerated() {
            precondition(token >= 0 && token < words.shape[0], "the tokenizer gives ids of the vocabulary")
            let row = x.row(position)
            let word = words.pointer + Int(token) * hidden
            let place = places.pointer + position * hidden
            for column in 0..<hidden { row[column] = word[column] + segments.pointer[column] + place[column] }
        }
        norm.apply(pool, into: x.pointer, from: x.pointer, rows: x.rows)
        for layer in layers { layer.apply(pool, to: x) }
        return x
    }
}
