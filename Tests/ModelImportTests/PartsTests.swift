import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// Checkpoints of both generations at small width, under the keys that the authors' files have.
struct SmallVision {
    static let blocks = [2, 1, 1, 1]
    static let channels = [4, 6, 8, 10]
    static let expansion = 2
    static let patch = 6
    private var numbers = Numbers(seed: 3)

    mutating func encoder(prefix: String, projection: Int?, pooler: Int = 0, statistics: Bool = true) -> TensorFile {
        var file = TensorFile()
        func set(_ name: String, _ shape: [Int]) { file[prefix + name] = numbers.tensor(shape) }
        func norm(_ name: String, _ width: Int) {
            for part in ["weight", "bias"] { set("\(name).\(part)", [width]) }
            if statistics {
                for part in ["running_mean", "running_var"] { set("\(name).\(part)", [width]) }
                file["\(prefix)\(name).num_batches_tracked"] = .init(shape: [], values: [1], type: "I32")
            }
        }
        set("encoder.encoder.conv1.weight", [4, 3, 7, 7])
        norm("encoder.encoder.bn1", 4)
        var inputs = 4
        for (stage, channels) in Self.channels.enumerated() {
            for block in 0..<Self.blocks[stage] {
                let name = "encoder.encoder.layer\(stage + 1).\(block)."
                set(name + "conv1.weight", [channels, inputs, 1, 1])
                norm(name + "bn1", channels)
                set(name + "conv2.weight", [channels, channels, 3, 3])
                norm(name + "bn2", channels)
                set(name + "conv3.weight", [2 * channels, channels, 1, 1])
                norm(name + "bn3", 2 * channels)
                if block == 0 {
                    set(name + "downsample.0.weight", [2 * channels, inputs, 1, 1])
                    norm(name + "downsample.1", 2 * channels)
                }
                inputs = 2 * channels
            }
        }
        set("encoder.encoder.fc.weight", [1000, inputs])
        set("encoder.backbone_to_vit.weight", [Self.patch, inputs, 1, 1])
        set("encoder.missing_previous_emb", [1, Self.patch, 1, 1])
        if let projection {
            set("projector.model.0.weight", [projection, 2 * Self.patch, 1, 1])
            norm("projector.model.1", projection)
            set("projector.model.3.weight", [projection, projection, 1, 1])
            set("projector.model.3.bias", [projection])
        }
        for block in 0..<pooler {
            let name = "encoder.vit_pooler.blocks.\(block)."
            for part in ["norm1", "norm2"] { for end in ["weight", "bias"] { set("\(name)\(part).\(end)", [Self.patch]) } }
            for part in ["attn.proj_q", "attn.proj_k", "attn.proj_v", "attn.proj", "mlp.fc1", "mlp.fc2"] { set("\(name)\(part).weight", [Self.patch, Self.patch]) }
            for part in ["attn.proj", "mlp.fc1", "mlp.fc2"] { set("\(name)\(part).bias", [Self.patch]) }
        }
        if pooler > 0 {
            for end in ["weight", "bias"] { set("encoder.vit_pooler.norm_post.\(end)", [Self.patch]) }
            set("encoder.vit_pooler.type_embed", [2, 1, Self.patch])
        }
        return file
    }

    mutating func linear(_ file: inout TensorFile, _ name: String, _ outputs: Int, _ inputs: Int) {
        file[name + ".weight"] = numbers.tensor([outputs, inputs])
        file[name + ".bias"] = numbers.tensor([outputs])
    }

    mutating func norm(_ file: inout TensorFile, _ name: String, _ width: Int) {
        for part in ["weight", "bias"] { file["\(name).\(part)"] = numbers.tensor([width]) }
    }

