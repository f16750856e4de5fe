import Foundation
import ModelImport
import RaDialogPipeline
import ReportModel
import Testing

/// GGUF files made here, right and wrong, to bundles that only talk.
struct GGUFImportTests {
    /// A LLaMA of one layer, 32 wide, with a byte-level vocabulary and ChatML's marks.
    private struct Model {
        var metadata: [String: GGUFWriter.Value]
        var tensors: [(name: String, shape: [Int])]

        init() {
            let bytes = ByteLevelBPEAlphabet.scalars.map { String($0) }
            metadata = [
                "general.architecture": .string("llama"), "general.name": .string("toy"), "llama.block_count": .uint32(1),
                "llama.context_length": .uint32(256), "llama.embedding_length": .uint32(32), "llama.feed_forward_length": .uint32(64),
                "llama.attention.head_count": .uint32(4), "llama.attention.head_count_kv": .uint32(2),
                "llama.attention.layer_norm_rms_epsilon": .float32(1e-5), "llama.rope.freq_base": .float32(10_000),
                "tokenizer.ggml.model": .string("gpt2"), "tokenizer.ggml.pre": .string("smollm"),
                "tokenizer.ggml.tokens": .strings(bytes + ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
                "tokenizer.ggml.token_type": .int32s(Array(repeating: 1, count: 256) + [3, 3, 3]), "tokenizer.ggml.merges": .strings([]),
                "tokenizer.ggml.bos_token_id": .uint32(256), "tokenizer.ggml.eos_token_id": .uint32(258), "tokenizer.ggml.add_bos_token": .boolean(false),
                "tokenizer.chat_template": .string("{{'<|im_start|>' + message['role']}}"),
            ]
            tensors = [
                ("token_embd.weight", [259, 32]), ("output_norm.weight", [32]), ("blk.0.attn_norm.weight", [32]), ("blk.0.attn_q.weight", [32, 32]),
                ("blk.0.attn_k.weight", [16, 32]), ("blk.0.attn_v.weight", [16, 32]), ("blk.0.attn_output.weight", [32, 32]),
                ("blk.0.ffn_norm.weight", [32]), ("blk.0.ffn_gate.weight", [64, 32]), ("blk.0.ffn_up.weight", [64, 32]), ("blk.0.ffn_down.weight", [32, 64]),
            ]
        }

        func write(to folder: Scratch) throws -> String {
            let path = try folder.write([], as: "toy.gguf")
            let handle = try FileHandle(forWritingTo: URL(filePath: path))
            let writer = try GGUFWriter(
                descriptor: handle.fileDescriptor, path: path, metadata: metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
                tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
            var state: UInt32 = 7
            for tensor in tensors {
                let values = (0..<tensor.shape.reduce(1, *)).map { _ -> Float in
                    state = state &* 1_664_525 &+ 1_013_904_223
                    return Float(state >> 8) / Float(1 << 23) - 1
                }
                try values.withUnsafeBytes { try writer.append($0) }
            }
            _ = try writer.finish()
            try handle.close()
            return path
        }
    }

    private func run(
        _ path: String, _ folder: Scratch, as name: String, _ quantization: ModelImport.Quantization? = nil, format: DialogueFormat? = nil,
        layout: ModelImport.Layout = .gguf
    ) throws -> ModelBundle {
        let output = folder.path + "/" + name
        var request = GGUFImport(file: path, quantization: quantization, output: output, name: nil, version: "1", format: format, system: "")
        request.layout = layout
        try request.run(threads: 1) { _ in }
        return try ModelBundle.open(output)
    }

    @Test func `a file becomes a bundle that talks, with its own bytes, vocabulary and template`() throws {
        let folder = try Scratch()
        let path = try Model().write(to: folder)
        let bundle = try run(path, folder, as: "bundle")
        #expect(bundle.name == "toy" && bundle.kind == .demo && bundle.manifest.vision == nil && bundle.manifest.prompts.format == .chatML)
        #expect(bundle.endToken == 258 && bundle.tokenizer.vocabularySize == 259)
        #expect(try Data(contentsOf: URL(filePath: folder.path + "/bundle/language_model.gguf")) == Data(contentsOf: URL(filePath: path)))
        let dialogue = try RaDialogPipeline(bundle: bundle, options: ComputeOptions(threads: 1)).openDialogue()
        let turn = try dialogue.ask("Is there edema?", limits: GenerationLimits(tokens: 4))
        #expect(turn.generatedTokens <= 4 && (turn.answer.isEmpty || turn.answer.hasPrefix("[DEMONSTRATION MODEL")))
        // Byte for byte the same again.
        #expect(try run(path, folder, as: "again").sha256 == bundle.sha256)
        #expect(try run(path, folder, as: "plain", format: .plain).manifest.prompts.format == .plain)
    }

    @Test(arguments: ModelImport.Quantization.allCases)
    func `every type can be chosen, and the logits stay close`(_ quantization: ModelImport.Quantization) throws {
        let folder = try Scratch()
        let path = try Model().write(to: folder)
        func logits(_ bundle: ModelBundle) throws -> [Float] {
            let model = try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel)
            return try model.read(KernelPool(threads: 1), model.embed([1, 2, 3, 4]), cache: KeyValueCache(bundle.manifest.languageModel)).array
        }
        let exact = try logits(try run(path, folder, as: "exact"))
        let bundle = try run(path, folder, as: "typed", quantization)
        let found = try logits(bundle)
        let largest = exact.map(abs).max() ?? 0
        let difference = zip(exact, found).map { abs($0 - $1) }.max() ?? 0
        let budget: Float = switch quantization { case .none: 0; case .f16: 2e-3; case .q8_0: 2e-2; case .q4_0, .q4_k: 0.3 }
        #expect(difference <= budget * largest)
        #expect(quantization == .none || difference > 0)
        let matrix = try GGUF(path: folder.path + "/typed/language_model.gguf").block("blk.0.ffn_up.weight")?.type
        // Rows of 32 are no whole blocks of q4_k: llama.cpp's fallback.
        let expected: BlockType = switch quantization { case .none: .f32; case .f16: .f16; case .q8_0: .q8_0; case .q4_0: .q4_0; case .q4_k: .q5_0 }
        #expect(matrix == expected)
    }

