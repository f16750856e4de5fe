import RaDialogPipeline
package import ReportModel

/// CheXbert (model.md section 6): `chexbert.pth`, and the vocabulary of the BERT that it was trained from, which the checkpoint does not hold.
package struct CheXbertPart: Sendable {
    package let layout: CheXbertLayout
    /// `bert.*` and `linear_heads.*`, in the type of the checkpoint.
    package let tensors: ImportedPart
    /// Path of the vocab.txt.
    package let vocabulary: String
    /// Whether that is, byte for byte, bert-base-uncased's.
    package let hasPublishedVocabulary: Bool

    /// Of what `chexbert.pth` holds besides, nothing is used: buffers, and the pooler behind [CLS].
    package static let unused: Set<String> = [
        "bert.embeddings.position_ids", "bert.embeddings.token_type_ids", "bert.pooler.dense.weight", "bert.pooler.dense.bias",
    ]

    /// SHA-256 of the vocab.txt of bert-base-uncased as its publisher distributes it.
    private static let publishedVocabulary = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"

    /// - Parameters:
    ///   - checkpoint: keys `module.bert.*`, `module.linear_heads.*` under `model_state_dict`; `module.`, which PyTorch's DataParallel puts in
    ///     front, may be absent.
    ///   - vocabulary: has to have as many lines as the checkpoint has embeddings.
    /// - Throws: `ImportError`, also for a tensor that CheXbert does not have.
    package init(checkpoint path: String, vocabulary: String) throws(ImportError) {
        let checkpoint = try openCheckpoint(path: path, under: "model_state_dict")
        var table = KeyTable()
        try table.add(checkpoint) { key in
            let name = key.without(prefix: "module.") ?? key
            return Self.unused.contains(name) ? nil : name
        }
        layout = try CheXbertLayout(table, primary: checkpoint)
        let wanted = layout.tensors()
        let known = Set(wanted.map(\.name))
        for (name, place) in table.places.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            throw .unexpectedTensor(path: path, name: place.key, reason: "which a CheXbert of \(layout.layers) layers does not have")
        }
        tensors = try ImportedPart(table, wanted, primary: checkpoint)
        self.vocabulary = vocabulary
        let file = try mapFile(vocabulary)
        try Self.check(file, rows: layout.vocabulary, of: path)
        hasPublishedVocabulary = try hashFile(vocabulary).sha256 == Self.publishedVocabulary
    }

    private static func check(_ file: MappedFile, rows: Int, of checkpoint: String) throws(ImportError) {
        let tokenizer: WordPieceTokenizer
        do throws(TokenizerError) {
            tokenizer = try file.withBytes { bytes throws(TokenizerError) in try WordPieceTokenizer(vocabulary: bytes, path: file.path) }
        } catch {
            throw .unsupported(path: file.path, reason: "\(error)")
        }
        guard tokenizer.vocabularySize == rows else {
            throw .unsupported(
                path: file.path,
                reason: "it has \(tokenizer.vocabularySize) tokens, and \(checkpoint) has \(rows) embeddings; the vocab.txt of bert-base-uncased belongs to CheXbert")
        }
    }

    /// The manifest's `labeler` (docs/model-bundle.md).
    func manifest(weights: String, tokenizer: String) -> [String: Any] {
        [
            "architecture": "chexbert", "weights": weights, "tokenizer": tokenizer, "layers": layout.layers, "hidden": layout.hidden,
            "heads": layout.heads, "feed_forward": layout.feedForward, "vocabulary": layout.vocabulary, "positions": layout.positions,
            "layer_norm_eps": 1e-12, "labels": CheXbertLayout.labels.map(\.rawValue),
        ]
    }
}

/// Dimensions of a CheXbert. Attention heads are not in a checkpoint: 64 wide, as in every published BERT.
package struct CheXbertLayout: Sendable, Equatable {
    package var vocabulary: Int
    package var positions: Int
    package var hidden: Int
    package var layers: Int
    package var feedForward: Int
    package var heads: Int { hidden / Self.headWidth }

    /// In the order of `linear_heads`.
    package static let labels: [FindingLabel] = [
        .enlargedCardiomediastinum, .cardiomegaly, .lungOpacity, .lungLesion, .edema, .consolidation, .pneumonia, .atelectasis, .pneumothorax,
        .pleuralEffusion, .pleuralOther, .fracture, .supportDevices, .noFinding,
    ]

    private static let headWidth = 64
    private static let maximumLayers = 256
    private static let embeddings = "bert.embeddings."
    private static let layerPrefix = "bert.encoder.layer."

    init(_ table: KeyTable, primary: any CheckpointTensors) throws(ImportError) {
        func shape(_ name: String) throws(ImportError) -> [Int] {
            let shape = try table.shape(name, in: primary)
            guard shape.count == 2 else { throw .wrongShape(path: primary.path, name: name, found: shape, expected: [-1, -1]) }
            return shape
        }
        let words = try shape(Self.embeddings + "word_embeddings.weight")
        (vocabulary, hidden) = (words[0], words[1])
        guard hidden > 0, hidden % Self.headWidth == 0 else {
            throw .unsupported(path: primary.path, reason: "its BERT is \(hidden) wide, which is no multiple of \(Self.headWidth), the width of an attention head")
        }
        positions = try shape(Self.embeddings + "position_embeddings.weight")[0]
        layers = 0
        while layers < Self.maximumLayers, table.contains("\(Self.layerPrefix)\(layers).attention.self.query.weight") { layers += 1 }
        guard layers > 0 else { throw .missingTensor(path: primary.path, name: Self.layerPrefix + "0.attention.self.query.weight") }
        feedForward = try shape(Self.layerPrefix + "0.intermediate.dense.weight")[0]
    }

    /// Every tensor with its shape.
    package func tensors() -> [LlamaConfiguration.Tensor] {
        var list = TensorList(prefix: "")
        list.add(Self.embeddings + "word_embeddings.weight", [vocabulary, hidden])
        list.add(Self.embeddings + "position_embeddings.weight", [positions, hidden])
        list.add(Self.embeddings + "token_type_embeddings.weight", [CheXbert.segments, hidden])
        list.norm(Self.embeddings + "LayerNorm", hidden)
        for layer in 0..<layers {
            let name = "\(Self.layerPrefix)\(layer)."
            for part in ["query", "key", "value"] { list.linear("\(name)attention.self.\(part)", hidden, hidden) }
            list.linear(name + "attention.output.dense", hidden, hidden)
            list.norm(name + "attention.output.LayerNorm", hidden)
            list.linear(name + "intermediate.dense", feedForward, hidden)
            list.linear(name + "output.dense", hidden, feedForward)
            list.norm(name + "output.LayerNorm", hidden)
        }
        for (index, label) in Self.labels.enumerated() { list.linear("linear_heads.\(index)", CheXbert.states(of: label).count, hidden) }
        return list.tensors
    }
}
