/// Times a language model as llama.cpp's benchmark does: reading prompts, and writing with several sequences at once. Tokens are arbitrary.
package final class LanguageModelBenchmark {
    private let model: LanguageModel
    private let pool: KernelPool
    /// One cache for each sequence, with a prompt of its own: what sequences read, they do not share.
    private var caches: [KeyValueCache] = []

    /// Tokens that each sequence has in its cache before writing is timed.
    package static let prompt = 256
    /// Tokens of each sequence in one repetition.
    package static let steps = 8

    package init(_ model: LanguageModel, pool: KernelPool) {
        self.model = model
        self.pool = pool
    }

    /// Seconds to read a prompt of `count` tokens behind nothing.
    package func prefill(_ count: Int) throws -> Double {
        let (rows, cache) = (model.embed(tokens(count, from: 0)), model.makeCache())
        var watch = Stopwatch()
        _ = try model.read(pool, rows, cache: cache)
        return watch.lap()
    }

    /// Seconds until each of `sequences` sequences has `steps` tokens more, written by `pool`.
    package func decode(_ sequences: Int, on pool: KernelPool) throws -> Double {
        while caches.count < sequences {
            let cache = model.makeCache()
            _ = try model.read(self.pool, model.embed(tokens(Self.prompt, from: caches.count)), cache: cache)
            caches.append(cache)
        }
        for cache in caches { cache.length = Self.prompt }
        let batch = caches.prefix(sequences).map { LanguageModel.BatchedRows(cache: $0, count: 1, origin: .written) }
        var next = tokens(sequences, from: 0)
        var watch = Stopwatch()
        for _ in 0..<Self.steps {
            let rows = model.embed(next)
            try model.advance(pool, rows.pointer, batch) {}
            let logits = model.logits(pool, rows, Array(0..<sequences), written: sequences)
            next = (0..<sequences).map { logits.largest(ofRow: $0) }
        }
        return watch.lap()
    }

    private func tokens(_ count: Int, from first: Int) -> [Int32] {
        (0..<count).map { Int32((first * 131 + $0 * 31 + 7) % model.manifest.vocabulary) }
    }
}
