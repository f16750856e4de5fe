import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// Against PyTorch itself, where RADIALOG_TORCH_PYTHON names a Python that has it.
@Suite(.enabled(if: TorchPython.path != nil, "RADIALOG_TORCH_PYTHON does not name a Python with torch"))
struct TorchTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(TorchPython.path))
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func `the fixtures' script still writes what the reader reads, with today's PyTorch`() throws {
        let script = CheckpointFixture.folder + "/../../reference/write_checkpoints.py"
        try run([script, scratch.path])
        for name in ["kinds.pt", "kinds-protocol4.pt", "kinds-legacy.pt", "zip64.pt"] {
            let committed = try TorchCheckpoint(path: CheckpointFixture.path(name))
            let fresh = try TorchCheckpoint(path: scratch.path + "/" + name)
            #expect(fresh.names == committed.names)
            for tensor in committed.names {
                let (old, new) = (try committed.view(tensor), try fresh.view(tensor))
                #expect(old.type == new.type && old.shape == new.shape && old.bytes.elementsEqual(new.bytes), "\(name): \(tensor)")
            }
        }
        #expect(try TorchCheckpoint(path: scratch.path + "/lightning.ckpt", under: "state_dict").names.count == 2)
    }

    @Test func `the sets' script still writes what the tests import, with today's PyTorch`() throws {
        for generation in ModelImport.Generation.allCases {
            let fresh = scratch.path + "/" + generation.rawValue
            try run([CheckpointFixture.folder + "/../../reference/write_radialog_checkpoints.py", fresh, "--generation", generation.rawValue, "--expected"])
            let committed = PublishedSet.of(generation).path
            for name in ["biovil_t_image_model_proj_size_128.pt", "adapter/adapter_model.bin", "expected/forward.safetensors"] {
                let (old, new) = (try openCheckpoint(path: committed + "/" + name), try openCheckpoint(path: fresh + "/" + name))
                #expect(old.names == new.names)
                for tensor in old.names { #expect(try new.shape(of: tensor) == old.shape(of: tensor), "\(name): \(tensor)") }
            }
            for name in ["merged", "forward"] {
                let file = "/expected/\(name).json"
                #expect(FileManager.default.contentsEqual(atPath: committed + file, andPath: fresh + file), "\(generation): \(name)")
            }
        }
    }

    @Test func `random tensors of random strides are what PyTorch says they are`() throws {
        let script = """
            import random, torch
            from safetensors.torch import save_file
            random.seed(5); torch.manual_seed(5)
            tensors = {}
            for index in range(200):
                shape = [random.randint(0 if random.random() < 0.1 else 1, 7) for _ in range(random.randint(0, 4))]
                tensor = torch.randn(shape).to(random.choice([torch.float32, torch.float16, torch.bfloat16]))
                if shape: tensor = tensor.permute(random.sample(range(len(shape)), len(shape)))
                if shape and tensor.shape[0] > 2: tensor = tensor[1::random.randint(1, 2)]
                if random.random() < 0.2: tensor = tensor.unsqueeze(-1).expand(*tensor.shape, 3)
                if random.random() < 0.2: tensor = torch.nn.Parameter(tensor)
                tensors[f"t{index}"] = tensor
            torch.save({"model": tensors}, "zip.pth")
            torch.save({"model": tensors}, "legacy.pth", _use_new_zipfile_serialization=False)
            save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, "expected.safetensors")
            """
        try scratch.write(script, as: "write.py")
        try run(["write.py"])
        let expected = try openCheckpoint(path: scratch.path + "/expected.safetensors")
        for name in ["zip.pth", "legacy.pth"] {
            let file = try openCheckpoint(path: scratch.path + "/" + name, under: "model")
            #expect(file.names == expected.names && file.names.count == 200)
            for tensor in expected.names {
                let (wanted, found) = (try expected.view(tensor), try file.view(tensor))
                #expect(found.type == wanted.type && found.shape == wanted.shape && found.bytes.elementsEqual(wanted.bytes), "\(name): \(tensor)")
            }
        }
    }

    @Test func `a merge agrees with PyTorch's in double precision`() throws {
        let script = """
            import json, torch
            from safetensors.torch import save_file
            torch.manual_seed(1)
            hidden, ffn, rank, alpha = 256, 688, 32, 64
            shapes = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden), "self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden),
                      "mlp.gate_proj": (ffn, hidden), "mlp.up_proj": (ffn, hidden), "mlp.down_proj": (hidden, ffn)}
            base = {"model.embed_tokens.weight": torch.randn(50, hidden), "model.norm.weight": torch.ones(hidden), "lm_head.weight": torch.randn(50, hidden),
                    "model.layers.0.input_layernorm.weight": torch.ones(hidden), "model.layers.0.post_attention_layernorm.weight": torch.ones(hidden)}
            adapter, expected = {}, {}
            for name, (rows, columns) in shapes.items():
                weight = (torch.randn(rows, columns) * 0.02).half()
                a, b = (torch.randn(rank, columns) * 0.05).bfloat16(), (torch.randn(rows, rank) * 0.05).bfloat16()
                base[f"model.layers.0.{name}.weight"] = weight
                adapter[f"base_model.model.model.layers.0.{name}.lora_A.weight"] = a
                adapter[f"base_model.model.model.layers.0.{name}.lora_B.weight"] = b
                expected[f"model.layers.0.{name}.weight"] = (weight.double() + alpha / rank * b.double() @ a.double()).float()
            torch.save({name: tensor.half() for name, tensor in base.items()}, "pytorch_model-00001-of-00001.bin")
            json.dump({"weight_map": {name: "pytorch_model-00001-of-00001.bin" for name in base}}, open("pytorch_model.bin.index.json", "w"))
            torch.save(adapter, "adapter_model.bin")
            json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": [name.split(".")[1] for name in shapes]}, open("adapter_config.json", "w"))
            json.dump({"architectures": ["LlamaForCausalLM"], "hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 8, "intermediate_size": ffn,
                       "vocab_size": 50, "max_position_embeddings": 64}, open("config.json", "w"))
            save_file(expected, "expected.safetensors")
            """
        try scratch.write(script, as: "write.py")
        try run(["write.py"])
        let weights = try LanguageModelWeights(
            base: FolderTensors(path: scratch.path, kind: .model), configuration: LlamaConfiguration(folder: scratch.path),
            adapter: LoraAdapter(folder: scratch.path))
        let expected = try openCheckpoint(path: scratch.path + "/expected.safetensors")
        let pool = try KernelPool(threads: 2)
        for name in expected.names {
            let tensor = try weights.open(name)
            let wanted = try expected.floats(name)
            var found = [Float](repeating: .nan, count: wanted.count)
            try found.withUnsafeMutableBufferPointer { buffer in
                for first in stride(from: 0, to: tensor.rows, by: 100) {
                    let rows = first..<min(first + 100, tensor.rows)
                    try tensor.read(rows: rows, into: .init(rebasing: buffer[first * tensor.columns..<rows.upperBound * tensor.columns]), pool: pool)
                }
            }
            let largest = wanted.reduce(0) { max($0, abs($1)) }
            let error = zip(found, wanted).reduce(Float(0)) { $0 + ($1.0 - $1.1).magnitude * 0 }  // NaN where a value was not written
            #expect(error == 0)
            #expect(zip(found, wanted).allSatisfy { ($0 - $1).magnitude <= 2e-7 * largest + 1e-6 * $1.magnitude }, "\(name)")
        }
    }
}

enum TorchPython {
    static let path = ProcessInfo.processInfo.environment["RADIALOG_TORCH_PYTHON"].flatMap { $0.isEmpty ? nil : $0 }
}
