import RaDialogPipeline

/// An image encoder, found in its checkpoints.
package struct EncoderPart: Sendable {
    package let layout: EncoderLayout
    /// Canonical names: the official state dict's.
    package let tensors: ImportedPart
    /// Names whose value a fine-tuned file replaced, sorted: for the provenance.
    package let replaced: [String]

    /// `biovil_t_image_model_proj_size_128.pt` (model.md section 2).
    package init(biovil: any CheckpointTensors, parts: EncoderLayout.Parts) throws(ImportError) {
        var table = KeyTable()
        try table.add(biovil) { EncoderLayout.canonical($0) }
        try self.init(table, primary: biovil, parts: parts)
    }

    init(_ table: KeyTable, primary: any CheckpointTensors, parts: EncoderLayout.Parts) throws(ImportError) {
        layout = try EncoderLayout(table, prefix: "", parts: parts, primary: primary)
        try layout.checkTrunk(table, prefix: "")
        tensors = try ImportedPart(table, layout.tensors(), primary: primary)
        replaced = table.replaced.sorted()
    }
}

/// The CheXpert classifier (model.md section 3): its own encoder and two linear layers.
package struct ClassifierPart: Sendable {
    package let layout: EncoderLayout
    /// Outputs of `fc1`, which is also the input of `fc2`.
    package let hidden: Int
    /// Inputs of `fc1`: projection x (grid / pool)^2.
    package let flattened: Int
    /// Outputs of `fc2`: one for each label.
    package let labels: Int
    /// `biovil_encoder.*`, `fc1.*`, `fc2.*`.
    package let tensors: ImportedPart

    static let encoderPrefix = "biovil_encoder."

    /// Opens a Lightning checkpoint, whose tensors stand under `state_dict`.
    package init(path: String) throws(ImportError) {
        try self.init(try openCheckpoint(path: path, under: "state_dict"))
    }

    /// - Parameter checkpoint: keys `model.biovil_encoder.*`, `model.fc1.*`, `model.fc2.*`.
    package init(_ checkpoint: any CheckpointTensors) throws(ImportError) {
        var table = KeyTable()
        try table.add(checkpoint) { key in
            guard let name = key.without(prefix: "model.") else { return nil }
            if let inner = name.without(prefix: Self.encoderPrefix) { return EncoderLayout.canonical(inner).map { Self.encoderPrefix + $0 } }
            return name.hasPrefix("fc1.") || name.hasPrefix("fc2.") ? name : nil
        }
        layout = try EncoderLayout(table, prefix: Self.encoderPrefix, parts: .init(projector: true, pooler: false), primary: checkpoint)
        try layout.checkTrunk(table, prefix: Self.encoderPrefix)
        let first = try table.shape("fc1.weight", in: checkpoint)
        let second = try table.shape("fc2.weight", in: checkpoint)
        guard first.count == 2 else { throw .wrongShape(path: checkpoint.path, name: "model.fc1.weight", found: first, expected: [-1, -1]) }
        guard second.count == 2 else { throw .wrongShape(path: checkpoint.path, name: "model.fc2.weight", found: second, expected: [-1, first[0]]) }
        hidden = first[0]
        flattened = first[1]
        labels = second[0]
        var head = TensorList(prefix: "")
        head.linear("fc1", hidden, flattened)
        head.linear("fc2", labels, hidden)
        tensors = try ImportedPart(table, layout.tensors(prefix: Self.encoderPrefix) + head.tensors, primary: checkpoint)
    }
}

/// v2 (model.md section 4a): `non_lora_trainables.bin` with the MLP and the fine-tuned vision tower, over BioViL-T.
package struct MLPAlignmentPart: Sendable {
    package let encoder: EncoderPart
    package let input: Int
    package let hidden: Int
    package let output: Int
    /// `mm_projector.0.*`, `mm_projector.2.*`.
    package let tensors: ImportedPart

    /// - Parameter biovil: what the fine-tuned file does not hold comes from here; nil where it has to hold everything. LLaVA's writer keeps parameters only,
    ///   so the running means and variances of the batch norms usually come from BioViL-T.
    package init(nonLoraTrainables file: any CheckpointTensors, biovil: (any CheckpointTensors)?, pooler: Bool) throws(ImportError) {
        var table = KeyTable()
        if let biovil { try table.add(biovil) { EncoderLayout.canonical($0) } }
        try table.add(file) { Self.towerKey($0).flatMap(EncoderLayout.canonical) }
        encoder = try EncoderPart(table, primary: biovil ?? file, parts: .init(projector: false, pooler: pooler))

        var mlp = KeyTable()
        try mlp.add(file) { key in Self.stripped(key).without(prefix: "model.").flatMap { $0.hasPrefix("mm_projector.") ? $0 : nil } }
        let first = try mlp.shape("mm_projector.0.weight", in: file)
        let second = try mlp.shape("mm_projector.2.weight", in: file)
        guard first.count == 2, first[1] == 2 * encoder.layout.patchChannels else {
            throw .wrongShape(path: file.path, name: "mm_projector.0.weight", found: first, expected: [-1, 2 * encoder.layout.patchChannels])
        }
        guard second.count == 2 else { throw .wrongShape(path: file.path, name: "mm_projector.2.weight", found: second, expected: [-1, first[0]]) }
        (input, hidden, output) = (first[1], first[0], second[0])
        var list = TensorList(prefix: "")
        list.linear("mm_projector.0", hidden, input)
        list.linear("mm_projector.2", output, hidden)
        for (name, place) in mlp.places.sorted(by: { $0.key < $1.key }) where !list.tensors.contains(where: { $0.name == name }) {
            throw .unexpectedTensor(path: file.path, name: place.key, reason: "which a two-layer MLP does not have")
        }
        tensors = try ImportedPart(mlp, list.tensors, primary: file)
    }

    /// Without peft's `base_model.`, and one `model.` where it is doubled: what remains begins with `model.`.
    static func stripped(_ key: String) -> String {
        var key = key
        if let rest = key.without(prefix: "base_model.") { key = rest }
        while key.hasPrefix("model.model.") { key = String(key.dropFirst("model.".count)) }
        return key
    }

    /// The tower's own key. LLaVA wraps the tower in a module that calls it `vision_tower` again.
    private static func towerKey(_ key: String) -> String? {
        guard let inner = stripped(key).without(prefix: "model.vision_tower.") else { return nil }
        return inner.without(prefix: "vision_tower.") ?? inner
    }
}
