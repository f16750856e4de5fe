import Foundation
import RaDialogPipeline
import Testing

/// The language model and its conversations at toy size: random weights, no tokenizer.
struct LanguageModelTests {
    /// The end token of these tests.
    private static let end: Int32 = 2

    @Test(arguments: [(4, false), (2, false), (1, true), (4, true)])
    func `logits agree with a forward pass in double precision, for grouped and tied variants`(_ groups: Int, _ tied: Bool) throws {
        let toy = try ToyLanguageModel(keyValueHeads: groups, tied: tied)
        let model = try toy.model()
        let tokens: [Int32] = [1, 7, 7, 0, 31, 12, 40]
        for pool in try KernelPool.everyInstructionSet(threads: 2) {
            let logits = try model.read(pool, model.embed(tokens), cache: KeyValueCache(toy.manifest)).array
            #expect(relativeError(logits, toy.logits(after: tokens)) < fp32Budget)
        }
    }

    @Test func `a prompt read at once, in pieces, or token by token gives the same bits`() throws {
        let toy = try ToyLanguageModel(context: 700)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        let tokens = (0..<600).map { Int32($0 * 7 % 41) }  // more than the rows that go through the layers together
        let atOnce = try model.read(pool, model.embed(tokens), cache: KeyValueCache(toy.manifest)).array
        let pieces = KeyValueCache(toy.manifest)
        _ = try model.read(pool, model.embed(Array(tokens[..<517])), cache: pieces)
        #expect(sameBits(try model.read(pool, model.embed(Array(tokens[517...])), cache: pieces).array, atOnce))
        let (single, alone) = (KeyValueCache(toy.manifest), try KernelPool(threads: 1))
        var last: [Float] = []
        for token in tokens { last = try model.read(alone, model.embed([token]), cache: single).array }
        #expect(sameBits(last, atOnce))
    }

    @Test func `an answer is the same after a rewind, after its cache was dropped, and in a conversation built anew`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        let conversation = Conversation(model, pool: pool)
        try conversation.read([.tokens([1, 5, 6])])
        let report = try conversation.write(limit: 9, end: Self.end)
        #expect(report.tokens.count == 9)
        #expect(report.finish == .length)
        let mark = conversation.mark()

        func ask(_ conversation: Conversation, _ question: [Int32]) throws -> [Int32] {
            try conversation.read([.tokens(question)])
            return try conversation.write(limit: 12, end: Self.end).tokens
        }
        let first = try ask(conversation, [8, 9])
        conversation.rewind(to: mark)
        let other = try ask(conversation, [10])
        conversation.rewind(to: mark)
        #expect(try ask(conversation, [8, 9]) == first)
        conversation.rewind(to: mark)
        conversation.dropCache()
        #expect(conversation.cacheBytes == 0)
        #expect(try ask(conversation, [10]) == other)
        #expect(conversation.cacheBytes > 0)

