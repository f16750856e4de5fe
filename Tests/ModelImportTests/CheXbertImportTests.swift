import Foundation
import ModelImport
import RaDialogPipeline
import ReportModel
import Testing

/// `chexbert.pth` in the authors' layout.
struct CheXbertImportTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// A CheXbert of one layer, 64 wide, with everything that the authors' file holds.
    private func checkpoint(prefix: String = "module.") -> TensorFile {
        var numbers = Numbers(seed: 5)
        var file = TensorFile()
        func set(_ name: String, _ shape: [Int]) { file[prefix + name] = numbers.tensor(shape) }
        func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
            set(name + ".weight", [outputs, inputs])
            set(name + ".bias", [outputs])
        }
        func norm(_ name: String) { for part in ["weight", "bias"] { set("\(name).\(part)", [64]) } }
        for (name, rows) in [("word", 6), ("position", 9), ("token_type", 2)] { set("bert.embeddings.\(name)_embeddings.weight", [rows, 64]) }
        norm("bert.embeddings.LayerNorm")
        file[prefix + "bert.embeddings.position_ids"] = .init(shape: [1, 9], values: (0..<9).map(Float.init), type: "I32")
        let layer = "bert.encoder.layer.0."
        for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] { linear(layer + part, 64, 64) }
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", 10, 64)
        linear(layer + "output.dense", 64, 10)
        norm(layer + "output.LayerNorm")
        linear("bert.pooler.dense", 64, 64)
        for head in 0..<14 { linear("linear_heads.\(head)", head == 13 ? 2 : 4, 64) }
        return file
    }

    private static let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lung", "##s"]

    private func part(_ lines: [String] = Self.vocabulary, prefix: String = "module.", _ change: (inout TensorFile) -> Void = { _ in }) throws -> CheXbertPart {
        var file = checkpoint(prefix: prefix)
        change(&file)
        return try CheXbertPart(
            checkpoint: scratch.write(file.bytes, as: "chexbert.pth"), vocabulary: scratch.write(lines.map { $0 + "\n" }.joined(), as: "vocab.txt"))
    }

    @Test(arguments: ["module.", ""])
    func `every tensor comes under its official name without DataParallel's, and the dimensions are those of the shapes`(_ prefix: String) throws {
        let part = try part(prefix: prefix)
        let layout = part.layout
        #expect(layout.vocabulary == 6 && layout.positions == 9 && layout.hidden == 64 && layout.layers == 1 && layout.feedForward == 10 && layout.heads == 1)
        let unused = CheXbertPart.unused.subtracting(["bert.embeddings.token_type_ids"])
        #expect(Set(part.tensors.names) == Set(checkpoint(prefix: "").tensors.keys).subtracting(unused))
        #expect(!part.hasPublishedVocabulary)
    }

    @Test func `what nothing uses may be missing`() throws {
        _ = try part { file in for name in CheXbertPart.unused { file["module." + name] = nil } }
    }

    @Test(arguments: [
        "bert.embeddings.word_embeddings.weight", "bert.embeddings.position_embeddings.weight", "bert.embeddings.token_type_embeddings.weight",
        "bert.embeddings.LayerNorm.bias", "bert.encoder.layer.0.attention.self.query.weight", "bert.encoder.layer.0.attention.self.value.bias",
        "bert.encoder.layer.0.attention.output.LayerNorm.weight", "bert.encoder.layer.0.intermediate.dense.weight", "bert.encoder.layer.0.output.dense.bias",
        "linear_heads.0.weight", "linear_heads.13.bias",
    ])
    func `a tensor that is missing or of a wrong shape is named`(_ name: String) throws {
        #expect { try part { $0["module." + name] = nil } } throws: { "\($0)".contains(name) && "\($0)".contains("chexbert.pth") }
        let wrong = try #require(refusal { _ = try part { file in
            let count = file["module." + name]?.values.count ?? 0
            file["module." + name]?.shape = [1, count, 1]
        } })
        #expect(wrong.contains(name) && wrong.contains("expected ["), "\(wrong)")
    }

    @Test(arguments: [
        "module.bert.encoder.layer.1.output.dense.bias", "module.bert.encoder.layer.2.attention.self.query.weight", "module.linear_heads.14.weight",
        "module.bert.embeddings.extra", "module.classifier.weight", "module.bert.encoder.layer.0.crossattention.self.query.weight",
    ])
    func `a tensor that CheXbert does not have is named`(_ name: String) {
        #expect { try part { $0[name] = .init(shape: [1], values: [1]) } } throws: { "\($0)".contains("\"\(name)\"") && "\($0)".contains("does not have") }
    }

    @Test func `a head of No Finding with four outputs is named`() {
        #expect { try part { $0["module.linear_heads.13.weight"] = .init(shape: [4, 64], values: .init(repeating: 0, count: 256)) } } throws: {
            "\($0)".contains("linear_heads.13.weight") && "\($0)".contains("[2, 64]")
        }
    }

    @Test func `a vocabulary of another model is refused, and says which is wanted`() {
        #expect { try part(Self.vocabulary + ["more"]) } throws: { "\($0)".contains("7 tokens") && "\($0)".contains("bert-base-uncased") }
        #expect { try part(["<s>", "</s>", "<unk>", "a", "b", "c"]) } throws: { "\($0)".contains("[UNK]") && "\($0)".contains("vocab.txt") }
        #expect { try CheXbertPart(checkpoint: scratch.write(checkpoint().bytes, as: "c.pth"), vocabulary: scratch.path + "/absent") } throws: {
            "\($0)".contains("absent")
        }
    }

    // MARK: With PyTorch

    /// expected.json of reference/write_chexbert.py.
    private struct Expected: Decodable {
        struct Report: Decodable {
            var text: String
            var ids: [Int32]
            var truncated: Bool
            var logits: [[Float]]
            var states: [LabelState]
        }
        var reports: [Report]

        init(_ folder: String) throws {
            self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json")))
        }

        func largestError(_ labeler: CheXbert) throws -> Float {
            var worst: Float = 0
            for report in reports {
                let found = labeler.logits(report.ids).flatMap(\.values)
                let wanted = report.logits.flatMap { $0 }
                try #require(found.count == wanted.count)
                let largest = wanted.reduce(0) { max($0, abs($1)) }
                worst = max(worst, zip(found, wanted).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / largest)
                let labelled = try labeler.label(report.text)
                #expect(CheXbertLayout.labels.map { labelled[$0] } == report.states && labelled.isTruncated == report.truncated)
            }
            return worst
        }
    }

    /// A folder of `write_chexbert.py DIR --size full`.
    static let full = ProcessInfo.processInfo.environment["RADIALOG_CHEXBERT"].flatMap { $0.isEmpty ? nil : $0 }

    @Test(.enabled(if: full != nil, "RADIALOG_CHEXBERT does not name a folder of reference/write_chexbert.py DIR --size full"))
    func `at bert-base-uncased's widths the logits agree with PyTorch`() throws {
        let folder = try #require(Self.full)
        let part = try CheXbertPart(checkpoint: folder + "/chexbert.pth", vocabulary: folder + "/vocab.txt")
        #expect(part.layout.hidden == 768 && part.layout.layers == 12 && part.layout.vocabulary == 30_522 && part.layout.positions == 512 && part.layout.heads == 12)
        let labeler = try CheXbert(part.tensors, tokenizer(part), part.shape, pool: KernelPool(threads: 2))
        let error = try Expected(folder).largestError(labeler)
        print("full-width CheXbert: relative error \(error)")
        #expect(error < 1e-3)
    }

    /// A small chexbert.pth of PyTorch's, and what PyTorch makes of it (reference/write_published_fixtures.sh).
    private static let published = CheckpointFixture.folder + "/../published/chexbert"

    @Test func `an import with CheXbert makes a bundle that labels as PyTorch does`() throws {
        let folder = Self.published
        let set = PublishedSet.of(.v2)
        var request = set.request(.q4_0, scratch.path + "/bundle")
        request.labeler = .init(checkpoint: folder + "/chexbert.pth", vocabulary: folder + "/vocab.txt")
        var notes: [String] = []
        try request.run(threads: 2) { step in if case .note(let text) = step { notes.append(text) } }
        #expect(notes.contains { $0.contains("vocab.txt") })
        let bundle = try ModelBundle.open(request.output)
        let labeler = try #require(bundle.manifest.labeler)
        #expect(labeler.layers == 2 && labeler.hidden == 128 && labeler.heads == 2 && labeler.feedForward == 160 && labeler.positions == 40)
        #expect(labeler.labels == CheXbertLayout.labels && labeler.layerNormEpsilon == 1e-12)
        #expect(bundle.manifest.provenance.keys.contains("sha256 of chexbert/chexbert.pth"))
        #expect(try Expected(folder).largestError(CheXbert(bundle: bundle, threads: 2)) < 1e-4)

        // A labeler that cannot be read leaves no bundle.
        request.output = scratch.path + "/other"
        request.labeler?.vocabulary = folder + "/expected.json"
        #expect { try request.run(threads: 2) { _ in } } throws: { "\($0)".contains("expected.json") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["bundle"])
    }

    @Test(.enabled(if: TorchPython.path != nil, "RADIALOG_TORCH_PYTHON does not name a Python with torch"))
    func `a checkpoint as PyTorch 1 wrote it on a GPU, with its optimizer, has the same tensors`() throws {
        let parts = try [Self.published, write(as: "legacy", "--legacy")].map {
            try CheXbertPart(checkpoint: $0 + "/chexbert.pth", vocabulary: $0 + "/vocab.txt")
        }
        #expect(parts[0].layout == parts[1].layout && parts[0].tensors.names == parts[1].tensors.names && parts[0].tensors.names.count == 65)
        for name in parts[0].tensors.names {
            let views = try parts.map { try #require($0.tensors.find(name)) }
            #expect(views[0].shape == views[1].shape && views[0].bytes.elementsEqual(views[1].bytes), "\(name)")
        }
    }

    /// Runs reference/write_chexbert.py; the folder that it filled.
    private func write(as name: String, _ options: String...) throws -> String {
        let folder = scratch.path + "/" + name
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(TorchPython.path))
        process.arguments = [CheckpointFixture.folder + "/../../reference/write_chexbert.py", folder] + options
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return folder
    }

    private func tokenizer(_ part: CheXbertPart) throws -> WordPieceTokenizer {
        try MappedFile(path: part.vocabulary).withBytes { try WordPieceTokenizer(vocabulary: $0, path: part.vocabulary) }
    }
}

extension CheXbertPart {
    fileprivate var shape: BundleManifest.Labeler {
        .init(
            weights: "", tokenizer: "", layers: layout.layers, hidden: layout.hidden, heads: layout.heads, feedForward: layout.feedForward,
            vocabulary: layout.vocabulary, positions: layout.positions, layerNormEpsilon: 1e-12, labels: CheXbertLayout.labels)
    }
}