    /// checkpoint_4.pth: four layers of width 8, cross-attention in every second, and the text path that nobody needs.
    mutating func qFormer(imageWidth: Int) -> TensorFile {
        var file = TensorFile()
        file["query_tokens"] = numbers.tensor([1, 5, 8])
        norm(&file, "ln_vision", imageWidth)
        norm(&file, "Qformer.bert.embeddings.LayerNorm", 8)
        file["Qformer.bert.embeddings.word_embeddings.weight"] = numbers.tensor([30, 8])
        file["Qformer.cls.predictions.bias"] = numbers.tensor([30])
        for layer in 0..<4 {
            let name = "Qformer.bert.encoder.layer.\(layer)."
            for (kind, width) in [("attention", 8), ("crossattention", imageWidth)] where kind == "attention" || layer % 2 == 0 {
                linear(&file, "\(name)\(kind).self.query", 8, 8)
                linear(&file, "\(name)\(kind).self.key", 8, width)
                linear(&file, "\(name)\(kind).self.value", 8, width)
                linear(&file, "\(name)\(kind).output.dense", 8, 8)
                norm(&file, "\(name)\(kind).output.LayerNorm", 8)
            }
            for end in ["", "_query"] {
                linear(&file, "\(name)intermediate\(end).dense", 12, 8)
                linear(&file, "\(name)output\(end).dense", 8, 12)
                norm(&file, "\(name)output\(end).LayerNorm", 8)
            }
        }
        return file
    }
}

@Suite struct PartsTests {
    private let scratch: Scratch
    private static let none = EncoderLayout.Parts(projector: false, pooler: false)

    init() throws { scratch = try Scratch() }

    private func open(_ file: TensorFile, as name: String = "x.safetensors") throws -> any CheckpointTensors {
        try openCheckpoint(path: scratch.write(file.bytes, as: name))
    }

    @Test func `BioViL-T's dimensions follow from its shapes, and only what is wanted is taken`() throws {
        var vision = SmallVision()
        let file = vision.encoder(prefix: "", projection: 16, pooler: 2)
        let part = try EncoderPart(biovil: open(file), parts: .init(projector: true, pooler: true))
        #expect(part.layout.stemChannels == 4 && part.layout.stageBlocks == SmallVision.blocks && part.layout.stageChannels == SmallVision.channels)
        #expect(part.layout.expansion == 2 && part.layout.patchChannels == 6 && part.layout.projection == 16 && part.layout.poolerBlocks == 2)
        let dropped = file.tensors.keys.filter { $0.hasSuffix("num_batches_tracked") || $0.contains(".fc.") && $0.hasPrefix("encoder.encoder.") }
        #expect(Set(part.tensors.names) == Set(file.tensors.keys).subtracting(dropped) && dropped.count > 10)
        let plain = try EncoderPart(biovil: open(file), parts: Self.none)
        #expect(!plain.tensors.names.contains { $0.hasPrefix("projector") || $0.contains("vit_pooler") } && plain.layout.projection == nil)
        #expect(try plain.tensors.floats("encoder.missing_previous_emb", shape: [1, 6, 1, 1]).array == file["encoder.missing_previous_emb"]?.values)
    }

    @Test func `a missing tensor, a wrong shape and a tensor too many are named`() throws {
        var vision = SmallVision()
        let good = vision.encoder(prefix: "", projection: 16)
        func refused(_ change: (inout TensorFile) -> Void, _ parts: EncoderLayout.Parts = .init(projector: true, pooler: false)) -> String {
            var file = good
            change(&file)
            return refusal { _ = try EncoderPart(biovil: open(file), parts: parts) } ?? "nothing"
        }
        let cases: [((inout TensorFile) -> Void, String)] = [
            ({ $0["encoder.encoder.layer2.0.bn2.running_var"] = nil }, "no tensor \"encoder.encoder.layer2.0.bn2.running_var\""),
            ({ $0["encoder.encoder.layer2.0.bn2.running_var"]?.shape = [6, 1] }, "is [6, 1]; expected [6]"),
            ({ $0["encoder.encoder.conv1.weight"]?.shape = [588] }, "encoder.encoder.conv1.weight"),
            ({ $0["encoder.encoder.layer1.3.conv1.weight"] = .init(shape: [4, 8, 1, 1], values: .init(repeating: 0, count: 32)) },
                "layer1.3.conv1.weight\", which a BioViL-T encoder"),
            ({ $0["encoder.backbone_to_vit.weight"]?.type = "I32" }, "has type I32"),
        ]
        for (change, text) in cases {
            let found = refused(change)
            #expect(found.contains(text), "\(found)")
        }
        #expect(refused({ _ in }, .init(projector: true, pooler: true)).contains("no tensor \"encoder.vit_pooler.blocks.0.mlp.fc1.weight\""))
    }

