import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// CheXbert against PyTorch, and what a bundle has to say for it.
struct CheXbertTests {
    /// expected.json of reference/write_chexbert.py.
    struct Expected: Decodable {
        struct Report: Decodable {
            var text: String
            var ids: [Int32]
            var truncated: Bool
            var logits: [[Float]]
            var states: [LabelState]
        }
        struct Shape: Decodable {
            var weights, tokenizer: String
            var layers, hidden, heads, feed_forward, vocabulary, positions: Int
            var layer_norm_eps: Double
            var labels: [FindingLabel]
        }
        var manifest: Shape
        var reports: [Report]
    }

    private static let folder = Golden.root.appending(path: "fixtures/chexbert").path
    private let expected: Expected
    private let source: Safetensors
    private let tokenizer: WordPieceTokenizer
    private let shape: BundleManifest.Labeler

    init() throws {
        expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(filePath: Self.folder + "/expected.json")))
        let keys = expected.manifest
        source = try Safetensors(path: "\(Self.folder)/\(keys.weights)")
        let path = "\(Self.folder)/\(keys.tokenizer)"
        tokenizer = try MappedFile(path: path).withBytes { try WordPieceTokenizer(vocabulary: $0, path: path) }
        shape = .init(
            weights: keys.weights, tokenizer: keys.tokenizer, layers: keys.layers, hidden: keys.hidden, heads: keys.heads, feedForward: keys.feed_forward,
            vocabulary: keys.vocabulary, positions: keys.positions, layerNormEpsilon: keys.layer_norm_eps, labels: keys.labels)
    }

    private func labeler(_ pool: KernelPool) throws -> CheXbert { try CheXbert(source, tokenizer, shape, pool: pool) }

    @Test func `every head's logits agree with PyTorch, with the same bits for any threads and instructions`() throws {
        var first: [Float]?
        for pool in try (1...3).flatMap(KernelPool.everyInstructionSet) {
            let labeler = try labeler(pool)
            var all: [Float] = []
            for report in expected.reports {
                let logits = labeler.logits(report.ids)
                #expect(logits.map(\.label) == expected.manifest.labels)
                let found = logits.flatMap(\.values)
                #expect(relativeError(found, report.logits.flatMap { $0 }) <= fp32Budget)
                all += found
            }
            #expect(sameBits(all, first ?? all))
            first = first ?? all
        }
    }

    @Test func `a text's labels are the largest logits', whatever its spaces and its case, and a long one is cut`() throws {
        let labeler = try labeler(KernelPool(threads: 1))
        var seen: Set<LabelState> = []
        for report in expected.reports {
            for text in [report.text, report.text.uppercased().replacingOccurrences(of: " ", with: "\u{C}\r\n\u{1F}")] {
                let labelled = try labeler.label(text)
                #expect(labelled.labels.map(\.label) == FindingLabel.allCases)
                #expect(expected.manifest.labels.map { labelled[$0] } == report.states)
                #expect(labelled.isTruncated == report.truncated && labelled.mentions.isEmpty && labelled.comparisons.isEmpty)
            }
            seen.formUnion(report.states)
        }
        #expect(seen == Set(LabelState.allCases) && expected.reports.contains(where: \.truncated))
    }

    @Test func `whether nothing was found is stated or it is not`() {
        #expect(CheXbert.states(of: .noFinding) == [.blank, .positive])
        #expect(CheXbert.states(of: .edema) == [.blank, .positive, .negative, .uncertain])
    }

    @Test(arguments: [
        "bert.embeddings.word_embeddings.weight", "bert.embeddings.token_type_embeddings.weight", "bert.embeddings.LayerNorm.bias",
        "bert.encoder.layer.1.attention.self.key.bias", "bert.encoder.layer.2.attention.output.LayerNorm.weight", "bert.encoder.layer.0.intermediate.dense.weight",
        "bert.encoder.layer.2.output.LayerNorm.bias", "linear_heads.13.bias",
    ])
    func `a missing tensor is named`(_ name: String) throws {
        #expect {
            try CheXbert(SourceWithout(other: source, missing: name), tokenizer, shape, pool: KernelPool(threads: 1))
        } throws: { "\($0)".contains("\"\(name)\"") }
    }

    @Test func `heads follow the manifest's labels: No Finding has two outputs, the others four`() throws {
        var other = shape
        other.labels.swapAt(12, 13)
        #expect { try CheXbert(source, tokenizer, other, pool: KernelPool(threads: 1)) } throws: { "\($0)".contains("linear_heads.12") }
        other.labels.swapAt(12, 13)
        other.labels.swapAt(0, 1)
        let report = expected.reports[3]
        let labelled = try CheXbert(source, tokenizer, other, pool: KernelPool(threads: 1)).label(report.text)
        #expect(labelled[.cardiomegaly] == report.states[0] && labelled[.enlargedCardiomediastinum] == report.states[1])
    }

    // MARK: In a bundle

    private func files(_ change: (inout BundleFiles) -> Void = { _ in }) throws -> BundleFiles {
        var files = BundleFiles()
        for name in [shape.weights, shape.tokenizer] { files.files[name] = Array(try Data(contentsOf: URL(filePath: "\(Self.folder)/\(name)"))) }
        files.set("labeler", [
            "architecture": "chexbert", "weights": shape.weights, "tokenizer": shape.tokenizer, "layers": shape.layers, "hidden": shape.hidden,
            "heads": shape.heads, "feed_forward": shape.feedForward, "vocabulary": shape.vocabulary, "positions": shape.positions,
            "layer_norm_eps": shape.layerNormEpsilon, "labels": shape.labels.map(\.rawValue),
        ] as [String: any Sendable])
        change(&files)
        return files
    }

    @Test func `a bundle's labeler labels`() throws {
        let folder = try ScratchFolder()
        try files().write(to: folder)
        let bundle = try ModelBundle.open(folder.path)
        #expect(bundle.manifest.labeler == shape)
        let report = try #require(expected.reports.last)
        let labelled = try CheXbert(bundle: bundle, threads: 2).label(report.text)
        #expect(shape.labels.map { labelled[$0] } == report.states)
    }

    @Test func `a bundle without a labeler says how it gets one`() throws {
        let folder = try ScratchFolder()
        try BundleFiles().write(to: folder)
        let bundle = try ModelBundle.open(folder.path)
        #expect(bundle.manifest.labeler == nil)
        #expect { try CheXbert(bundle: bundle, threads: 1) } throws: { "\($0)".contains("--chexbert") }
    }

    @Test func `a labeler's file that was changed after the bundle was opened is refused`() throws {
        let folder = try ScratchFolder()
        try files().write(to: folder)
        let bundle = try ModelBundle.open(folder.path)
        let path = "\(folder.path)/\(shape.tokenizer)"
        var bytes = Array(try Data(contentsOf: URL(filePath: path)))
        bytes[40] ^= 1
        try FileManager.default.removeItem(atPath: path)
        try folder.write(bytes, as: shape.tokenizer)
        #expect { try CheXbert(bundle: bundle, threads: 1) } throws: { "\($0)".contains("SHA-256") }
        try FileManager.default.removeItem(atPath: path)
        #expect { try CheXbert(bundle: bundle, threads: 1) } throws: { "\($0)".contains(shape.tokenizer) }
    }

    @Test func `weights that are not numbers give no labels`() throws {
        var numbers = try #require(source.find("bert.encoder.layer.1.output.LayerNorm.bias")).bytes.map { $0 }
        numbers.replaceSubrange(8..<12, with: [0, 0, 0xC0, 0x7F])
        let replaced = SourceWith(other: source, name: "bert.encoder.layer.1.output.LayerNorm.bias", values: numbers)
        let labeler = try CheXbert(replaced, tokenizer, shape, pool: KernelPool(threads: 1))
        #expect(throws: PipelineError.notFinite(stage: "report labeler")) { try labeler.label("no effusion") }
    }

    @Test(arguments: [
        ("labeler.architecture", "bert", "\"chexbert\""), ("labeler.layers", 0, "labeler.layers"), ("labeler.heads", 5, "labeler.heads"),
        ("labeler.heads", nil, "labeler.heads: is missing"), ("labeler.positions", 1, "labeler.positions"), ("labeler.layer_norm_eps", 0, "labeler.layer_norm_eps"),
        ("labeler.labels", ["Edema"], "labeler.labels"), ("labeler.weights", "../x", "labeler.weights"), ("labeler.tokenizer", "absent.txt", "absent.txt"),
        ("labeler.pooler", true, "labeler.pooler: is a key"), ("labeler.vocabulary", 2, "labeler.vocabulary"), ("labeler.vocabulary", 47, "labeler.vocabulary"),
        ("labeler.hidden", 48, "word_embeddings"), ("labeler.feed_forward", 41, "intermediate.dense"), ("labeler", "none", "labeler: has to be an object"),
    ] as [(String, (any Sendable)?, String)])
    func `a wrong value for the labeler is refused by its key or its tensor`(_ key: String, _ value: (any Sendable)?, _ message: String) throws {
        let folder = try ScratchFolder()
        try files { $0.set(key, value) }.write(to: folder)
        #expect { try CheXbert(bundle: .open(folder.path), threads: 1) } throws: { "\($0)".contains(message) }
    }

    @Test func `a vocabulary that is none is refused by its file`() throws {
        let folder = try ScratchFolder()
        try files { $0.files[shape.tokenizer] = Array("a\nb\n".utf8) }.write(to: folder)
        #expect { try CheXbert(bundle: .open(folder.path), threads: 1) } throws: { "\($0)".contains(shape.tokenizer) && "\($0)".contains("[UNK]") }
    }
}

/// Another source with other numbers for one of its tensors.
private struct SourceWith: TensorSource {
    let other: any TensorSource
    let name: String
    let values: [UInt8]

    var path: String { other.path }
    var names: [String] { other.names }
    func find(_ name: String) -> TensorView? { other.find(name) }

    func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        guard name == self.name else { return try FloatTensor(try tensor(name, shape: shape)) }
        let memory = try MappedFile(path: path, count: values.count) { $0.copyBytes(from: values) }
        return try FloatTensor(TensorView(name: name, type: .f32, shape: shape, bytes: memory.bytes, owner: memory))
    }
}
