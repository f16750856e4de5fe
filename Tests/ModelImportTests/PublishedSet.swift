import Foundation
import ModelImport
import RaDialogPipeline
import ReportModel
import Testing

/// A set of random checkpoints that reference/write_radialog_checkpoints.py wrote: small ones are fixtures (reference/write_published_fixtures.sh).
struct PublishedSet: Sendable {
    let generation: ModelImport.Generation
    let path: String
    /// Where BioViL-T and the classifier lie.
    let visionPath: String

    init(generation: ModelImport.Generation, path: String, visionPath: String? = nil) {
        self.generation = generation
        self.path = path
        self.visionPath = visionPath ?? path
    }

    /// forward.json
    struct Report: Decodable {
        var findings: String
        var before: [Int32]
        var after: [Int32]
        var ids: [Int32]
        var text: String
    }

    /// Every file of both sets that an import reads.
    static let files: [(ModelImport.Generation, String)] = {
        let both = [
            "base/config.json", "base/tokenizer.model", "adapter/adapter_config.json", "adapter/adapter_model.bin",
            "biovil_t_image_model_proj_size_128.pt", "ChexpertClassifier.ckpt",
        ]
        return both.map { (.v1, $0) } + both.map { (.v2, $0) } + [
            (.v1, "base/model.safetensors.index.json"), (.v1, "base/model-00003-of-00004.safetensors"), (.v1, "checkpoint_4.pth"),
            (.v2, "base/pytorch_model.bin.index.json"), (.v2, "base/pytorch_model-00004-of-00004.bin"), (.v2, "adapter/non_lora_trainables.bin"),
        ]
    }()

    private static let fixtures = CheckpointFixture.folder + "/../published"

    static func of(_ generation: ModelImport.Generation) -> PublishedSet {
        PublishedSet(generation: generation, path: fixtures + "/" + generation.rawValue)
    }

    /// The second generation with one layer of rows of 256 and 512, which are whole blocks of every type. Its vision is the second generation's.
    static let wide = PublishedSet(generation: .v2, path: fixtures + "/wide", visionPath: fixtures + "/v2")

    /// Which set a test is about.
    enum Choice: Sendable, CustomTestStringConvertible {
        case tiny(ModelImport.Generation)
        /// One that was written before, with --expected: full width, or full depth.
        case folder(String)

        /// Both tiny sets, and the folders of RADIALOG_PUBLISHED_SETS, separated by colons.
        static let all: [Choice] = ModelImport.Generation.allCases.map(Choice.tiny)
            + (ProcessInfo.processInfo.environment["RADIALOG_PUBLISHED_SETS"] ?? "").split(separator: ":").map { .folder(String($0)) }

        var testDescription: String {
            switch self {
            case .tiny(let generation): "tiny \(generation)"
            case .folder(let path): path
            }
        }

        func set() -> PublishedSet {
            switch self {
            case .tiny(let generation): return PublishedSet.of(generation)
            case .folder(let path):
                return PublishedSet(generation: FileManager.default.fileExists(atPath: path + "/checkpoint_4.pth") ? .v1 : .v2, path: path)
            }
        }
    }

    private static let folder: String = {
        atexit { try? FileManager.default.removeItem(atPath: PublishedSet.folder) }  // nobody is left to hear of a failure
        return FileManager.default.temporaryDirectory.appendingPathComponent("published-\(UUID().uuidString)").path
    }()

    /// An import of the set in 32-bit floats, made once.
    func bundle() throws -> String {
        let path = Self.folder + "/\((self.path as NSString).lastPathComponent)-bundle"
        if !FileManager.default.fileExists(atPath: path) {
            try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
            try request(.none, path).run(threads: 2) { _ in }
        }
        return path
    }

    /// The merged weights in 32-bit floats, from that import.
    struct Merged {
        fileprivate let source: any TensorSource

        var names: [String] { source.names }

        func shape(of name: String) throws -> [Int] { try #require(source.block(name)).shape }

        func floats(_ name: String) throws -> [Float] { try source.floats(name, shape: shape(of: name)).array }
    }

    func merged() throws -> Merged {
        let bundle = try ModelBundle.open(bundle())
        return Merged(source: try bundle.weights(bundle.manifest.languageModel.weights))
    }

    func copy(to path: String) throws -> PublishedSet {
        try FileManager.default.copyItem(atPath: self.path, toPath: path)
        return PublishedSet(generation: generation, path: path)
    }

