import ModelImport
import RaDialogPipeline
import ReportModel
import Testing

/// Which types an import stores, and what Q4_K leaves of a model.
struct StoredTypeTests {
    @Test func `norms stay exact, the head has eight bits where the rest has four, and odd widths fall back as in llama cpp`() {
        func stored(_ name: String, _ shape: [Int], _ wanted: BlockType, tied: Bool = false) -> BlockType {
            StoredType.of(name, shape: shape, wanted: wanted, tiedEmbeddings: tied)
        }
        for wanted in [BlockType.f32, .f16, .q8_0, .q4_0, .q4_K] {
            #expect(stored("blk.0.attn_norm.weight", [256], wanted) == .f32)
            #expect(stored("blk.0.attn_q.weight", [256, 256], wanted) == wanted)
            #expect(stored("token_embd.weight", [100, 256], wanted) == wanted)
        }
        for wanted in [BlockType.q4_0, .q4_K] {
            #expect(stored("output.weight", [100, 256], wanted) == .q8_0)
            #expect(stored("token_embd.weight", [100, 256], wanted, tied: true) == .q8_0)
        }
        #expect(stored("output.weight", [100, 256], .f16) == .f16)
        // Not whole blocks of 256, and not of 32.
        #expect(stored("blk.0.ffn_up.weight", [64, 576], .q4_K) == .q5_0)
        for wanted in [BlockType.q4_K, .q4_0, .q8_0] { #expect(stored("blk.0.ffn_down.weight", [64, 172], wanted) == .f16) }
        #expect(stored("output.weight", [100, 172], .q4_0) == .f16)
        #expect(stored("blk.0.ffn_down.weight", [64, 172], .f32) == .f32)
    }
}

@Suite(.serialized)
struct QuantisedImportTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `an import in Q4_K keeps every weight near PyTorch's, and its logits are those of the numbers it stored`() throws {
        let set = PublishedSet.wide
        try set.request(.q4_k, scratch.path + "/bundle").run(threads: 2) { _ in }
        let bundle = try ModelBundle.open(scratch.path + "/bundle")
        let manifest = bundle.manifest.languageModel
        #expect(manifest.hidden == 256 && manifest.heads == 4 && manifest.feedForward == 512)
        let source = try bundle.weights(manifest.weights)
        let merged = try set.merged()
        var plain = TensorFile()
        for name in merged.names {
            let shape = try merged.shape(of: name)
            let type = try #require(source.block(name)).type
            #expect(type == (shape.count == 1 ? .f32 : name == "lm_head.weight" ? .q8_0 : .q4_K), "\(name)")
            let (found, wanted) = (try source.floats(name, shape: shape).array, try merged.floats(name))
            let error = relativeDeviation(found, wanted)
            // Four bits of bell-shaped numbers: some 7 %. Eight: half a percent.
            switch type {
            case .q4_K: #expect(error > 0.03 && error < 0.09, "\(name): \(error)")
            case .q8_0: #expect(error > 0.001 && error < 0.01, "\(name): \(error)")
            default: #expect(error == 0, "\(name)")
            }
            plain[name] = .init(shape: shape, values: found)
        }

        // The same numbers, widened before: the same bits.
        let (pool, tokens) = (try KernelPool(threads: 2), [1, 77, 205, 12, 400, 3].map { Int32($0) })
        func logits(_ weights: any TensorSource) throws -> [Float] {
            let model = try LanguageModel(weights, manifest)
            return try model.read(pool, model.embed(tokens), cache: KeyValueCache(manifest)).array
        }
        let stored = try logits(source)
        #expect(try stored.map(\.bitPattern) == logits(Safetensors(path: scratch.write(plain.bytes, as: "plain.safetensors"))).map(\.bitPattern))
        // And they are near those of the exact weights, which an error in an order or a scale would not leave.
        let exact = try ModelBundle.open(set.bundle())
        let deviation = try relativeDeviation(stored, logits(exact.weights(exact.manifest.languageModel.weights)))
        #expect(deviation > 0.01 && deviation < 0.4, "\(deviation)")
    }

    @Test func `rows that Q4_K cannot take are stored in Q5_0`() throws {
        let set = PublishedSet.of(.v2)
        try set.request(.q4_k, scratch.path + "/bundle").run(threads: 2) { _ in }
        let bundle = try ModelBundle.open(scratch.path + "/bundle")
        let source = try bundle.weights(bundle.manifest.languageModel.weights)
        let merged = try set.merged()
        var types: [String: BlockType] = [:]
        for name in merged.names {
            let shape = try merged.shape(of: name)
            guard shape.count == 2 else { continue }
            types[name] = try #require(source.block(name)).type
            let error = try relativeDeviation(source.floats(name, shape: shape).array, merged.floats(name))
            #expect(error < 0.09, "\(name): \(error)")
        }
        #expect(types["model.layers.0.self_attn.q_proj.weight"] == .q5_0 && types["model.embed_tokens.weight"] == .q5_0)
        #expect(types["model.layers.1.mlp.down_proj.weight"] == .q4_K && types["lm_head.weight"] == .q8_0)
    }

    /// Root mean square of the differences by that of the numbers.
    private func relativeDeviation(_ found: [Float], _ wanted: [Float]) -> Double {
        guard found.count == wanted.count else { return .infinity }
        let squares = zip(found, wanted).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        return (squares / wanted.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
    }
}