        // Built anew from the tokens alone, as after the cache was dropped.
        let anew = Conversation(model, pool: try KernelPool(threads: 1))
        try anew.read([.tokens([1, 5, 6] + report.tokens + [Self.end, 8, 9])])
        #expect(try anew.write(limit: 12, end: Self.end).tokens == first)
    }

    @Test func `the answer ends at the end token, which is read before the next question`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        let free = Conversation(model, pool: pool)
        try free.read([.tokens([1, 3])])
        let tokens = try free.write(limit: 20, end: -1).tokens
        let end = try #require(tokens.dropFirst(2).first { !tokens.prefix(2).contains($0) })
        let expected = Array(tokens.prefix { $0 != end })

        let conversation = Conversation(model, pool: pool)
        try conversation.read([.tokens([1, 3])])
        var streamed: [Int32] = []
        let answer = try conversation.write(limit: 20, end: end, onToken: { streamed.append($0) })
        #expect(answer.tokens == expected)
        #expect(streamed == expected)
        #expect(answer.finish == .stop)
        #expect(conversation.count == 2 + expected.count + 1)

        try conversation.read([.tokens([4, 4])])
        let whole = Conversation(model, pool: pool)
        try whole.read([.tokens([1, 3] + expected + [end, 4, 4])])
        #expect(try conversation.write(limit: 5, end: -1).tokens == whole.write(limit: 5, end: -1).tokens)
    }

    @Test func `a prompt that does not fit is refused with the counts, and the conversation stays usable`() throws {
        let toy = try ToyLanguageModel(context: 20)
        let conversation = Conversation(try toy.model(), pool: try KernelPool(threads: 1))
        try conversation.read([.tokens(Array(repeating: 3, count: 15))])
        #expect(throws: PipelineError.contextOverflow(needed: 22, context: 20)) { try conversation.read([.tokens([1, 1, 1, 1, 1, 1])]) }
        #expect(conversation.count == 15)
        // The answer is cut where the context ends, with room for its end.
        let answer = try conversation.write(limit: 100, end: -1)
        #expect(answer.finish == .length)
        #expect(answer.tokens.count == 4)
        #expect(conversation.count == 20)
    }

    @Test func `cancelling while reading or writing throws and leaves the conversation as it was`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        let conversation = Conversation(model, pool: pool)
        #expect(throws: PipelineError.cancelled) { try conversation.read([.tokens([1, 2])]) { throw PipelineError.cancelled } }
        #expect(conversation.count == 0)
        try conversation.read([.tokens([1, 5])])
        var calls = 0
        #expect(throws: PipelineError.cancelled) {
            try conversation.write(limit: 10, end: -1, check: {
                calls += 1
                if calls == 8 { throw PipelineError.cancelled }
            })
        }
        #expect(conversation.count == 2)
        let fresh = Conversation(model, pool: pool)
        try fresh.read([.tokens([1, 5])])
        #expect(try conversation.write(limit: 10, end: -1).tokens == fresh.write(limit: 10, end: -1).tokens)
    }

    @Test func `weights that are not numbers give an error and no text`() throws {
        let toy = try ToyLanguageModel()
        toy.weights.set("model.norm.weight", 0, to: .nan)
        let conversation = Conversation(try toy.model(), pool: try KernelPool(threads: 1))
        try conversation.read([.tokens([1])])
        #expect(throws: PipelineError.notFinite(stage: "language model")) { try conversation.write(limit: 3, end: Self.end) }
    }

    @Test func `a missing tensor and a wrong shape are named`() throws {
        let missing = try ToyLanguageModel()
        missing.weights.remove("model.layers.1.mlp.up_proj.weight")
        #expect { try missing.model() } throws: { "\($0)".contains("model.layers.1.mlp.up_proj.weight") }
        let wrong = try ToyLanguageModel()
        wrong.weights.add("model.layers.0.self_attn.k_proj.weight", [3, 16])
        #expect { try wrong.model() } throws: { "\($0)".contains("model.layers.0.self_attn.k_proj.weight") && "\($0)".contains("[3, 16]") }
    }
}

/// A LLaMA of 2 layers, 16 wide, 4 heads; and its forward pass once more, in double precision and without a cache.
final class ToyLanguageModel {
    let manifest: BundleManifest.LanguageModel
    let weights: RandomWeights