    func request(_ quantization: ModelImport.Quantization, _ output: String, layout: ModelImport.Layout = .gguf) -> ModelImport {
        var request = ModelImport(
            generation: generation, adapter: path + "/adapter", base: path + "/base", biovil: visionPath + "/biovil_t_image_model_proj_size_128.pt",
            classifier: visionPath + "/ChexpertClassifier.ckpt",
            alignment: path + (generation == .v1 ? "/checkpoint_4.pth" : "/adapter/non_lora_trainables.bin"), quantization: quantization,
            output: output, name: "random", version: "7", isDemonstration: false)
        request.layout = layout
        return request
    }

    /// Writes a file again with other tensors: as safetensors, which a reader knows by its content whatever the file is called.
    func rewrite(_ file: String, under key: String?, _ change: (inout TensorFile) -> Void) throws {
        let path = self.path + "/" + file
        let source = try openCheckpoint(path: path, under: key)
        var tensors = TensorFile()
        for name in source.names where try [.f32, .f16, .bf16].contains(source.view(name).type) {
            tensors[name] = .init(shape: try source.shape(of: name), values: try source.floats(name))
        }
        change(&tensors)
        // Beside it and then in its place: the old file is still mapped.
        try FileManager.default.removeItem(atPath: path)
        try Data(tensors.bytes).write(to: URL(fileURLWithPath: path))
    }

    /// The script's `film()`.
    static let film = Radiograph(
        rows: 600, columns: 520, samplesPerPixel: 1, bitsStored: 12, photometricInterpretation: .monochrome2, presentationIsInverse: false,
        modalityTransform: .identity, voiTransform: .none,
        storedValues: (0..<600 * 520).map { index in
            let (row, column) = (index / 520, index % 520)
            return Int32((row * 31 + column * 17 + row * column / 7) % 4096)
        })
}

/// One tensor too few, too many or of another shape in one of a set's files.
struct WrongTensor: Sendable, CustomTestStringConvertible {
    var generation: ModelImport.Generation
    var file: String
    var key: String?
    /// Stands in the error, beside `reason`.
    var named: String
    var reason: String
    var change: @Sendable (inout TensorFile) -> Void

    var testDescription: String { "\(generation) \(file): \(named)" }

    private static func without(_ generation: ModelImport.Generation, _ file: String, under key: String? = nil, _ name: String, reason: String) -> WrongTensor {
        .init(generation: generation, file: file, key: key, named: name, reason: reason) { $0[name] = nil }
    }

    private static func flat(_ generation: ModelImport.Generation, _ file: String, under key: String? = nil, _ name: String, shown: String? = nil) -> WrongTensor {
        .init(generation: generation, file: file, key: key, named: shown ?? name, reason: "expected [") { file in
            let count = file[name]?.values.count ?? 0
            file[name]?.shape = [count, 1]
        }
    }

    private static func extra(_ generation: ModelImport.Generation, _ file: String, under key: String? = nil, _ name: String, shown: String? = nil, reason: String) -> WrongTensor {
        .init(generation: generation, file: file, key: key, named: shown ?? name, reason: reason) { $0[name] = .init(shape: [1], values: [1]) }
    }

    private static func number(_ value: Float, _ file: String, _ name: String, reason: String) -> WrongTensor {
        .init(generation: .v2, file: file, named: name, reason: reason) { $0[name]?.values[130] = value }
    }

