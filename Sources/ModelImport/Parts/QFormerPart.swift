import RaDialogPipeline

/// v1 (model.md section 4b): `checkpoint_4.pth` with the encoder's wide projector, the Q-Former and its queries; `img_proj_layer` from the language
/// adapter.
package struct QFormerPart: Sendable {
    /// With projector.
    package let encoder: EncoderPart
    package let layout: QFormerLayout
    /// `query_tokens`, `ln_vision.*`, `Qformer.bert.*` under their official keys, and `img_proj_layer.{weight,bias}`.
    package let tensors: ImportedPart

    /// Names of the adapter's tensors that belong to this part, for `LanguageModelWeights(extras:)`.
    package static let adapterExtras: Set<String> = ["model.img_proj_layer.weight", "model.img_proj_layer.bias"]

    /// - Parameters:
    ///   - checkpoint: of `openCheckpoint(path:under: "model")`.
    ///   - biovil: where what v1's writer dropped as frozen comes from; nil where the checkpoint has to hold everything.
    /// - Throws: `ImportError.missingProjector` where the weights of `visual_encoder.projector` are not in the file. Batch-norm statistics alone do not
    ///   count: they are buffers, which the writer keeps when it drops the weights.
    package init(checkpoint: any CheckpointTensors, biovil: (any CheckpointTensors)?, adapter: LoraAdapter, pooler: Bool) throws(ImportError) {
        let present = Set(checkpoint.names)
        for name in ["projector.model.0.weight", "projector.model.1.weight", "projector.model.1.bias", "projector.model.3.weight", "projector.model.3.bias"] {
            guard present.contains("visual_encoder." + name) else { throw .missingProjector(path: checkpoint.path, name: "visual_encoder." + name) }
        }
        var table = KeyTable()
        // BioViL-T's projector is another one (128 wide): never mixed in.
        if let biovil { try table.add(biovil) { EncoderLayout.canonical($0).flatMap { $0.hasPrefix("projector.") ? nil : $0 } } }
        try table.add(checkpoint) { $0.without(prefix: "visual_encoder.").flatMap(EncoderLayout.canonical) }
        encoder = try EncoderPart(table, primary: biovil ?? checkpoint, parts: .init(projector: true, pooler: pooler))

        var alignment = KeyTable()
        try alignment.add(checkpoint) { key in
            key == "query_tokens" || key.hasPrefix("ln_vision.") || key.hasPrefix("Qformer.bert.") ? key : nil
        }
        try alignment.add(AdapterExtras(adapter: adapter)) { $0.without(prefix: "model.") }
        layout = try QFormerLayout(alignment, imageWidth: encoder.layout.projection ?? 0, primary: checkpoint)
        tensors = try ImportedPart(alignment, layout.tensors(), primary: checkpoint)
    }

    /// The adapter's extras as a source of their own.
    private struct AdapterExtras: CheckpointTensors {
        let adapter: LoraAdapter
        var path: String { adapter.path }
        var names: [String] { QFormerPart.adapterExtras.filter { adapter.replacements[$0] != nil }.sorted() }
        func shape(of name: String) throws(ImportError) -> [Int] { try view(name).shape }
        func view(_ name: String) throws(ImportError) -> TensorView { try adapter.extra(name) }
    }
}

/// Dimensions of a Q-Former. Heads and epsilons are not in a checkpoint: 12 and 1e-12 (BERT-base), 1e-5 for `ln_vision`.
package struct QFormerLayout: Sendable, Equatable {
    package var queries: Int
    package var width: Int
    package var layers: Int
    /// Every how many layers cross-attention to the image stands, from layer 0 on.
    package var crossAttentionEvery: Int
    package var feedForward: Int
    /// Channels of an image token.
    package var imageWidth: Int
    /// Width of the language model.
    package var output: Int

    private static let maximumLayers = 256
    private static let layerPrefix = "Qformer.bert.encoder.layer."

    init(_ table: KeyTable, imageWidth: Int, primary: any CheckpointTensors) throws(ImportError) {
        func shape(_ name: String, rank: Int) throws(ImportError) -> [Int] {
            let shape = try table.shape(name, in: primary)
            guard shape.count == rank else { throw .wrongShape(path: primary.path, name: name, found: shape, expected: [Int](repeating: -1, count: rank)) }
            return shape
        }
        let tokens = try shape("query_tokens", rank: 3)
        (queries, width) = (tokens[1], tokens[2])
        self.imageWidth = imageWidth
        layers = 0
        while layers < Self.maximumLayers, table.contains("\(Self.layerPrefix)\(layers).attention.self.query.weight") { layers += 1 }
        guard layers > 0 else { throw .missingTensor(path: primary.path, name: Self.layerPrefix + "0.attention.self.query.weight") }
        // Any tensor of it counts: one that is missing is named when the part is read.
        let crossed = (0..<layers).filter { layer in table.places.keys.contains { $0.hasPrefix("\(Self.layerPrefix)\(layer).crossattention.") } }
        guard let first = crossed.first, first == 0 else { throw .missingTensor(path: primary.path, name: Self.layerPrefix + "0.crossattention.self.query.weight") }
        crossAttentionEvery = crossed.count > 1 ? crossed[1] : layers
        let expected = Array(stride(from: 0, to: layers, by: crossAttentionEvery))
        if let layer = Set(expected).symmetricDifference(crossed).min() {
            throw .unexpectedTensor(path: primary.path, name: "\(Self.layerPrefix)\(layer).crossattention", reason: "or lacks it: cross-attention does not stand in every \(crossAttentionEvery)th layer")
        }
        feedForward = try shape(Self.layerPrefix + "0.intermediate_query.dense.weight", rank: 2)[0]
        guard table.contains("img_proj_layer.weight") else {
            throw .badAdapter(path: primary.path, reason: "the language adapter beside it has no \"base_model.model.model.img_proj_layer.weight\"")
        }
        output = try shape("img_proj_layer.weight", rank: 2)[0]
    }

    /// Every tensor of the query path; the text path of BLIP-2's first stage is left out.
    package func tensors() -> [LlamaConfiguration.Tensor] {
        var list = TensorList(prefix: "")
        list.add("query_tokens", [1, queries, width])
        list.norm("ln_vision", imageWidth)
        list.norm("Qformer.bert.embeddings.LayerNorm", width)
        for layer in 0..<layers {
            let name = "\(Self.layerPrefix)\(layer)."
            attention(&list, name + "attention", width)
            if layer % crossAttentionEvery == 0 { attention(&list, name + "crossattention", imageWidth) }
            list.linear(name + "intermediate_query.dense", feedForward, width)
            list.linear(name + "output_query.dense", width, feedForward)
            list.norm(name + "output_query.LayerNorm", width)
        }
        list.linear("img_proj_layer", output, width)
        return list.tensors
    }

    private func attention(_ list: inout TensorList, _ name: String, _ context: Int) {
        list.linear(name + ".self.query", width, width)
        list.linear(name + ".self.key", width, context)
        list.linear(name + ".self.value", width, context)
        list.linear(name + ".output.dense", width, width)
        list.norm(name + ".output.LayerNorm", width)
    }
}