    init(keyValueHeads: Int = 2, tied: Bool = false, context: Int = 64, vocabulary: Int = 41) throws {
        manifest = BundleManifest.LanguageModel(
            weights: "toy", layers: 2, hidden: 16, heads: 4, keyValueHeads: keyValueHeads, feedForward: 22, vocabulary: vocabulary, context: context,
            rmsNormEpsilon: 1e-5, ropeTheta: 10_000, tiedEmbeddings: tied)
        weights = try RandomWeights(seed: UInt64(keyValueHeads) + (tied ? 100 : 0))
        let keyValue = keyValueHeads * manifest.headDimension
        for layer in 0..<manifest.layers {
            let name = "model.layers.\(layer)."
            weights.add(name + "input_layernorm.weight", [16], in: 0.5...1.5)
            weights.add(name + "post_attention_layernorm.weight", [16], in: 0.5...1.5)
            for (part, rows) in [("q", 16), ("k", keyValue), ("v", keyValue), ("o", 16)] {
                weights.add(name + "self_attn.\(part)_proj.weight", [rows, 16])
            }
            weights.add(name + "mlp.gate_proj.weight", [22, 16])
            weights.add(name + "mlp.up_proj.weight", [22, 16])
            weights.add(name + "mlp.down_proj.weight", [16, 22])
        }
        weights.add("model.norm.weight", [16], in: 0.5...1.5)
        weights.add("model.embed_tokens.weight", [vocabulary, 16], in: -1...1)
        if !tied { weights.add("lm_head.weight", [vocabulary, 16]) }
    }

    func model() throws -> LanguageModel { try LanguageModel(weights.open(), manifest) }

    func logits(after tokens: [Int32]) -> [Float] {
        var x = tokens.map { token in (0..<16).map { Double(weights["model.embed_tokens.weight"][Int(token) * 16 + $0]) } }
        for layer in 0..<manifest.layers {
            let name = "model.layers.\(layer)."
            let attended = attention(x.map { norm($0, name + "input_layernorm.weight") }, name + "self_attn.")
            x = zip(x, attended).map { add($0, multiply(name + "self_attn.o_proj.weight", $1)) }
            x = x.map { row in
                let y = norm(row, name + "post_attention_layernorm.weight")
                let gate = multiply(name + "mlp.gate_proj.weight", y).map { $0 / (1 + exp(-$0)) }
                let product = zip(gate, multiply(name + "mlp.up_proj.weight", y)).map { $0 * $1 }
                return add(row, multiply(name + "mlp.down_proj.weight", product))
            }
        }
        let head = manifest.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
        return multiply(head, norm(x[x.count - 1], "model.norm.weight")).map(Float.init)
    }

    private func attention(_ x: [[Double]], _ name: String) -> [[Double]] {
        let size = manifest.headDimension
        func rotated(_ part: String) -> [[Double]] {
            x.enumerated().map { position, row in
                let y = multiply(name + part, row)
                return y.indices.map { index in
                    let (i, half) = (index % size, size / 2)
                    let angle = Double(position) * pow(manifest.ropeTheta, -Double(2 * (i % half)) / Double(size))
                    return i < half ? y[index] * cos(angle) - y[index + half] * sin(angle) : y[index] * cos(angle) + y[index - half] * sin(angle)
                }
            }
        }
        let (queries, keys) = (rotated("q_proj.weight"), rotated("k_proj.weight"))
        let values = x.map { multiply(name + "v_proj.weight", $0) }
        return x.indices.map { row in
            (0..<manifest.hidden).map { index in
                let head = index / size
                let group = head / (manifest.heads / manifest.keyValueHeads) * size
                let powers = (0...row).map { past in
                    exp((0..<size).reduce(0) { $0 + queries[row][head * size + $1] * keys[past][group + $1] } / Double(size).squareRoot())
                }
                return zip(powers, values).reduce(0) { $0 + $1.0 * $1.1[group + index % size] } / powers.reduce(0, +)
            }
        }
    }

    private func multiply(_ name: String, _ x: [Double]) -> [Double] {
        let matrix = weights[name]
        return (0..<matrix.count / x.count).map { row in x.indices.reduce(0) { $0 + Double(matrix[row * x.count + $1]) * x[$1] } }
    }

    private func norm(_ x: [Double], _ name: String) -> [Double] {
        let scale = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + manifest.rmsNormEpsilon).squareRoot()
        return zip(x, weights[name]).map { $0 * scale * Double($1) }
    }

    private func add(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map(+) }
}
