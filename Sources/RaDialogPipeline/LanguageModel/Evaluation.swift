internal import CKernels
import Glibc

/// What a language model makes of texts, measured as llama.cpp measures it: the figures of two engines, or of two forms of the same
/// weights, can be set side by side. For one thread.
package struct LanguageModelEvaluation {
    package let model: LanguageModel
    package let tokenizer: any TextTokenizer
    package let pool: KernelPool

    package init(model: LanguageModel, tokenizer: any TextTokenizer, pool: KernelPool) {
        self.model = model
        self.tokenizer = tokenizer
        self.pool = pool
    }

    /// The language model of a bundle, without the image's part.
    package init(bundle: ModelBundle, pool: KernelPool, cache: KeyValueType? = nil) throws {
        let manifest = bundle.manifest.languageModel
        self.init(model: try LanguageModel(bundle.weights(manifest.weights), manifest, cache: cache), tokenizer: bundle.tokenizer, pool: pool)
    }

    /// A GGUF file by itself: it holds the model's numbers, weights and vocabulary.
    /// - Throws: `WeightsError`, `TokenizerError`, `PipelineError`.
    package init(gguf path: String, pool: KernelPool, cache: KeyValueType? = nil) throws {
        let file = try GGUF(path: path)
        let weights = try GGUFLanguageWeights(file)
        guard let vocabulary = try VocabularyDescription(file) else {
            throw WeightsError.malformed(path: path, reason: "it has no vocabulary (tokenizer.ggml.*)")
        }
        let manifest = try BundleManifest.LanguageModel(weights, weights: path)
        let tokenizer = try vocabulary.makeTokenizer(source: path)
        guard tokenizer.vocabularySize <= manifest.vocabulary else {
            throw WeightsError.malformed(
                path: path, reason: "it has \(tokenizer.vocabularySize) tokens, and embeddings for \(manifest.vocabulary)")
        }
        self.init(model: try LanguageModel(weights, manifest, cache: cache), tokenizer: tokenizer, pool: pool)
    }

    // MARK: - Perplexity

    /// How surprised the model is by a text: e to the mean of -ln p over the scored tokens.
    package struct Perplexity: Sendable, Equatable {
        package var perplexity: Double
        /// Of `perplexity`, as if the scored tokens were independent.
        package var standardError: Double
        /// Of the whole text, BOS included.
        package var tokens: Int
        package var scored: Int
        package var windows: Int
        package var context: Int
        package var seconds: Double
    }

    /// The convention is that of llama.cpp's `llama-perplexity`: the text is tokenised once, special tokens' names as plain text, and cut
    /// into windows of `context` tokens; what is left at the end is not used. Every window is read from an empty cache. Where the tokenizer
    /// adds BOS, that stands in place of each window's first token. The first half of a window is context only: rows `context / 2` to
    /// `context - 2` predict the tokens behind them.
    ///
    /// - Parameters:
    ///   - context: at least 4.
    ///   - windows: how many are read at most, from the text's start.
    ///   - progress: gets the windows read so far, of how many, and the perplexity of these.
    /// - Throws: `PipelineError.badText` for a text of less than one window, `.contextOverflow`, `.notFinite`, and what `check` throws.
    package func perplexity(
        of text: String, context: Int, windows limit: Int = .max, check: () throws -> Void = {},
        progress: (Int, Int, Double) -> Void = { _, _, _ in }
    ) throws -> Perplexity {
        precondition(context >= 4 && limit > 0, "a window has two halves, and there is one")
        guard context <= model.manifest.context else {
            throw PipelineError.contextOverflow(needed: context, context: model.manifest.context)
        }
        let start = ContinuousClock.now
        let tokens = tokenizer.encode(text, addBOS: tokenizer.addsBOS, allowSpecial: false)
        let windows = min(tokens.count / context, limit)
        guard windows > 0 else {
            throw PipelineError.badText("it has \(tokens.count) tokens, and a window has \(context)")
        }
        var (sum, squares, scored) = (0.0, 0.0, 0)
        for window in 0..<windows {
            var part = Array(tokens[window * context..<(window + 1) * context])
            if tokenizer.addsBOS, let bos = tokenizer.bosToken { part[0] = bos }
            for surprise in try surprises(part, from: context / 2, check: check) {
                sum += surprise
                squares += surprise * surprise
                scored += 1
            }
            progress(window + 1, windows, exp(sum / Double(scored)))
        }
        let mean = sum / Double(scored)
        let variance = max(0, squares / Double(scored) - mean * mean)
        return Perplexity(
            perplexity: exp(mean), standardError: scored > 1 ? exp(mean) * (variance / Double(scored - 1)).squareRoot() : 0,
            tokens: tokens.count, scored: scored, windows: windows, context: context, seconds: (ContinuousClock.now - start) / .seconds(1))
    }

    /// -ln p of the tokens behind rows `first` ..< count - 1, each given all before it.
    package func surprises(_ tokens: [Int32], from first: Int, check: () throws -> Void = {}) throws -> [Double] {
        var result: [Double] = []
        try model.readEvery(pool, model.embed(tokens), from: first, cache: model.makeCache(), check: check) { start, logits in
            var best: [Int] = []
            var differences: [Double] = []
            for row in 0..<logits.rows {
                let next = start + row + 1
                let numbers = logits.row(row)
                best.append(ck_argmax(numbers, logits.columns))
                differences.append(next < tokens.count ? Double(numbers[best[row]]) - Double(numbers[Int(tokens[next])]) : 0)
            }
            // In place: p of the best token is 1 / sum exp(x - max), so that -ln p of any other is (max - x) - ln p(best), which cannot
            // vanish as the p of an improbable token can.
            ck_softmax(pool.handle, logits.pointer, logits.rows, logits.columns)
            for row in 0..<min(logits.rows, tokens.count - 1 - start) {
                let surprise = differences[row] - log(Double(logits.row(row)[best[row]]))
                guard surprise.isFinite else { throw PipelineError.notFinite(stage: "language model") }
                result.append(surprise)
            }
        }
        return result
    }

    // MARK: - Prompts

    /// What follows a prompt.
    package struct Continuation: Sendable, Equatable {
        /// The prompt, BOS included where the tokenizer adds it.
        package var tokens: [Int32]
        /// The likeliest next tokens with their logits, the likeliest first.
        package var candidates: [Candidate]
        /// Each the likeliest after all before it; the end token does not end them.
        package var greedy: [Int32]
        /// `greedy` as text.
        package var text: String

        package struct Candidate: Sendable, Equatable {
            package var token: Int32
            package var logit: Float
        }
    }

    /// Reads a prompt, and goes on as `Conversation` does.
    ///
    /// - Parameters:
    ///   - allowSpecial: whether names of special tokens in the text are these tokens.
    ///   - limit: tokens of `greedy`; 0 for none.
    ///   - top: candidates; 0 for none. Where nothing is asked for, the model does not run.
    ///   - onLogits: gets the logits of every row of the prompt, in order, some rows at a time: `[some, vocabulary]`.
    /// - Throws: `PipelineError.badText` for an empty prompt, `.contextOverflow`, `.notFinite`.
    package func continuation(
        of text: String, allowSpecial: Bool, limit: Int, top: Int, onLogits: ((Activations) throws -> Void)? = nil
    ) throws -> Continuation {
        let tokens = tokenizer.encode(text, addBOS: tokenizer.addsBOS, allowSpecial: allowSpecial)
        var result = Continuation(tokens: tokens, candidates: [], greedy: [], text: "")
        guard limit > 0 || top > 0 || onLogits != nil else { return result }
        guard !tokens.isEmpty else { throw PipelineError.badText("it has no tokens") }
        let from = onLogits == nil ? tokens.count - 1 : 0
        try model.readEvery(pool, model.embed(tokens), from: from, cache: model.makeCache()) { start, logits in
            guard logits.isFinite else { throw PipelineError.notFinite(stage: "language model") }
            try onLogits?(logits)
            guard start + logits.rows == tokens.count else { return }
            let last = logits.row(logits.rows - 1)
            let order = (0..<logits.columns).sorted { last[$0] > last[$1] || (last[$0] == last[$1] && $0 < $1) }
            result.candidates = order.prefix(top).map { .init(token: Int32($0), logit: last[$0]) }
        }
        if limit > 0 {
            let conversation = Conversation(model, pool: pool)
            try conversation.read([.tokens(tokens)])
            // No token is -1: the text goes on.
            result.greedy = try conversation.write(limit: limit, end: -1).tokens
            result.text = tokenizer.decode(result.greedy)
        }
        return result
    }
}
