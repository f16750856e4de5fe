import RaDialogPipeline

/// Dimensions of a BioViL-T image encoder, as the shapes of its checkpoint say; and the tensors that follow from them (model.md section 2).
package struct EncoderLayout: Sendable, Equatable {
    package var stemChannels: Int
    package var stageBlocks: [Int]
    package var stageChannels: [Int]
    package var expansion: Int
    package var patchChannels: Int
    /// Width of the projector; nil where the checkpoint has none or it is not wanted.
    package var projection: Int?
    /// Blocks of `vit_pooler`; 0 where the checkpoint has none or it is not wanted. Its dimension is `patchChannels`.
    package var poolerBlocks: Int
    package var poolerHidden: Int

    /// What a caller wants of an encoder.
    package struct Parts: Sendable, Equatable {
        package var projector: Bool
        package var pooler: Bool

        package init(projector: Bool, pooler: Bool) {
            self.projector = projector
            self.pooler = pooler
        }
    }

    static let stages = 4
    private static let maximumBlocks = 64

    /// - Parameter prefix: in front of the canonical keys, "" or "biovil_encoder.".
    init(_ table: KeyTable, prefix: String, parts: Parts, primary: any CheckpointTensors) throws(ImportError) {
        func shape(_ name: String, rank: Int) throws(ImportError) -> [Int] {
            let shape = try table.shape(prefix + name, in: primary)
            guard shape.count == rank else { throw .wrongShape(path: primary.path, name: prefix + name, found: shape, expected: [Int](repeating: -1, count: rank)) }
            return shape
        }
        let trunk = "encoder.encoder."
        stemChannels = try shape(trunk + "conv1.weight", rank: 4)[0]
        stageBlocks = []
        stageChannels = []
        for stage in 1...Self.stages {
            stageChannels.append(try shape(trunk + "layer\(stage).0.conv1.weight", rank: 4)[0])
            var blocks = 1
            while blocks < Self.maximumBlocks, table.contains(prefix + trunk + "layer\(stage).\(blocks).conv1.weight") { blocks += 1 }
            stageBlocks.append(blocks)
        }
        let outer = try shape(trunk + "layer1.0.conv3.weight", rank: 4)[0]
        guard let inner = stageChannels.first, inner > 0, outer % inner == 0, outer > 0 else {
            throw .wrongShape(path: primary.path, name: trunk + "layer1.0.conv3.weight", found: [outer], expected: stageChannels)
        }
        expansion = outer / inner
        patchChannels = try shape("encoder.backbone_to_vit.weight", rank: 4)[0]
        projection = parts.projector ? try shape("projector.model.0.weight", rank: 4)[0] : nil
        poolerBlocks = 0
        poolerHidden = 0
        if parts.pooler {
            poolerHidden = try shape("encoder.vit_pooler.blocks.0.mlp.fc1.weight", rank: 2)[0]
            poolerBlocks = 1
            while poolerBlocks < Self.maximumBlocks, table.contains("\(prefix)encoder.vit_pooler.blocks.\(poolerBlocks).norm1.weight") { poolerBlocks += 1 }
        }
    }

    /// Every tensor of the encoder with its shape, under the state dict's official keys behind `prefix`.
    package func tensors(prefix: String = "") -> [LlamaConfiguration.Tensor] {
        var list = TensorList(prefix: prefix)
        list.add("encoder.encoder.conv1.weight", [stemChannels, 3, 7, 7])
        list.batchNorm("encoder.encoder.bn1", stemChannels)
        var inputs = stemChannels
        for stage in stageBlocks.indices {
            let channels = stageChannels[stage]
            for block in 0..<stageBlocks[stage] {
                let name = "encoder.encoder.layer\(stage + 1).\(block)."
                list.add(name + "conv1.weight", [channels, inputs, 1, 1])
                list.batchNorm(name + "bn1", channels)
                list.add(name + "conv2.weight", [channels, channels, 3, 3])
                list.batchNorm(name + "bn2", channels)
                list.add(name + "conv3.weight", [channels * expansion, channels, 1, 1])
                list.batchNorm(name + "bn3", channels * expansion)
                if block == 0 {
                    list.add(name + "downsample.0.weight", [channels * expansion, inputs, 1, 1])
                    list.batchNorm(name + "downsample.1", channels * expansion)
                }
                inputs = channels * expansion
            }
        }
        list.add("encoder.backbone_to_vit.weight", [patchChannels, inputs, 1, 1])
        list.add("encoder.missing_previous_emb", [1, patchChannels, 1, 1])
        if let projection {
            list.add("projector.model.0.weight", [projection, 2 * patchChannels, 1, 1])
            list.batchNorm("projector.model.1", projection)
            list.add("projector.model.3.weight", [projection, projection, 1, 1])
            list.add("projector.model.3.bias", [projection])
        }
        if poolerBlocks > 0 { pooler(&list) }
        return list.tensors
    }

    private func pooler(_ list: inout TensorList) {
        let width = patchChannels
        for block in 0..<poolerBlocks {
            let name = "encoder.vit_pooler.blocks.\(block)."
            list.norm(name + "norm1", width)
            for part in ["proj_q", "proj_k", "proj_v"] { list.add("\(name)attn.\(part).weight", [width, width]) }
            list.linear(name + "attn.proj", width, width)
            list.norm(name + "norm2", width)
            list.linear(name + "mlp.fc1", poolerHidden, width)
            list.linear(name + "mlp.fc2", width, poolerHidden)
        }
        list.norm("encoder.vit_pooler.norm_post", width)
        list.add("encoder.vit_pooler.type_embed", [2, 1, width])
    }

    /// The official key that a key of the encoder stands for; nil for what is not used: counters, the unused classification layer of ResNet, text
    /// branches.
    static func canonical(_ key: String) -> String? {
        guard key.hasPrefix("encoder.") || key.hasPrefix("projector.model.") else { return nil }
        guard !key.hasSuffix(".num_batches_tracked"), !key.hasPrefix("encoder.encoder.fc.") else { return nil }
        return key
    }

    /// A block that the layout does not have would be left out silently: every tensor of the trunk has to be one of the layout's.
    func checkTrunk(_ table: KeyTable, prefix: String) throws(ImportError) {
        let known = Set(tensors(prefix: prefix).map(\.name))
        let trunk = prefix + "encoder.encoder."
        for (name, place) in table.places.sorted(by: { $0.key < $1.key }) where name.hasPrefix(trunk) && !known.contains(name) {
            throw .unexpectedTensor(path: place.source.path, name: place.key, reason: "which a BioViL-T encoder of these dimensions does not have")
        }
    }
}

/// Names and shapes in the order in which they are added.
struct TensorList {
    let prefix: String
    private(set) var tensors: [LlamaConfiguration.Tensor] = []

    init(prefix: String) { self.prefix = prefix }

    mutating func add(_ name: String, _ shape: [Int]) { tensors.append(.init(name: prefix + name, shape: shape)) }

    mutating func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
        add(name + ".weight", [outputs, inputs])
        add(name + ".bias", [outputs])
    }

    mutating func norm(_ name: String, _ width: Int) {
        add(name + ".weight", [width])
        add(name + ".bias", [width])
    }

    mutating func batchNorm(_ name: String, _ channels: Int) {
        for part in ["weight", "bias", "running_mean", "running_var"] { add("\(name).\(part)", [channels]) }
    }
}
