import Foundation
import RaDialogPipeline
import Testing

/// BioViL-T's pooler for a prior image against PyTorch, and its place in the encoder.
struct PriorPoolerTests {
    private static let prefix = "encoder.vit_pooler."

    private func pooled(_ folder: String, _ pool: KernelPool) throws -> (error: Float, values: [Float]) {
        let golden = try AlignmentGolden("prior-pooler", in: folder)
        let (current, prior, expected) = (try golden.image("current"), try golden.image("prior"), try golden.image("pooled"))
        let pooler = try PriorPooler(golden.source, prefix: Self.prefix, channels: current.columns, golden.prior())
        let tokens = Activations(rows: 2 * current.rows, columns: current.columns, values: current.array + prior.array)
        let found = try pooler(pool, tokens, grid: Int(Double(current.rows).squareRoot())).array
        return (relativeError(found, expected.array), found)
    }

    @Test func `the pooled patches agree with PyTorch, with the same bits for any threads and instructions`() throws {
        var first: [Float]?
        for pool in try (1...3).flatMap(KernelPool.everyInstructionSet) {
            let (error, values) = try pooled(AlignmentGolden.committed, pool)
            #expect(error <= fp32Budget)
            #expect(sameBits(values, first ?? values))
            first = first ?? values
        }
    }

    @Test(.enabled(if: AlignmentGolden.full != nil, Comment(rawValue: AlignmentGolden.fullAbsence)))
    func `at the published widths the pooled patches agree with PyTorch`() throws {
        let (error, _) = try pooled(#require(AlignmentGolden.full), KernelPool(threads: 2))
        print("full-width pooler: relative error \(error)")
        #expect(error <= fp32Budget)
    }

    @Test(arguments: ["blocks.1.attn.proj_k.weight", "blocks.0.mlp.fc2.bias", "norm_post.weight", "type_embed"])
    func `a missing tensor is named`(_ name: String) throws {
        let golden = try AlignmentGolden("prior-pooler", in: AlignmentGolden.committed)
        let manifest = try golden.prior()
        #expect {
            try PriorPooler(SourceWithout(other: golden.source, missing: Self.prefix + name), prefix: Self.prefix, channels: 20, manifest)
        } throws: { "\($0)".contains("\"\(Self.prefix)\(name)\"") }
    }

    // MARK: In the encoder

    private static let prior = BundleManifest.ImageEncoder.Prior(blocks: 2, heads: 2, feedForward: 12, layerNormEpsilon: 1e-6)
    private static let side = 64

    private func planes() -> (current: [Float], prior: [Float]) {
        var numbers = SeededNumbers(8)
        return (numbers.floats(Self.side * Self.side, in: 0...1), numbers.floats(Self.side * Self.side, in: 0...1))
    }

    @Test func `with a prior the second half of a patch is the pooler's, and the first is untouched`() throws {
        let toy = try ToyEncoder(seed: 11, patchChannels: 8, prior: Self.prior)
        let (source, pool, planes) = (try toy.weights.open(), try KernelPool(threads: 2), planes())
        let encoder = try ImageEncoder(source, toy.manifest)
        #expect(encoder.readsPrior)
        let alone = try encoder.patchFeatures(pool, plane: planes.current, side: Self.side)
        let priorAlone = try encoder.patchFeatures(pool, plane: planes.prior, side: Self.side)
        let both = try encoder.patchFeatures(pool, plane: planes.current, side: Self.side, prior: planes.prior)

        func half(_ features: Activations, _ first: Int) -> [Float] {
            (0..<features.rows).flatMap { patch in (first..<first + 8).map { features.row(patch)[$0] } }
        }
        let tokens = Activations(rows: 2 * alone.rows, columns: 8, values: half(alone, 0) + half(priorAlone, 0))
        let pooler = try PriorPooler(source, prefix: Self.prefix, channels: 8, Self.prior)
        #expect(sameBits(half(both, 0), half(alone, 0)))
        #expect(sameBits(half(both, 8), try pooler(pool, tokens, grid: 2).array))
        #expect(half(alone, 8) == (0..<alone.rows).flatMap { _ in toy.weights["encoder.missing_previous_emb"] })
        // Which film is which matters, even for the same two.
        let swapped = try encoder.patchFeatures(pool, plane: planes.prior, side: Self.side, prior: planes.current)
        #expect(half(swapped, 8) != half(both, 8))
    }