    /// Logits behind the tokens, which are read in pieces of these lengths.
    private func logits(_ bundle: ModelBundle, _ pool: KernelPool, pieces: [Int]) throws -> [UInt32] {
        let model = try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel)
        let cache = KeyValueCache(bundle.manifest.languageModel)
        var (token, last): (Int32, [Float]) = (0, [])
        for piece in pieces {
            let tokens = (0..<piece).map { _ -> Int32 in
                token += 1
                return token * 7 % 256
            }
            last = try model.read(pool, model.embed(tokens), cache: cache).array
        }
        return last.map(\.bitPattern)
    }

    @Test(arguments: [ModelImport.Quantization.f16, .q8_0, .q4_0])
    func `panels hold the same numbers: in fp32 arithmetic the logits have the bits of the GGUF layout`(_ quantization: ModelImport.Quantization) throws {
        let folder = try Scratch()
        let path = try Model().write(to: folder)
        let gguf = try run(path, folder, as: "gguf", quantization)
        let panels = try run(path, folder, as: "panels", quantization, layout: .panels)
        #expect(panels.manifest.languageModel.weights == "language_model.panels" && panels.tokenizer.vocabularySize == 259)
        let pool = try KernelPool(threads: 2, panelArithmetic: .fp32)
        #expect(try logits(panels, pool, pieces: [9]) == logits(gguf, pool, pieces: [9]))
        #expect(try run(path, folder, as: "again", quantization, layout: .panels).sha256 == panels.sha256)
    }

