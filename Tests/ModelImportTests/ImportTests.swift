import Crypto
import Foundation
import ModelImport
import RaDialogPipeline
import ReportModel
import Testing

/// Whole imports of small random checkpoints in the published layouts, which reference/write_radialog_checkpoints.py wrote with PyTorch; what has to come
/// out of them it computed itself.
@Suite(.serialized)
struct ImportTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let stored: [(ModelImport.Quantization, ModelImport.Layout)] = [
        (.none, .gguf), (.f16, .gguf), (.q8_0, .gguf), (.q4_0, .gguf), (.f16, .panels), (.q8_0, .panels), (.q4_0, .panels),
    ]

    @Test(arguments: [PublishedSet.of(.v1), .of(.v2), .wide])
    func `merged weights are PyTorch's, bit for bit`(set: PublishedSet) throws {
        let merged = try set.merged()
        let wanted = try JSONDecoder().decode([String: String].self, from: Data(contentsOf: URL(fileURLWithPath: set.path + "/expected/merged.json")))
        #expect(merged.names == wanted.keys.sorted())
        for (name, hash) in wanted {
            let values = try merged.floats(name)
            #expect(values.withUnsafeBytes { SHA256.hash(data: $0) }.map { String(format: "%02x", $0) }.joined() == hash, "\(name)")
        }
    }

    @Test(arguments: ModelImport.Generation.allCases, stored)
    func `the bundle's language model is the base with its adapter, as exactly as its type allows`(
        generation: ModelImport.Generation, stored: (ModelImport.Quantization, ModelImport.Layout)
    ) throws {
        let (quantization, layout) = stored
        let set = PublishedSet.of(generation)
        let output = scratch.path + "/bundle"
        try set.request(quantization, output, layout: layout).run(threads: 2) { _ in }
        let bundle = try ModelBundle.open(output)
        let source = try bundle.weights(bundle.manifest.languageModel.weights)
        let merged = try set.merged()
        #expect(source.names == merged.names && merged.names.count == 21)
        for name in merged.names {
            let shape = try merged.shape(of: name)
            let type = try #require(Self.type(of: name, in: source))
            let found = try source.floats(name, shape: shape).array
            #expect(BlockError(type).accepts(found, try merged.floats(name)), "\(name) in \(type)")
        }
        let types = Set(merged.names.compactMap { Self.type(of: $0, in: source) })
        // Norms stay exact, and the head has more bits than four.
        let expected: Set<BlockType> =
            switch quantization {
            case .none: [.f32]
            case .f16: [.f16, .f32]
            case .q8_0: [.q8_0, .f32]
            case .q4_0, .q4_k: [.q4_0, .q8_0, .f32]
            }
        #expect(types == expected)
    }

    private static func type(of name: String, in source: any TensorSource) -> BlockType? {
        source.block(name)?.type ?? (source as? PanelFile).flatMap { $0.type(of: name) ?? ($0.find(name)?.type == .f32 ? .f32 : nil) }
    }

    @Test(arguments: ModelImport.Generation.allCases)
    func `the manifest says what the checkpoints' shapes say and where everything came from`(generation: ModelImport.Generation) throws {
        let set = PublishedSet.of(generation)
        let manifest = try ModelBundle.open(set.bundle()).manifest
        let vision = try #require(manifest.vision)
        let isFirst = generation == .v1
        #expect(manifest.name == "random" && manifest.version == "7" && manifest.kind == .clinical)
        #expect(vision.imageEncoder.stageBlocks == [2, 1, 1, 1] && vision.imageEncoder.stageChannels == [8, 8, 16, 16])
        #expect(vision.imageEncoder.projection == (isFirst ? 64 : nil) && vision.imageEncoder.patchChannels == 16 && vision.imageEncoder.prior == nil)
        #expect(vision.classifier.pool == 4 && vision.classifier.hidden == 64 && vision.classifier.projection == 32)
        #expect(vision.classifier.labels == FindingLabel.allCases && vision.classifier.thresholds == .init(repeating: 0.5, count: 14))
        #expect(vision.preprocessing == .init(rendering: .mimicCXRJPG, shorterSide: 512, encoderSide: 448, classifierSide: 488))
        let language = manifest.languageModel
        #expect(language.layers == 2 && language.hidden == 128 && language.heads == 2 && language.keyValueHeads == 2 && language.feedForward == 256)
        #expect(language.vocabulary == (isFirst ? 501 : 500) && language.context == 2048 && language.rmsNormEpsilon == (isFirst ? 1e-6 : 1e-5))
        #expect(vision.alignment.input == (isFirst ? 64 : 32) && vision.alignment.output == 128)
        switch vision.alignment.architecture {
        case .mlp(let hidden): #expect(!isFirst && hidden == 128)
        case .qFormer(let former):
            #expect(isFirst && former.queries == 32 && former.layers == 4 && former.hidden == 128 && former.heads == 2 && former.feedForward == 256)
            #expect(former.crossAttentionEvery == 2 && former.layerNormEpsilon == 1e-12 && former.visionNormEpsilon == 1e-5)
        }
        #expect(vision.reportInstruction.hasPrefix(isFirst ? "Image information:<image>. Predicted" : "<image>. Predicted"))
        #expect(manifest.generation.maxReportTokens == 300 && manifest.generation.maxAnswerTokens == 600)
        // Every file of the set but what PyTorch expects, with the hash of its bytes.
        var sources: Set<String> = []
        for case let name as String in try #require(FileManager.default.enumerator(atPath: set.path)) where !name.hasPrefix("expected") {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: set.path + "/" + name, isDirectory: &isFolder), !isFolder.boolValue {
                sources.insert((name as NSString).lastPathComponent)
            }
        }
        let hashes = manifest.provenance.filter { $0.key.hasPrefix("sha256 of ") }
        #expect(Set(hashes.keys.map { ($0 as NSString).lastPathComponent }) == sources)
        #expect(hashes.values.allSatisfy { $0.count == 64 } && Set(hashes.values).count == sources.count)
    }

    @Test(arguments: PublishedSet.Choice.all)
    func `features, image tokens and logits are PyTorch's, and so is the report`(choice: PublishedSet.Choice) throws {
        let set = choice.set()
        let bundle = try ModelBundle.open(set.bundle())
        let manifest = bundle.manifest
        let vision = try #require(manifest.vision)
        let expected = try openCheckpoint(path: set.path + "/expected/forward.safetensors")
        let report = try JSONDecoder().decode(PublishedSet.Report.self, from: Data(contentsOf: URL(fileURLWithPath: set.path + "/expected/forward.json")))
        let pool = try KernelPool(threads: 2)
        let film = PublishedSet.film
        let input = try ModelInput.make(from: film, preprocessing: vision.preprocessing)

        let encoder = try ImageEncoder(bundle.weights(vision.imageEncoder.weights), vision.imageEncoder)
        let features = try encoder.patchFeatures(pool, plane: input.encoder, side: input.encoderSide)
        #expect(try relativeError(features.array, expected.floats("features")) < 1e-4)
        let alignment = try Alignment(bundle.weights(vision.alignment.weights), vision.alignment)
        let image = alignment(pool, vision.alignment.readsProjection ? encoder.project(pool, features) : features)
        #expect(try relativeError(image.array, expected.floats("image_tokens")) < 1e-4)
        let classifier = try Classifier(
            bundle.weights(vision.classifier.encoder.weights), side: vision.preprocessing.classifierSide, vision.classifier)
        let pass = try classifier.forward(pool, planes: [input.classifier], side: input.classifierSide)[0]
        #expect(try relativeError(pass.logits.array, expected.floats("classifier_logits")) < 1e-4)

        let model = try LanguageModel(bundle.weights(manifest.languageModel.weights), manifest.languageModel)
        let rows = Activations(
            rows: report.before.count + image.rows + report.after.count, columns: image.columns,
            values: model.embed(report.before).array + image.array + model.embed(report.after).array)
        let logits = try model.read(pool, rows, cache: KeyValueCache(manifest.languageModel))
        #expect(try relativeError(logits.array, expected.floats("first_logits")) < 1e-3)

        // The prompt that the bundle makes, and 64 tokens of its own.
        let draft = try RaDialogPipeline(bundle: bundle, pool: KernelPool(threads: 2, panelArithmetic: .fp32)).draft(film, source: DraftSource())
        #expect(draft.promptFindings == report.findings)
        #expect(report.ids.count == 64 && draft.text.hasPrefix(report.text), "\(draft.text.prefix(200)) and \(report.text)")
    }

    @Test func `the same files give the same bytes, on any number of threads`() throws {
        for generation in ModelImport.Generation.allCases {
            let set = PublishedSet.of(generation)
            let paths = ["/one", "/two"].map { scratch.path + "/\(generation)" + $0 }
            try FileManager.default.createDirectory(atPath: scratch.path + "/\(generation)", withIntermediateDirectories: true)
            for (path, threads) in zip(paths, [1, 3]) { try set.request(.q8_0, path).run(threads: threads) { _ in } }
            let names = try FileManager.default.contentsOfDirectory(atPath: paths[0]).sorted()
            #expect(
                names == ["alignment.safetensors", "classifier.safetensors", "image_encoder.safetensors", "language_model.gguf", "manifest.json", "tokenizer.model"])
            for name in names {
                #expect(FileManager.default.contentsEqual(atPath: paths[0] + "/" + name, andPath: paths[1] + "/" + name), "\(name)")
            }
        }
    }

    @Test func `a bundle is never written over, and what an interrupted import left is`() throws {
        let set = PublishedSet.of(.v2)
        let output = scratch.path + "/bundle"
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        #expect(refusal { try set.request(.none, output).run(threads: 1) { _ in } }?.contains("\(output): it exists already") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: output).isEmpty && !FileManager.default.fileExists(atPath: output + ".partial"))
        try FileManager.default.removeItem(atPath: output)
        try FileManager.default.createDirectory(atPath: output + ".partial", withIntermediateDirectories: true)
        try scratch.write("left", as: "bundle.partial/manifest.json")
        try set.request(.none, output).run(threads: 1) { _ in }
        _ = try ModelBundle.open(output)
        #expect(!FileManager.default.fileExists(atPath: output + ".partial"))
    }

    @Test func `the numbers of the progress come to the whole model`() throws {
        let set = PublishedSet.of(.v2)
        let output = scratch.path + "/bundle"
        var last = (done: 0, total: -1)
        try set.request(.none, output).run(threads: 1) { step in
            if case .languageModel(let done, let total) = step {
                #expect(done > last.done)
                last = (done, total)
            }
        }
        #expect(last.done == last.total && last.total == 2 * (500 * 128 + 4 * 128 * 128 + 3 * 128 * 256 + 2 * 128) + 128)
    }

    @Test(arguments: PublishedSet.files)
    func `a file that is missing is named, and nothing is left behind`(generation: ModelImport.Generation, file: String) throws {
        let set = try PublishedSet.of(generation).copy(to: scratch.path + "/set")
        try FileManager.default.removeItem(atPath: set.path + "/" + file)
        let found = try attempt(set)
        #expect(found.contains((file as NSString).lastPathComponent), "\(found)")
    }

    @Test(arguments: PublishedSet.files.filter { !$0.1.hasSuffix(".json") })
    func `a file that is cut short is named, and nothing is left behind`(generation: ModelImport.Generation, file: String) throws {
        let set = try PublishedSet.of(generation).copy(to: scratch.path + "/set")
        let url = URL(fileURLWithPath: set.path + "/" + file)
        let bytes = try Data(contentsOf: url)
        try bytes.prefix(bytes.count / 2).write(to: url)
        let found = try attempt(set)
        #expect(found.contains((file as NSString).lastPathComponent), "\(found)")
    }

    @Test(arguments: WrongTensor.all)
    func `a tensor that is missing, left over or of a wrong shape is named, and nothing is left behind`(wrong: WrongTensor) throws {
        let set = try PublishedSet.of(wrong.generation).copy(to: scratch.path + "/set")
        try set.rewrite(wrong.file, under: wrong.key, wrong.change)
        let found = try attempt(set)
        #expect(found.contains(wrong.named), "\(found)")
        #expect(found.contains(wrong.reason), "\(found)")
    }

    @Test(arguments: [ModelImport.Quantization.none, .f16, .q8_0, .q4_0])
    func `a number that is not finite or does not fit the type is refused by tensor and row`(quantization: ModelImport.Quantization) throws {
        let file = "base/pytorch_model-00003-of-00004.bin"
        for (value, reason) in [(Float.nan, "not finite"), (-.infinity, "not finite"), (3e9, "too large for")] {
            let set = try PublishedSet.of(.v2).copy(to: scratch.path + "/set-\(value)")
            try set.rewrite(file, under: nil) { $0["model.layers.1.mlp.up_proj.weight"]?.values[5 * 128 + 3] = value }
            if value.isFinite, quantization == .none {
                try set.request(.none, scratch.path + "/large").run(threads: 1) { _ in }
                continue
            }
            let found = try attempt(set, quantization)
            #expect(found.contains(set.path + "/base") && found.contains("row 5 of model.layers.1.mlp.up_proj.weight") && found.contains(reason), "\(found)")
        }
    }

    @Test func `an adapter of the first generation without a saved vocabulary keeps the base's`() throws {
        let set = try PublishedSet.of(.v1).copy(to: scratch.path + "/set")
        try set.rewrite("adapter/adapter_model.bin", under: nil) { file in
            file["base_model.model.model.embed_tokens.weight"] = nil
            file["base_model.model.lm_head.weight"] = nil
        }
        let path = set.path + "/adapter/adapter_config.json"
        let configuration = try String(contentsOfFile: path, encoding: .utf8)
        try configuration.replacing(/,\s*"embed_tokens",\s*"lm_head"/, with: "").write(toFile: path, atomically: true, encoding: .utf8)
        let output = scratch.path + "/bundle"
        try set.request(.none, output).run(threads: 1) { _ in }
        let bundle = try ModelBundle.open(output)
        #expect(bundle.manifest.languageModel.vocabulary == 500)
        let source = try bundle.weights(bundle.manifest.languageModel.weights)
        let base = try FolderTensors(path: set.path + "/base", kind: .model)
        #expect(try source.floats("lm_head.weight", shape: [500, 128]).array == base.floats("lm_head.weight"))
        _ = try RaDialogPipeline(bundle: bundle, options: ComputeOptions(threads: 1))
    }

    @Test func `a tokenizer of more pieces than the model has rows is refused before anything is written`() throws {
        let set = try PublishedSet.of(.v2).copy(to: scratch.path + "/set")
        let url = URL(fileURLWithPath: set.path + "/base/tokenizer.model")
        // One more NORMAL piece, "zz": a repeated field grows by appending.
        try (Data(contentsOf: url) + [0x0A, 9, 0x0A, 2, 0x7A, 0x7A, 0x15, 0, 0, 0, 0]).write(to: url)
        #expect(try attempt(set).contains("501 pieces, and the language model beside it only 500 rows"))
    }

    /// The text of the error that the import has to end with; what it leaves is looked at.
    private func attempt(_ set: PublishedSet, _ quantization: ModelImport.Quantization = .q8_0) throws -> String {
        let output = scratch.path + "/bundle"
        let found = refusal { try set.request(quantization, output).run(threads: 1) { _ in } } ?? "nothing"
        #expect(!FileManager.default.fileExists(atPath: output) && !FileManager.default.fileExists(atPath: output + ".partial"))
        return found
    }

    private func relativeError(_ found: [Float], _ wanted: [Float]) throws -> Float {
        try #require(found.count == wanted.count)
        let largest = wanted.reduce(0) { max($0, abs($1)) }
        return zip(found, wanted).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / largest
    }
}
