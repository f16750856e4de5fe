import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// A LLaMA of two layers with an adapter on every linear layer.
struct SmallModel {
    var base = TensorFile()
    var adapter = TensorFile()
    var targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    var rank = 3
    var alpha = 6.0
    var extraConfig = ""
    let configuration: LlamaConfiguration

    init(scratch: Scratch, middle: String = "", baseType: String = "BF16") throws {
        try scratch.write(
            """
            {"architectures": ["LlamaForCausalLM"], "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
             "intermediate_size": 40, "vocab_size": 20, "max_position_embeddings": 64, "rms_norm_eps": 1e-05}
            """, as: "config.json")
        configuration = try LlamaConfiguration(folder: scratch.path)
        var numbers = Numbers(seed: 7)
        for tensor in configuration.tensors() {
            base[tensor.name] = numbers.tensor(tensor.shape, type: baseType)
            guard targets.contains(where: { tensor.name.hasSuffix("\($0).weight") }) else { continue }
            let module = "base_model.model." + tensor.name.dropLast(".weight".count)
            adapter["\(module).lora_A\(middle).weight"] = numbers.tensor([rank, tensor.shape[1]])
            adapter["\(module).lora_B\(middle).weight"] = numbers.tensor([tensor.shape[0], rank], type: "BF16")
        }
    }

    func weights(_ scratch: Scratch, extras: Set<String> = []) throws -> LanguageModelWeights {
        let names = targets.map { "\"\($0)\"" }.joined(separator: ",")
        try scratch.write(#"{"peft_type": "LORA", "r": \#(rank), "lora_alpha": \#(alpha), "target_modules": [\#(names)]\#(extraConfig)}"#, as: "adapter_config.json")
        try scratch.write(adapter.bytes, as: "adapter_model.safetensors")
        try scratch.write(base.bytes, as: "model.safetensors")
        return try LanguageModelWeights(
            base: FolderTensors(path: scratch.path, kind: .model), configuration: configuration, adapter: LoraAdapter(folder: scratch.path), extras: extras)
    }

    static let queryA = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"
    static let queryB = "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"
}

@Suite struct AdapterTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func read(_ weights: LanguageModelWeights, _ name: String, block: Int = .max, threads: Int = 1) throws -> [Float] {
        let pool = try KernelPool(threads: threads)
        let tensor = try weights.open(name)
        var values = [Float](repeating: .nan, count: tensor.rows * tensor.columns)
        try values.withUnsafeMutableBufferPointer { buffer in
            for first in stride(from: 0, to: tensor.rows, by: min(block, tensor.rows)) {
                let rows = first..<min(tensor.rows, first + min(block, tensor.rows))
                tensor.prefetch(rows: rows)
                try tensor.read(rows: rows, into: .init(rebasing: buffer[first * tensor.columns..<rows.upperBound * tensor.columns]), pool: pool)
            }
        }
        return values
    }

    /// W + scale * B A in double precision.
    private func expected(_ model: SmallModel, _ name: String, middle: String = "", scale: Double) throws -> [Double] {
        let base = try #require(model.base[name])
        let module = "base_model.model." + name.dropLast(".weight".count)
        guard let a = model.adapter["\(module).lora_A\(middle).weight"], let b = model.adapter["\(module).lora_B\(middle).weight"] else { return base.values.map(Double.init) }
        let columns = base.shape[1]
        return base.values.indices.map { index in
            let (row, column) = (index / columns, index % columns)
            let sum = (0..<model.rank).reduce(0.0) { $0 + Double(b.values[row * model.rank + $1]) * Double(a.values[$1 * columns + column]) }
            return Double(base.values[index]) + scale * sum
        }
    }

    @Test(arguments: ["", ".default"], ["F32", "BF16"])
    func `W + (alpha over r) B A is exact for every linear layer, and the rest is the base`(middle: String, type: String) throws {
        let model = try SmallModel(scratch: scratch, middle: middle, baseType: type)
        let weights = try model.weights(scratch)
        for tensor in weights.tensors {
            // Eighths multiplied and added without rounding in fp32: equality, not a tolerance.
            #expect(try read(weights, tensor.name).map(Double.init) == expected(model, tensor.name, middle: middle, scale: 2), "\(tensor.name)")
        }
        #expect(weights.vocabulary == 20 && weights.unused.isEmpty)
    }