    @Test func `the classifier's Lightning keys lose their prefix`() throws {
        var vision = SmallVision()
        var file = vision.encoder(prefix: "model.biovil_encoder.", projection: 16, pooler: 1)
        vision.linear(&file, "model.fc1", 9, 64)
        vision.linear(&file, "model.fc2", 14, 9)
        file["val_auroc.preds"] = .init(shape: [1], values: [0])
        let part = try ClassifierPart(open(file))
        #expect(part.hidden == 9 && part.flattened == 64 && part.labels == 14 && part.layout.projection == 16)
        #expect(part.tensors.names.contains("fc2.bias") && part.tensors.names.contains("biovil_encoder.projector.model.3.bias"))
        #expect(part.tensors.names.allSatisfy { $0.hasPrefix("biovil_encoder.") || $0.hasPrefix("fc") } && !part.tensors.names.contains { $0.contains("vit_pooler") })
        file["model.fc2.weight"]?.shape = [9, 14]
        #expect(refusal { _ = try ClassifierPart(open(file)) }?.contains("model.fc2.weight") == true)
        // A file of this kind without its tensors says so: here the shipped Lightning fixture, which has only fc1.
        #expect(refusal { _ = try ClassifierPart(path: CheckpointFixture.path("lightning.ckpt")) }?.contains("no tensor \"biovil_encoder.encoder.encoder.conv1.weight\"") == true)
    }

    @Test(arguments: ["base_model.model.model.", "base_model.model.", "model."], ["vision_tower.", "vision_tower.vision_tower."])
    func `v2's prefixes are stripped, and what the fine-tuned tower lacks comes from BioViL-T`(prefix: String, tower: String) throws {
        var vision = SmallVision()
        let biovil = vision.encoder(prefix: "", projection: 16)
        // Parameters only, as LLaVA's writer keeps them: no running statistics.
        var tuned = vision.encoder(prefix: prefix + tower, projection: 16, statistics: false)
        vision.linear(&tuned, prefix + "mm_projector.0", 20, 12)
        vision.linear(&tuned, prefix + "mm_projector.2", 24, 20)
        let part = try MLPAlignmentPart(nonLoraTrainables: open(tuned, as: "tuned.st"), biovil: open(biovil), pooler: false)
        #expect(part.input == 12 && part.hidden == 20 && part.output == 24)
        #expect(part.tensors.names == ["mm_projector.0.bias", "mm_projector.0.weight", "mm_projector.2.bias", "mm_projector.2.weight"])
        let weight = "encoder.encoder.layer1.1.conv2.weight"
        #expect(try part.encoder.tensors.floats(weight, shape: [4, 4, 3, 3]).array == tuned[prefix + tower + weight]?.values)
        #expect(try part.encoder.tensors.floats("encoder.encoder.bn1.running_mean", shape: [4]).array == biovil["encoder.encoder.bn1.running_mean"]?.values)
        #expect(part.encoder.replaced.contains(weight) && !part.encoder.replaced.contains("encoder.encoder.bn1.running_mean") && part.encoder.layout.projection == nil)
        #expect(refusal { _ = try MLPAlignmentPart(nonLoraTrainables: open(tuned, as: "tuned.st"), biovil: nil, pooler: false) }?.contains("running_mean") == true)

        var wrong = tuned
        wrong[prefix + "mm_projector.4.weight"] = wrong[prefix + "mm_projector.0.weight"]
        #expect(refusal { _ = try MLPAlignmentPart(nonLoraTrainables: open(wrong, as: "wrong.st"), biovil: open(biovil), pooler: false) }?.contains("two-layer MLP") == true)
        wrong = tuned
        wrong[prefix + "mm_projector.0.weight"]?.shape = [12, 20]
        #expect(refusal { _ = try MLPAlignmentPart(nonLoraTrainables: open(wrong, as: "wrong.st"), biovil: open(biovil), pooler: false) }?.contains("mm_projector.0.weight") == true)
        wrong = tuned
        wrong["base_model.model.model.mm_projector.0.bias"] = tuned[prefix + "mm_projector.0.bias"]
        wrong["model.mm_projector.0.bias"] = tuned[prefix + "mm_projector.0.bias"]
        #expect(refusal { _ = try MLPAlignmentPart(nonLoraTrainables: open(wrong, as: "wrong.st"), biovil: open(biovil), pooler: false) }?.contains("stands for the same as") == true)
    }

