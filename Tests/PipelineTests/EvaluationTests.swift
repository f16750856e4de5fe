import Foundation
import RaDialogPipeline
import Testing

/// The measures of a language model: against a calculation in double precision at toy size, and against llama.cpp with real models.
struct EvaluationTests {
    @Test func `every row's logits have the bits of a reading that ends there`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        let tokens: [Int32] = [1, 7, 7, 0, 31, 12, 40]
        let cache = KeyValueCache(toy.manifest)
        var found: [(Int, [Float])] = []
        try model.readEvery(pool, model.embed(tokens), from: 2, cache: cache) { first, logits in
            for row in 0..<logits.rows { found.append((first + row, Array(logits.array[row * 41..<(row + 1) * 41]))) }
        }
        #expect(found.map(\.0) == [2, 3, 4, 5, 6] && cache.length == 7)
        for (row, logits) in found {
            let alone = try model.read(pool, model.embed(Array(tokens[...row])), cache: KeyValueCache(toy.manifest)).array
            #expect(sameBits(logits, alone), "row \(row)")
        }
    }

    @Test(arguments: [false, true])
    func `perplexity is that of the second halves of all whole windows, each begun with BOS where the tokenizer adds it`(addsBOS: Bool) throws {
        let toy = try ToyLanguageModel()
        let evaluation = LanguageModelEvaluation(
            model: try toy.model(), tokenizer: LetterTokenizer(addsBOS: addsBOS), pool: try KernelPool(threads: 2))
        let text = "the lungs are clear and the heart is"
        let (context, all) = (9, evaluation.tokenizer.encode(text, addBOS: addsBOS, allowSpecial: false))
        var surprises: [Double] = []
        for start in stride(from: 0, through: all.count - context, by: context) {
            var part = Array(all[start..<start + context])
            if addsBOS { part[0] = LetterTokenizer.bos }
            for row in context / 2..<context - 1 {
                let logits = toy.logits(after: Array(part[...row])).map(Double.init)
                surprises.append(log(logits.reduce(0) { $0 + exp($1) }) - logits[Int(part[row + 1])])
            }
        }
        var steps: [Int] = []
        let found = try evaluation.perplexity(of: text, context: context, progress: { done, of, _ in steps.append(done * 100 + of) })
        let mean = surprises.reduce(0, +) / Double(surprises.count)
        let variance = surprises.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(surprises.count - 1)
        let windows = all.count / context
        #expect(found.windows == windows && windows == 4 && found.tokens == all.count && found.scored == windows * 4 && found.scored == surprises.count)
        #expect(abs(found.perplexity / exp(mean) - 1) < 1e-5)
        #expect(abs(found.standardError / (exp(mean) * (variance / Double(surprises.count)).squareRoot()) - 1) < 1e-4)
        #expect(steps == (1...windows).map { $0 * 100 + windows })

        let first = try evaluation.perplexity(of: text, context: context, windows: 1)
        #expect(first.windows == 1 && abs(first.perplexity / exp(surprises[..<4].reduce(0, +) / 4) - 1) < 1e-5)
    }

    @Test func `a probability that vanishes in 32 bits still counts`() throws {
        let toy = try ToyLanguageModel()
        for index in 0..<16 { toy.weights.set("model.norm.weight", index, to: 2000) }
        let evaluation = LanguageModelEvaluation(model: try toy.model(), tokenizer: LetterTokenizer(), pool: try KernelPool(threads: 1))
        let tokens: [Int32] = [1, 7, 9, 30, 31]
        let found = try evaluation.surprises(tokens, from: 0)
        for (row, surprise) in found.enumerated() {
            let logits = toy.logits(after: Array(tokens[...row])).map(Double.init)
            let largest = try #require(logits.max())
            let expected = largest + log(logits.reduce(0) { $0 + exp($1 - largest) }) - logits[Int(tokens[row + 1])]
            #expect(abs(surprise - expected) < 1e-4 * (1 + expected))
        }
        #expect(found.count == 4 && found.contains { $0 > 200 })
    }

    @Test func `texts that are too short, windows that are too long and numbers that are none are refused`() throws {
        let toy = try ToyLanguageModel(context: 20)
        let evaluation = LanguageModelEvaluation(model: try toy.model(), tokenizer: LetterTokenizer(), pool: try KernelPool(threads: 1))
        #expect(throws: PipelineError.badText("it has 5 tokens, and a window has 6")) { try evaluation.perplexity(of: "lungs", context: 6) }
        #expect(throws: PipelineError.contextOverflow(needed: 21, context: 20)) { try evaluation.perplexity(of: "lungs", context: 21) }
        #expect(throws: PipelineError.cancelled) { try evaluation.perplexity(of: "lungs", context: 5, check: { throw PipelineError.cancelled }) }
        #expect(throws: PipelineError.badText("it has no tokens")) { try evaluation.continuation(of: "", allowSpecial: false, limit: 1, top: 0) }
        toy.weights.set("model.norm.weight", 0, to: .nan)
        let broken = LanguageModelEvaluation(model: try toy.model(), tokenizer: LetterTokenizer(), pool: try KernelPool(threads: 1))
        #expect(throws: PipelineError.notFinite(stage: "language model")) { try broken.perplexity(of: "lungs", context: 5) }
        #expect(throws: PipelineError.notFinite(stage: "language model")) { try broken.continuation(of: "lungs", allowSpecial: false, limit: 0, top: 1) }
        // Tokens alone need no model.
        #expect(try broken.continuation(of: "lung", allowSpecial: false, limit: 0, top: 0).tokens.count == 4)
    }

    @Test func `a prompt is answered with its tokens, the likeliest next ones and the text that a conversation writes`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        let evaluation = LanguageModelEvaluation(model: model, tokenizer: LetterTokenizer(addsBOS: true), pool: pool)
        var rows = 0
        let found = try evaluation.continuation(of: "heart", allowSpecial: false, limit: 7, top: 3, onLogits: { rows += $0.rows })
        let logits = toy.logits(after: found.tokens)
        let order = logits.indices.sorted { logits[$0] > logits[$1] }
        #expect(rows == 6 && found.tokens.count == 6 && found.tokens[0] == LetterTokenizer.bos)
        #expect(found.candidates.map(\.token) == order.prefix(3).map { Int32($0) })
        #expect(zip(found.candidates, order).allSatisfy { abs($0.logit - logits[$1]) < 1e-4 })
        let conversation = Conversation(model, pool: pool)
        try conversation.read([.tokens(found.tokens)])
        #expect(try found.greedy == conversation.write(limit: 7, end: -1).tokens && found.greedy[0] == found.candidates[0].token)
        #expect(found.text == evaluation.tokenizer.decode(found.greedy))
    }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `stories260K says what llama cpp says`() throws {
        let folder = try ScratchFolder()
        let evaluation = try LanguageModelEvaluation(gguf: StoriesModel.write(folder), pool: try KernelPool(threads: 2))
        try expectLlama("stories260k", of: evaluation, tokens: 64)
    }

    @Test(.enabled(if: TokenizerFiles.hasSmolLM2, Comment(rawValue: TokenizerFiles.needsSmolLM2)))
    func `SmolLM2 says what llama cpp says`() throws {
        let evaluation = try LanguageModelEvaluation(gguf: #require(TokenizerFiles.smolLM2), pool: try KernelPool(threads: 2))
        // 64 tokens of every prompt: reference/compare_llama_cpp.py.
        try expectLlama("smollm2", of: evaluation, tokens: 12)
    }

    /// fixtures/language-model, written by `reference/compare_llama_cpp.py --fixtures`.
    private func expectLlama(_ name: String, of evaluation: LanguageModelEvaluation, tokens limit: Int) throws {
        struct Row: Decodable {
            var text: String
            var special: Bool
            var tokens, best, greedy: [Int32]
            var logits: [Float]
        }
        let path = URL(filePath: TokenizerFiles.fixtures).deletingLastPathComponent().appending(path: "language-model/\(name).json")
        let rows = try JSONDecoder().decode([Row].self, from: Data(contentsOf: path))
        #expect(rows.count >= 5)
        for row in rows {
            let found = try evaluation.continuation(of: row.text, allowSpecial: row.special, limit: limit, top: 5)
            #expect(found.tokens == row.tokens && found.greedy == Array(row.greedy.prefix(limit)), "\(row.text): \(found.text)")
            #expect(found.candidates.map(\.token) == row.best)
            #expect(relativeError(found.candidates.map(\.logit), row.logits) < fp32Budget)
        }
    }
}

/// A token for every scalar.
private struct LetterTokenizer: TextTokenizer {
    static let bos: Int32 = 1
    var addsBOS = false
    let vocabularySize = 41
    let bosToken: Int32? = LetterTokenizer.bos
    let eosToken: Int32? = 2

    func encode(_ text: String, addBOS: Bool, allowSpecial: Bool) -> [Int32] {
        (addBOS ? [Self.bos] : []) + text.unicodeScalars.map { Int32($0.value * 7 % 38) + 3 }
    }

    func makeTokenDecoder() -> any TokenDecoder { Decoder() }
    func text(of token: Int32) -> String? { "[\(token)]" }
    func type(of token: Int32) -> TokenType? { .normal }
    func specialToken(_ text: String) -> Int32? { nil }

    private struct Decoder: TokenDecoder {
        func append(_ token: Int32) -> String { "[\(token)]" }
        func finish() -> String { "" }
    }
}