    @Test func `blocks of rows and threads do not change a bit`() throws {
        let model = try SmallModel(scratch: scratch)
        let weights = try model.weights(scratch)
        let name = "model.layers.0.mlp.up_proj.weight"
        let whole = try read(weights, name)
        for (block, threads) in [(1, 1), (7, 2), (39, 3)] { #expect(try read(weights, name, block: block, threads: threads) == whole) }
    }

    @Test func `rank-stabilised adapters are scaled by alpha over the root of r`() throws {
        var model = try SmallModel(scratch: scratch)
        model.extraConfig = #", "use_rslora": true"#
        let name = "model.layers.0.self_attn.v_proj.weight"
        let found = try read(try model.weights(scratch), name)
        let wanted = try expected(model, name, scale: 6 / 3.0.squareRoot())
        for (index, value) in found.enumerated() { #expect(abs(Double(value) - wanted[index]) <= 1e-5 * max(1, abs(wanted[index]))) }
    }

    @Test func `a saved module replaces the base, and a larger vocabulary comes with both its ends`() throws {
        var model = try SmallModel(scratch: scratch)
        model.extraConfig = #", "modules_to_save": ["embed_tokens", "lm_head"]"#
        var numbers = Numbers(seed: 9)
        model.adapter["base_model.model.model.embed_tokens.modules_to_save.default.weight"] = numbers.tensor([21, 16])
        model.adapter["base_model.model.model.embed_tokens.original_module.weight"] = numbers.tensor([20, 16])
        model.adapter["base_model.model.lm_head.weight"] = numbers.tensor([21, 16])
        let weights = try model.weights(scratch)
        #expect(weights.vocabulary == 21 && weights.tensors.first?.shape == [21, 16])
        #expect(try read(weights, "lm_head.weight") == model.adapter["base_model.model.lm_head.weight"]?.values)
        #expect(try read(weights, "model.embed_tokens.weight") == model.adapter["base_model.model.model.embed_tokens.modules_to_save.default.weight"]?.values)
        model.adapter["base_model.model.lm_head.weight"] = nil
        #expect(refusal { _ = try model.weights(scratch) }?.contains("modules_to_save names \"lm_head\"") == true)
        model.extraConfig = ""
        #expect(refusal { _ = try model.weights(scratch) }?.contains("replaces embedding or head by [21] rows") == true)
    }

    @Test func `what an adapter leaves over, lacks or gets wrong is named`() throws {
        let good = try SmallModel(scratch: scratch)
        func refused(_ change: (inout SmallModel) -> Void) -> String {
            var model = good
            change(&model)
            return refusal { _ = try model.weights(scratch) } ?? "nothing"
        }
        let cases: [((inout SmallModel) -> Void, String)] = [
            ({ $0.adapter[SmallModel.queryB] = nil }, "\"\(SmallModel.queryA)\" has no lora_B"),
            ({ $0.adapter[SmallModel.queryA] = nil }, "\"\(SmallModel.queryB)\" has no lora_A"),
            ({ $0.adapter[SmallModel.queryA] = nil; $0.adapter[SmallModel.queryB] = nil }, "covers \"model.layers.1.self_attn.q_proj.weight\", for which the adapter has no LoRA pair"),
            ({ $0.adapter[SmallModel.queryA]?.shape = [16, 3] }, "\"\(SmallModel.queryA)\" of"),
            ({ $0.rank = 4 }, "expected [4, 16]"),
            ({ $0.targets.removeAll { $0 == "q_proj" } }, "which target_modules of adapter_config.json does not name"),
            ({ model in
                for part in ["lora_A", "lora_B"] {
                    model.adapter["base_model.model.model.layers.2.self_attn.q_proj.\(part).weight"] = model.adapter["base_model.model.model.layers.1.self_attn.q_proj.\(part).weight"]
                }
            }, "for \"model.layers.2.self_attn.q_proj.weight\", which the base model does not have"),
            ({ $0.adapter[SmallModel.queryA.replacingOccurrences(of: ".weight", with: ".default.weight")] = $0.adapter[SmallModel.queryA] }, "are both for"),
            ({ $0.adapter["base_model.model.model.layers.1.self_attn.q_proj.lora_magnitude_vector"] = .init(shape: [16], values: .init(repeating: 1, count: 16)) }, "lora_magnitude_vector"),
            ({ $0.adapter["base_model.model.model.embed_tokens.lora_embedding_A"] = .init(shape: [1], values: [1]) }, "lora_embedding_A"),
            ({ $0.adapter["base_model.model.model.img_proj_layer.weight"] = .init(shape: [1], values: [1]) }, "\"model.img_proj_layer.weight\", which nothing uses"),
            ({ $0.adapter["model.layers.0.lora_A.weight"] = .init(shape: [1], values: [1]) }, "does not begin with"),
            ({ $0.adapter["base_model.model.model.layers.1.self_attn.q_proj.weight"] = $0.base["model.layers.1.self_attn.q_proj.weight"] }, "a LoRA pair and a replacement"),
            ({ $0.base["model.layers.0.mlp.down_proj.weight"] = nil }, "no tensor \"model.layers.0.mlp.down_proj.weight\""),
            ({ $0.base["model.norm.weight"]?.shape = [4, 4] }, "is [4, 4]; expected [16]"),
        ]
        for (change, text) in cases {
            let found = refused(change)
            #expect(found.contains(text), "\(found)")
        }
    }

    @Test func `integers are no weights`() throws {
        var model = try SmallModel(scratch: scratch)
        model.base["model.norm.weight"]?.type = "I32"
        let weights = try model.weights(scratch)
        #expect(refusal { _ = try weights.open("model.norm.weight") }?.contains("has type I32") == true)
        #expect(refusal { _ = try weights.open("model.other") }?.contains("no tensor") == true)
    }

    @Test func `tensors of the base that the language model does not use are listed, and extras are read by who asked`() throws {
        var model = try SmallModel(scratch: scratch)
        model.base["model.layers.0.self_attn.rotary_emb.inv_freq"] = .init(shape: [2], values: [1, 2])
        model.adapter["base_model.model.model.img_proj_layer.weight"] = .init(shape: [1, 2], values: [1, 2])
        let weights = try model.weights(scratch, extras: QFormerPart.adapterExtras)
        #expect(weights.unused == ["model.layers.0.self_attn.rotary_emb.inv_freq"])
        #expect(try FloatTensor(try LoraAdapter(folder: scratch.path).extra("model.img_proj_layer.weight")).array == [1, 2])
    }
}
