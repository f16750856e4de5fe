import Foundation
import RaDialogPipeline
import Testing

/// v1's alignment against PyTorch, and what a bundle has to say for it.
struct QFormerTests {
    private func error(_ folder: String, _ pool: KernelPool) throws -> (Float, [Float]) {
        let golden = try AlignmentGolden("q-former", in: folder)
        let tokens = try Alignment(golden.source, golden.alignment())(pool, golden.image("projected"))
        let (shape, expected) = try golden.tensor("tokens")
        #expect([tokens.rows, tokens.columns] == shape)
        return (relativeError(tokens.array, expected), tokens.array)
    }

    @Test func `the query tokens agree with PyTorch, with the same bits for any threads and instructions`() throws {
        var first: [Float]?
        for pool in try (1...3).flatMap(KernelPool.everyInstructionSet) {
            let (error, tokens) = try error(AlignmentGolden.committed, pool)
            #expect(error <= fp32Budget)
            #expect(sameBits(tokens, first ?? tokens))
            first = first ?? tokens
        }
    }

    @Test(.enabled(if: AlignmentGolden.full != nil, Comment(rawValue: AlignmentGolden.fullAbsence)))
    func `at the published widths the query tokens agree with PyTorch`() throws {
        let (error, _) = try error(#require(AlignmentGolden.full), KernelPool(threads: 2))
        print("full-width Q-Former: relative error \(error)")
        #expect(error <= fp32Budget)
    }

    @Test(arguments: [
        "query_tokens", "ln_vision.bias", "Qformer.bert.embeddings.LayerNorm.weight", "Qformer.bert.encoder.layer.1.attention.self.key.bias",
        "Qformer.bert.encoder.layer.4.crossattention.output.LayerNorm.weight", "Qformer.bert.encoder.layer.2.intermediate_query.dense.weight",
        "Qformer.bert.encoder.layer.3.output_query.LayerNorm.bias", "img_proj_layer.bias",
    ])
    func `a missing tensor is named`(_ name: String) throws {
        let golden = try AlignmentGolden("q-former", in: AlignmentGolden.committed)
        let manifest = try golden.alignment()
        #expect {
            try Alignment(SourceWithout(other: golden.source, missing: name), manifest)
        } throws: { "\($0)".contains("\"\(name)\"") }
    }

    @Test func `the depth at which the image is read is the manifest's`() throws {
        let golden = try AlignmentGolden("q-former", in: AlignmentGolden.committed)
        var manifest = try golden.alignment()
        guard case .qFormer(var shape) = manifest.architecture else { throw CancellationError() }
        shape.crossAttentionEvery = 3  // layer 3 then has to read the image, and layer 2 not
        manifest.architecture = .qFormer(shape)
        #expect { try Alignment(golden.source, manifest) } throws: { "\($0)".contains("layer.3.crossattention") }
        shape.crossAttentionEvery = 4  // layers 0 and 4 do in both
        manifest.architecture = .qFormer(shape)
        let tokens = try Alignment(golden.source, manifest)(KernelPool(threads: 1), golden.image("projected"))
        #expect(relativeError(tokens.array, try golden.tensor("tokens").values) > 100 * fp32Budget)
    }

    // MARK: The manifest

    private static let keys: [String: any Sendable] = [
        "architecture": "q-former", "weights": "alignment.safetensors", "input": 20, "output": 256, "queries": 32, "layers": 12, "hidden": 48,
        "heads": 12, "feed_forward": 96, "cross_attention_every": 2, "layer_norm_eps": 1e-12, "vision_norm_eps": 1e-5,
    ]

    /// The manifest, or the message of its refusal.
    private func open(_ change: (inout BundleFiles) -> Void = { _ in }) throws -> Result<BundleManifest, BundleError> {
        let folder = try ScratchFolder()
        var files = BundleFiles()
        files.set("image_encoder.projection", 20)
        files.set("alignment", Self.keys)
        files.set("prompts.report_instruction", "Image information:<image>. Predicted Findings: {findings}. Write.")
        change(&files)
        try files.write(to: folder)
        do throws(BundleError) {
            return .success(try ModelBundle.open(folder.path).manifest)
        } catch {
            return .failure(error)
        }
    }

    @Test func `a bundle of the first generation opens, and its image is as many tokens as there are queries`() throws {
        let vision = try #require(try open().get().vision)
        #expect(vision.imageTokens == 32)
        #expect(vision.alignment.readsProjection)
        #expect(vision.alignment.architecture == .qFormer(.init(
            queries: 32, layers: 12, hidden: 48, heads: 12, feedForward: 96, crossAttentionEvery: 2, layerNormEpsilon: 1e-12, visionNormEpsilon: 1e-5)))
        // 7 x 7 patches would not fit this context, 32 queries do.
        #expect(throws: Never.self) { try open { $0.set("language_model.context", 40) }.get() }
    }

    @Test(arguments: [
        ("alignment.architecture", "bert", "\"q-former\""), ("alignment.queries", 0, "alignment.queries"), ("alignment.queries", nil, "alignment.queries: is missing"),
        ("alignment.layers", 0, "alignment.layers"), ("alignment.hidden", 50, "alignment.heads"), ("alignment.heads", 0, "alignment.heads"),
        ("alignment.feed_forward", -1, "alignment.feed_forward"), ("alignment.cross_attention_every", 0, "alignment.cross_attention_every"),
        ("alignment.layer_norm_eps", 0, "alignment.layer_norm_eps"), ("alignment.vision_norm_eps", 1, "alignment.vision_norm_eps"),
        ("alignment.output", 255, "alignment.output"), ("alignment.input", 128, "image_encoder.projection = 20"),
        ("image_encoder.projection", NSNull(), "image_encoder.projection: has to be a number"), ("alignment.mlp", 1, "alignment.mlp: is a key"),
        ("language_model.context", 32, "no room for 32 image tokens"),
    ] as [(String, (any Sendable)?, String)])
    func `a wrong value for the Q-Former is refused by its key`(_ key: String, _ value: (any Sendable)?, _ message: String) throws {
        guard case .failure(let error) = try open({ $0.set(key, value) }) else {
            Issue.record("\(key) was accepted")
            return
        }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func `the vocabulary may be larger than the tokenizer's, and what the tokenizer does not know is no text`() throws {
        let folder = try ScratchFolder()
        var files = BundleFiles()
        files.set("language_model.vocabulary", 32_001)
        try files.write(to: folder)
        let tokenizer = try ModelBundle.open(folder.path).tokenizer
        let lung = tokenizer.encode("lung", bos: false)
        #expect(tokenizer.decode(lung + [32_000] + lung) == tokenizer.decode(lung + lung))
    }
}