    @Test(arguments: KernelPool.PanelArithmetic.allCases)
    func `in every arithmetic the bits depend neither on how many rows are read at once nor on threads`(_ arithmetic: KernelPool.PanelArithmetic) throws {
        let folder = try Scratch()
        let bundle = try run(try Model().write(to: folder), folder, as: "panels", .q4_0, layout: .panels)
        let (one, two) = (try KernelPool(threads: 1, panelArithmetic: arithmetic), try KernelPool(threads: 2, panelArithmetic: arithmetic))
        let whole = try logits(bundle, one, pieces: [75])
        for pieces in [[75], [1, 74], [64, 10, 1], [17, 16, 16, 16, 10], Array(repeating: 1, count: 75)] {
            #expect(try logits(bundle, two, pieces: pieces) == whole, "\(pieces)")
        }
        let exact = try logits(bundle, try KernelPool(threads: 1, panelArithmetic: .fp32), pieces: [75]).map { Float(bitPattern: $0) }
        let largest = exact.map(abs).max() ?? 0
        for (found, reference) in zip(whole, exact) { #expect(abs(Float(bitPattern: found) - reference) < 0.03 * largest) }
    }

    @Test func `what has no panels stays GGUF, and a damaged panel file is refused`() throws {
        let folder = try Scratch()
        let path = try Model().write(to: folder)
        // 32-bit floats have no panels.
        #expect(try run(path, folder, as: "plain", layout: .panels).manifest.languageModel.weights == "language_model.gguf")
        let bundle = try run(path, folder, as: "panels", .q8_0, layout: .panels)
        let file = folder.path + "/panels/language_model.panels"
        let names = try Safetensors(path: file).names
        #expect(names.contains("lm_head.weight@Q8_0") == false && names.contains("model.embed_tokens.weight@Q8_0") && names.contains("model.norm.weight"))
        #expect(throws: WeightsError.self) {
            try LanguageModel(bundle.weights("language_model.panels"), {
                var manifest = bundle.manifest.languageModel
                manifest.feedForward = 96
                return manifest
            }())
        }
        for (from, to) in [("@Q8_0", "@Q9_0"), ("\"U8\"", "\"I8\""), ("@Q8_0", "@F16_")] {
            let damaged = try Data(contentsOf: URL(filePath: file)).replacing(Data(from.utf8), with: Data(to.utf8))
            try folder.write(Array(damaged), as: "damaged.panels")
            #expect(throws: WeightsError.self) { try PanelFile(file: MappedFile(path: folder.path + "/damaged.panels")) }
        }
    }

    private static let wrong: [(String, @Sendable (inout Model) -> Void, String)] = [
        ("another architecture", { $0.metadata["general.architecture"] = .string("mamba") }, "mamba"),
        ("experts", { $0.metadata["llama.expert_count"] = .uint32(8) }, "mixture of 8 experts"),
        ("no layers", { $0.metadata["llama.block_count"] = nil }, "llama.block_count"),
        ("a missing tensor", { $0.tensors.removeAll { $0.name == "blk.0.ffn_up.weight" } }, "model.layers.0.mlp.up_proj.weight"),
        ("a wrong shape", { $0.tensors[3].shape = [32, 64] }, "self_attn.q_proj.weight"),
        ("a bias", { $0.tensors.append(("blk.0.attn_q.bias", [32])) }, "blk.0.attn_q.bias"),
        ("no vocabulary", { $0.metadata["tokenizer.ggml.tokens"] = nil }, "no vocabulary"),
        ("another vocabulary", { $0.metadata["tokenizer.ggml.model"] = .string("bert") }, "bert"),
        ("an unknown template", { $0.metadata["tokenizer.chat_template"] = .string("[INST] {{m}} [/INST]") }, "--format"),
        ("marks that are not there", { $0.metadata["tokenizer.ggml.tokens"] = .strings(ByteLevelBPEAlphabet.scalars.map { String($0) } + ["<a>", "<b>", "<c>"]) }, "no token that ends an answer"),
        ("a scaling that is not computed", { $0.metadata["llama.rope.scaling.type"] = .string("yarn") }, "yarn"),
    ]

    @Test(arguments: wrong.indices)
    func `a file that is not what is computed here is refused by name, and nothing is left`(_ index: Int) throws {
        let (what, change, message) = Self.wrong[index]
        let folder = try Scratch()
        var model = Model()
        change(&model)
        let path = try model.write(to: folder)
        #expect { try run(path, folder, as: "bundle") } throws: { error in
            let fits = "\(error)".contains(message) && error is ImportError
            if !fits { print("\(what): \(error)") }
            return fits
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["toy.gguf"])
    }

    @Test func `a file cut short and a file of another kind are refused`() throws {
        let folder = try Scratch()
        let whole = try Data(contentsOf: URL(filePath: Model().write(to: folder)))
        for bytes in [whole.prefix(whole.count - 1), whole.prefix(1000), Data("no model".utf8), Data()] {
            let path = try folder.write(Array(bytes), as: "cut.gguf")
            #expect(throws: ImportError.self) { try run(path, folder, as: "bundle") }
        }
        #expect(throws: ImportError.self) { try run(folder.path + "/nowhere.gguf", folder, as: "bundle") }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/bundle"))
    }
}