    @Test func `without the prior object the pooler's weights are neither needed nor read`() throws {
        let toy = try ToyEncoder(seed: 12, patchChannels: 8)
        let encoder = try ImageEncoder(toy.weights.open(), toy.manifest)
        #expect(!encoder.readsPrior)
        var manifest = toy.manifest
        manifest.prior = Self.prior
        #expect { try ImageEncoder(toy.weights.open(), manifest) } throws: { "\($0)".contains("encoder.vit_pooler.") }
    }

    @Test func `an encoder with a prior stops within the pooler when asked to`() throws {
        let toy = try ToyEncoder(seed: 13, patchChannels: 8, prior: Self.prior)
        let (encoder, pool, planes) = (try ImageEncoder(toy.weights.open(), toy.manifest), try KernelPool(threads: 1), planes())
        var asked = 0
        _ = try encoder.patchFeatures(pool, plane: planes.current, side: Self.side, prior: planes.prior) { asked += 1 }
        let all = asked
        asked = 0
        #expect(throws: PipelineError.cancelled) {
            try encoder.patchFeatures(pool, plane: planes.current, side: Self.side, prior: planes.prior) {
                asked += 1
                if asked == all { throw PipelineError.cancelled }
            }
        }
    }

    // MARK: The manifest

    private static let keys: [String: any Sendable] = ["blocks": 3, "heads": 8, "feed_forward": 64, "layer_norm_eps": 1e-6]

    private func open(_ change: (inout BundleFiles) -> Void) throws -> Result<BundleManifest, BundleError> {
        let folder = try ScratchFolder()
        var files = BundleFiles()
        change(&files)
        try files.write(to: folder)
        do throws(BundleError) {
            return .success(try ModelBundle.open(folder.path).manifest)
        } catch {
            return .failure(error)
        }
    }

    @Test func `a bundle asks for the pooler, or does not`() throws {
        #expect(try open { _ in }.get().vision?.imageEncoder.prior == nil)
        #expect(try open { $0.set("image_encoder.prior", NSNull()) }.get().vision?.imageEncoder.prior == nil)
        #expect(
            try open { $0.set("image_encoder.prior", Self.keys) }.get().vision?.imageEncoder.prior
                == .init(blocks: 3, heads: 8, feedForward: 64, layerNormEpsilon: 1e-6))
    }

    @Test(arguments: [
        ("blocks", 0, "image_encoder.prior.blocks"), ("heads", 7, "image_encoder.prior.heads"), ("heads", nil, "image_encoder.prior.heads: is missing"),
        ("feed_forward", 0, "image_encoder.prior.feed_forward"), ("layer_norm_eps", 0, "image_encoder.prior.layer_norm_eps"),
        ("dimension", 64, "image_encoder.prior.dimension: is a key"),
    ] as [(String, (any Sendable)?, String)])
    func `a wrong value for the pooler is refused by its key`(_ key: String, _ value: (any Sendable)?, _ message: String) throws {
        var keys = Self.keys
        keys[key] = value
        guard case .failure(let error) = try open({ $0.set("image_encoder.prior", keys) }) else {
            Issue.record("\(key) was accepted")
            return
        }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func `a classifier has no pooler, and patches that no sine and cosine fill cannot be placed`() throws {
        guard case .failure(let first) = try open({ $0.set("classifier.prior", Self.keys) }),
            case .failure(let second) = try open({ files in
                files.set("image_encoder.prior", ["blocks": 3, "heads": 2, "feed_forward": 64, "layer_norm_eps": 1e-6] as [String: any Sendable])
                files.set("image_encoder.patch_channels", 62)
                files.set("alignment.input", 124)
            })
        else {
            Issue.record("accepted")
            return
        }
        #expect(first.description.contains("classifier.prior: is a key"))
        #expect(second.description.contains("multiple of 4"))
    }
}