    /// The v1 files: encoder under `visual_encoder.`, Q-Former, adapter with the projection into the language model.
    private func v1() throws -> (checkpoint: TensorFile, biovil: TensorFile, adapter: LoraAdapter) {
        var vision = SmallVision()
        var checkpoint = vision.qFormer(imageWidth: 14)
        for (name, tensor) in vision.encoder(prefix: "visual_encoder.", projection: 14).tensors { checkpoint[name] = tensor }
        let biovil = vision.encoder(prefix: "", projection: 16)
        var model = try SmallModel(scratch: scratch)
        vision.linear(&model.adapter, "base_model.model.model.img_proj_layer", 16, 8)
        _ = try model.weights(scratch, extras: QFormerPart.adapterExtras)
        return (checkpoint, biovil, try LoraAdapter(folder: scratch.path))
    }

    @Test func `v1's Q-Former, encoder and projection are put together`() throws {
        let (checkpoint, biovil, adapter) = try v1()
        let part = try QFormerPart(checkpoint: open(checkpoint, as: "v1.st"), biovil: open(biovil), adapter: adapter, pooler: false)
        let layout = part.layout
        #expect(layout.queries == 5 && layout.width == 8 && layout.layers == 4 && layout.crossAttentionEvery == 2 && layout.feedForward == 12)
        #expect(layout.imageWidth == 14 && layout.output == 16 && part.encoder.layout.projection == 14)
        #expect(part.tensors.names.contains("img_proj_layer.bias") && part.tensors.names.contains("Qformer.bert.encoder.layer.2.crossattention.self.key.weight"))
        #expect(!part.tensors.names.contains { $0.contains("intermediate.dense") || $0.contains("word_embeddings") || $0.contains("cls") })
        #expect(try part.tensors.floats("query_tokens", shape: [1, 5, 8]).array == checkpoint["query_tokens"]?.values)
    }

    @Test func `v1's frozen vision branch comes from BioViL-T, but its projector never does`() throws {
        let (whole, biovil, adapter) = try v1()
        // As the writer leaves it: frozen parameters dropped, buffers kept.
        var dropped = whole
        for name in whole.tensors.keys where name.hasPrefix("visual_encoder.") && !name.contains("running_") && !name.contains("num_batches") { dropped[name] = nil }
        let path = try scratch.write(dropped.bytes, as: "v1.st")
        #expect(throws: ImportError.missingProjector(path: path, name: "visual_encoder.projector.model.0.weight")) {
            try QFormerPart(checkpoint: openCheckpoint(path: path), biovil: open(biovil), adapter: adapter, pooler: false)
        }
        let text = refusal { _ = try QFormerPart(checkpoint: openCheckpoint(path: path), biovil: open(biovil), adapter: adapter, pooler: false) }
        #expect(text?.contains("A randomly initialised projector would give plausible nonsense") == true)
        for name in whole.tensors.keys where name.hasPrefix("visual_encoder.projector.") { dropped[name] = whole[name] }
        let part = try QFormerPart(checkpoint: open(dropped, as: "v1.st"), biovil: open(biovil), adapter: adapter, pooler: false)
        #expect(try part.encoder.tensors.floats("encoder.encoder.conv1.weight", shape: [4, 3, 7, 7]).array == biovil["encoder.encoder.conv1.weight"]?.values)
        #expect(part.encoder.layout.projection == 14)
    }

    @Test func `a Q-Former with a hole is refused by the name of what is missing`() throws {
        let (whole, biovil, adapter) = try v1()
        let layer = "Qformer.bert.encoder.layer."
        for (name, text) in [
            ("query_tokens", "no tensor \"query_tokens\""), ("\(layer)2.crossattention.self.query.weight", "no tensor \"\(layer)2.crossattention.self.query.weight\""),
            ("\(layer)3.output_query.LayerNorm.bias", "no tensor \"\(layer)3.output_query.LayerNorm.bias\""), ("\(layer)0.attention.self.query.weight", "\(layer)0.attention.self.query.weight"),
            ("ln_vision.weight", "ln_vision.weight"),
        ] {
            var file = whole
            file[name] = nil
            let found = refusal { _ = try QFormerPart(checkpoint: open(file, as: "hole.st"), biovil: open(biovil), adapter: adapter, pooler: false) }
            #expect(found?.contains(text) == true, "\(name): \(found ?? "nothing")")
        }
    }
}
