import Foundation
import ModelImport
import RaDialogPipeline
import Testing

@Suite struct FolderTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func shards() throws {
        var first = TensorFile()
        var second = TensorFile()
        first["a"] = .init(shape: [2], values: [1, 2])
        second["b"] = .init(shape: [1], values: [3])
        try scratch.write(first.bytes, as: "model-00001-of-00002.safetensors")
        try scratch.write(second.bytes, as: "model-00002-of-00002.safetensors")
        try index(["a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"])
    }

    private func index(_ map: [String: String]) throws {
        let data = try JSONSerialization.data(withJSONObject: ["metadata": ["total_size": 12], "weight_map": map] as [String: any Sendable])
        try scratch.write(Array(data), as: "model.safetensors.index.json")
    }

    private func refusal() -> String? {
        ModelImportTests.refusal {
            let folder = try FolderTensors(path: scratch.path, kind: .model)
            for name in folder.names { _ = try folder.view(name) }
        }
    }

    @Test func `shards are read through their index, and opened again after they were released`() throws {
        try shards()
        let folder = try FolderTensors(path: scratch.path, kind: .model)
        #expect(folder.names == ["a", "b"] && folder.files.first == "model.safetensors.index.json" && folder.files.count == 3)
        let view = try folder.view("a")
        folder.release()
        #expect(try FloatTensor(view).array == [1, 2])
        #expect(try folder.floats("a") == [1, 2] && folder.floats("b") == [3])
        #expect(throws: ImportError.missingTensor(path: scratch.path, name: "c")) { try folder.view("c") }
    }

    @Test func `shards of torch are read the same way`() throws {
        try scratch.write(CheckpointFixture.bytes("kinds.pt"), as: "pytorch_model-00001-of-00002.bin")
        try scratch.write(CheckpointFixture.bytes("kinds-legacy.pt"), as: "pytorch_model-00002-of-00002.bin")
        // Only the tensors that the index names count; the same names twice are an error.
        let names = try TorchCheckpoint(path: CheckpointFixture.path("kinds.pt")).names
        let map = Dictionary(uniqueKeysWithValues: names.map { ($0, "pytorch_model-00001-of-00002.bin") })
        let data = try JSONSerialization.data(withJSONObject: ["weight_map": map])
        try scratch.write(Array(data), as: "pytorch_model.bin.index.json")
        let folder = try FolderTensors(path: scratch.path, kind: .model)
        #expect(try folder.floats("f16").count == 12)
    }

    @Test func `a tensor in two shards is an error that names both`() throws {
        try shards()
        var second = TensorFile()
        second["a"] = .init(shape: [1], values: [0])
        second["b"] = .init(shape: [1], values: [3])
        try scratch.write(second.bytes, as: "model-00002-of-00002.safetensors")
        #expect(refusal()?.contains("the tensor \"a\" stands in two shards, model-00001-of-00002.safetensors and model-00002-of-00002.safetensors") == true)
        try scratch.write(#"{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}"#, as: "model.safetensors.index.json")
        #expect(refusal()?.contains("stands twice") == true)
    }

    @Test func `a missing shard, an empty promise and a foreign path are errors that name them`() throws {
        try shards()
        try index(["a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"])
        #expect(refusal()?.contains("model-00001-of-00002.safetensors has the tensor \"b\", which is not there") == true)
        try index(["a": "model-00003-of-00002.safetensors"])
        #expect(refusal()?.contains("names the shard model-00003-of-00002.safetensors, which is not in the folder") == true)
        for path in ["../other/model.safetensors", "/etc/passwd", "..", "", ".hidden", "a\u{0}b", "sub/model.safetensors"] {
            try index(["a": path])
            #expect(refusal()?.contains("is not a file name of the folder") == true, "\(path)")
        }
        try scratch.write(#"{"weight_map": {"a": 3}}"#, as: "model.safetensors.index.json")
        #expect(refusal()?.contains("stands in 3") == true)
        try scratch.write(#"{"weight_map": {}}"#, as: "model.safetensors.index.json")
        #expect(refusal()?.contains("no \"weight_map\"") == true)
        try scratch.write("{", as: "model.safetensors.index.json")
        #expect(refusal()?.contains("is damaged") == true)
    }

    @Test func `a link, a pipe and an empty folder are refused`() throws {
        #expect(refusal()?.contains("it has none of model.safetensors, model.safetensors.index.json") == true)
        try shards()
        let shard = scratch.path + "/model-00002-of-00002.safetensors"
        try FileManager.default.moveItem(atPath: shard, toPath: scratch.path + "/blob")
        try FileManager.default.createSymbolicLink(atPath: shard, withDestinationPath: scratch.path + "/blob")
        #expect(refusal()?.contains("it is a symbolic link") == true)
        try FileManager.default.removeItem(atPath: shard)
        #expect(mkfifo(shard, 0o600) == 0)
        #expect(refusal()?.contains("not a regular file") == true)
        #expect(ModelImportTests.refusal { _ = try FolderTensors(path: shard, kind: .model) }?.contains("a folder is expected") == true)
    }

    private func llama(_ text: String) throws -> LlamaConfiguration {
        try scratch.write(text, as: "config.json")
        return try LlamaConfiguration(folder: scratch.path)
    }

    private static let llava = """
        {"architectures": ["LlavaLlamaForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
         "intermediate_size": 11008, "vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "rope_scaling": null, "hidden_act": "silu",
         "tie_word_embeddings": false, "mm_hidden_size": 512, "model_type": "llava", "pretraining_tp": 1, "torch_dtype": "float16"}
        """

    @Test func `config json gives the dimensions, and every tensor of 7B by name`() throws {
        let config = try llama(Self.llava)
        #expect(config.layers == 32 && config.hidden == 4096 && config.feedForward == 11_008 && config.context == 4096 && config.vocabulary == 32_000)
        #expect(config.rmsNormEpsilon == 1e-5 && config.ropeTheta == 10_000 && config.ropeScaling == nil && !config.tiedEmbeddings)
        let tensors = config.tensors()
        #expect(tensors.count == 3 + 32 * 9)
        // 6.74 billion parameters.
        #expect(tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } == 6_738_415_616)

        let small = try llama(
            """
            {"architectures": ["LlamaForCausalLM"], "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
             "intermediate_size": 1536, "vocab_size": 49152, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000,
             "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "tie_word_embeddings": true}
            """)
        #expect(small.ropeScaling?.kind == "linear" && small.ropeScaling?.numbers == ["factor": 2] && small.ropeTheta == 100_000)
        #expect(small.tensors().last?.name == "model.norm.weight")
        #expect(small.tensors().first { $0.name.hasSuffix("0.self_attn.k_proj.weight") }?.shape == [192, 576])
    }

    @Test(arguments: [
        (#""hidden_size": 4096"#, #""hidden_size": 4097"#, "num_attention_heads"), (#""hidden_size": 4096"#, #""hidden_size": -1"#, "hidden_size"),
        (#""hidden_size": 4096, "#, "", "\"hidden_size\" is missing"), ("LlavaLlamaForCausalLM", "GPT2LMHeadModel", "architectures"),
        ("silu", "gelu", "hidden_act"), (#""pretraining_tp": 1"#, #""attention_bias": true"#, "attention_bias"),
        (#""pretraining_tp": 1"#, #""head_dim": 64"#, "head_dim"), (#""pretraining_tp": 1"#, #""quantization_config": {"bits": 4}"#, "quantization_config"),
        (#""num_key_value_heads": 32"#, #""num_key_value_heads": 5"#, "num_key_value_heads"), (#""rms_norm_eps": 1e-05"#, #""rms_norm_eps": "small""#, "rms_norm_eps"),
        (#""rope_scaling": null"#, #""rope_scaling": {"factor": 2}"#, "rope_scaling"),
    ])
    func `a key of config json that would change the arithmetic is refused by name`(old: String, new: String, key: String) throws {
        #expect(Self.llava.contains(old))
        let found = ModelImportTests.refusal { _ = try llama(Self.llava.replacingOccurrences(of: old, with: new)) }
        #expect(found?.contains(key) == true, "\(found ?? "nothing")")
    }

    private static let lora = """
        {"base_model_name_or_path": "liuhaotian/llava-v1.5-7b", "bias": "none", "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
         "lora_alpha": 256, "lora_dropout": 0.05, "modules_to_save": null, "peft_type": "LORA", "r": 128, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM",
         "layers_to_transform": null, "loftq_config": {}, "use_dora": false, "some_future_switch": false}
        """

    @Test func `adapter_config json gives rank, scale and targets`() throws {
        try scratch.write(Self.lora, as: "adapter_config.json")
        let config = try AdapterConfiguration(folder: scratch.path)
        #expect(config.rank == 128 && config.scale == 2 && config.targets == .modules(["q_proj", "v_proj"]) && config.modulesToSave.isEmpty)
        try scratch.write(Self.lora.replacingOccurrences(of: #""use_dora": false"#, with: #""use_rslora": true"#), as: "adapter_config.json")
        #expect(try AdapterConfiguration(folder: scratch.path).scale == 256 / 128.0.squareRoot())
    }

    @Test(arguments: [
        ("\"none\"", "\"all\"", "\"bias\""), (#""fan_in_fan_out": false"#, #""fan_in_fan_out": true"#, "fan_in_fan_out"), ("LORA", "PREFIX_TUNING", "peft_type"),
        (#""use_dora": false"#, #""use_dora": true"#, "use_dora"), (#""some_future_switch": false"#, #""some_future_switch": 3"#, "some_future_switch"),
        (#""layers_to_transform": null"#, #""layers_to_transform": [1]"#, "layers_to_transform"), (#""loftq_config": {}"#, #""rank_pattern": {"q_proj": 4}"#, "rank_pattern"),
        (#"["q_proj", "v_proj"]"#, #"".*_proj""#, "target_modules"), (#"["q_proj", "v_proj"]"#, "null", "target_modules"), (#""r": 128"#, #""r": 0"#, "\"r\""),
        (#""init_lora_weights": true"#, #""init_lora_weights": "pissa_niter_4""#, "init_lora_weights"),
    ])
    func `a switch of adapter_config json that changes what is computed is refused by name`(old: String, new: String, key: String) throws {
        #expect(Self.lora.contains(old))
        try scratch.write(Self.lora.replacingOccurrences(of: old, with: new), as: "adapter_config.json")
        let found = ModelImportTests.refusal { _ = try AdapterConfiguration(folder: scratch.path) }
        #expect(found?.contains(key) == true, "\(found ?? "nothing")")
    }
}