    static let all: [WrongTensor] = {
        let first = "base/model-00003-of-00004.safetensors"
        let second = "base/pytorch_model-00003-of-00004.bin"
        let adapter = "adapter/adapter_model.bin"
        let trained = "adapter/non_lora_trainables.bin"
        let biovil = "biovil_t_image_model_proj_size_128.pt"
        let classifier = "ChexpertClassifier.ckpt"
        let root = "base_model.model.model."
        return [
            without(.v1, first, "model.layers.1.mlp.up_proj.weight", reason: "which is not there"),
            flat(.v1, first, "model.layers.1.mlp.up_proj.weight"),
            without(.v2, second, "model.layers.1.mlp.up_proj.weight", reason: "which is not there"),
            flat(.v2, second, "model.layers.1.mlp.up_proj.weight"),
            number(.nan, second, "model.layers.1.mlp.up_proj.weight", reason: "row 1 of"),
            number(.infinity, second, "model.layers.1.mlp.up_proj.weight", reason: "not finite"),

            without(.v2, adapter, root + "layers.0.mlp.down_proj.lora_A.weight", reason: "has no lora_A").naming(
                root + "layers.0.mlp.down_proj.lora_B.weight"),
            flat(.v2, adapter, root + "layers.0.mlp.down_proj.lora_A.weight"),
            extra(.v2, adapter, root + "layers.2.mlp.down_proj.weight", shown: "model.layers.2.mlp.down_proj.weight", reason: "which nothing uses"),
            .init(generation: .v2, file: adapter, named: "model.layers.2.self_attn.q_proj", reason: "which the base model does not have") { file in
                for part in ["lora_A", "lora_B"] {
                    file["\(root)layers.2.self_attn.q_proj.\(part).weight"] = file["\(root)layers.1.self_attn.q_proj.\(part).weight"]
                }
            },
            without(.v1, adapter, "base_model.model.lm_head.weight", reason: "modules_to_save").naming("lm_head"),
            without(.v1, adapter, root + "img_proj_layer.bias", reason: "no tensor").naming("img_proj_layer.bias"),
            flat(.v1, adapter, root + "img_proj_layer.bias", shown: "img_proj_layer.bias"),
            extra(.v1, adapter, root + "layers.0.self_attn.q_proj.lora_C.weight", reason: "not merged"),

            without(.v2, trained, root + "mm_projector.2.bias", reason: "no tensor").naming("mm_projector.2.bias"),
            flat(.v2, trained, root + "mm_projector.2.bias", shown: "mm_projector.2.bias"),
            flat(.v2, trained, root + "vision_tower.encoder.encoder.layer2.0.conv2.weight"),
            extra(.v2, trained, root + "mm_projector.0.lora_A.weight", reason: "two-layer MLP"),
            extra(.v2, trained, root + "vision_tower.encoder.encoder.layer4.1.conv2.weight", reason: "does not have"),

            without(.v2, biovil, "encoder.encoder.layer3.0.bn2.running_var", reason: "no tensor"),
            flat(.v2, biovil, "encoder.encoder.layer3.0.bn2.running_var"),
            without(.v1, biovil, "encoder.missing_previous_emb", reason: "no tensor"),
            flat(.v1, biovil, "encoder.backbone_to_vit.weight"),
            without(.v2, classifier, under: "state_dict", "model.fc2.bias", reason: "no tensor").naming("fc2.bias"),
            flat(.v2, classifier, under: "state_dict", "model.fc2.bias", shown: "fc2.bias"),
            without(.v2, classifier, under: "state_dict", "model.biovil_encoder.projector.model.3.bias", reason: "no tensor").naming("biovil_encoder.projector.model.3.bias"),
            .init(generation: .v2, file: classifier, key: "state_dict", named: "ChexpertClassifier.ckpt", reason: "13 outputs") { file in
                file["model.fc2.weight"] = .init(shape: [13, 64], values: .init(repeating: 0, count: 13 * 64))
                file["model.fc2.bias"] = .init(shape: [13], values: .init(repeating: 0, count: 13))
            },

            without(.v1, "checkpoint_4.pth", under: "model", "visual_encoder.projector.model.0.weight", reason: "randomly initialised projector"),
            without(.v1, "checkpoint_4.pth", under: "model", "visual_encoder.projector.model.1.running_mean", reason: "no tensor").naming("projector.model.1.running_mean"),
            without(.v1, "checkpoint_4.pth", under: "model", "Qformer.bert.encoder.layer.2.crossattention.self.key.weight", reason: "no tensor"),
            flat(.v1, "checkpoint_4.pth", under: "model", "Qformer.bert.encoder.layer.1.output_query.dense.weight"),
            without(.v1, "checkpoint_4.pth", under: "model", "ln_vision.bias", reason: "no tensor"),
        ]
    }()

    private func naming(_ name: String) -> WrongTensor {
        var other = self
        other.named = name
        return other
    }
}

/// How far a number may be from the one that was stored.
struct BlockError {
    let type: BlockType

    init(_ type: BlockType) { self.type = type }

    func accepts(_ found: [Float], _ wanted: [Float]) -> Bool {
        guard found.count == wanted.count else { return false }
        let side = type.blockElements
        return stride(from: 0, to: wanted.count, by: side).allSatisfy { start in
            let block = start..<start + side
            let largest = block.reduce(Float(0)) { max($0, wanted[$1].magnitude) }
            // A scale is fp16, 2^-11 of itself. Eight bits: half of a 127th. Four: the block's largest is -8 scales, +8 is cut to +7.
            let room: Float =
                switch type {
                case .f32: 0
                case .f16: largest / 2048 + 6e-8
                case .q8_0: largest * (0.5 / 127 + 1.0 / 2048)
                default: largest * (1.0 / 8 + 1.0 / 1024)
                }
            return block.allSatisfy { (found[$0] - wanted[$0]).magnitude <= room }
        }
    }
}
