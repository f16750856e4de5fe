import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// Rows that the model reads and rows that it wrote, where the pool computes the two differently.
@Suite(.serialized)
struct WrittenRowsTests {
    private let scratch: Scratch
    private let model: LanguageModel
    private let tokens: [Int32] = (0..<90).map { Int32(($0 * 37 + 5) % 500) }

    init() throws {
        scratch = try Scratch()
        let output = scratch.path + "/bundle"
        try PublishedSet.of(.v2).request(.q4_0, output, layout: .panels).run(threads: 2) { _ in }
        let bundle = try ModelBundle.open(output)
        model = try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel)
    }

    private func pool(_ threads: Int = 2) throws -> KernelPool { try KernelPool(threads: threads, writingArithmetic: .int8) }

    private func bits(_ logits: Activations) -> [UInt32] { logits.array.map(\.bitPattern) }

    @Test func `each is computed in its own arithmetic`() throws {
        let (both, whole) = (try pool(), try KernelPool(threads: 2, panelArithmetic: .int8))
        #expect(both.panelArithmetic != .int8 && both.writingArithmetic == .int8 && whole.writingArithmetic == .int8)
        let cache = model.makeCache()
        _ = try model.read(both, model.embed(tokens), cache: cache)
        func next(_ pool: KernelPool, _ origin: RowOrigin) throws -> [UInt32] {
            let row = model.embed([7])
            try model.advance(pool, row.pointer, [.init(cache: cache.fork(), count: 1, origin: origin)]) {}
            return bits(model.logits(pool, row, [0], written: origin == .written ? 1 : 0))
        }
        #expect(try next(both, .written) == next(whole, .read))
        #expect(try next(both, .written) != next(both, .read))
    }

    @Test func `a row's bits depend on where it comes from, not on what is computed beside it`() throws {
        let (one, two) = (try pool(1), try pool(2))
        let counts = [40, 1, 17, 3, 1], origins: [RowOrigin] = [.read, .read, .read, .written, .written]
        func cache(_ index: Int) throws -> KeyValueCache {
            let cache = model.makeCache()
            _ = try model.read(two, model.embed(Array(tokens.prefix(50 + index))), cache: cache)
            return cache
        }
        func rows(_ index: Int) -> [Int32] { Array(tokens.suffix(counts[index])) }
        func last(_ pool: KernelPool, _ chosen: [Int]) throws -> [[UInt32]] {
            let batch = try chosen.map { LanguageModel.BatchedRows(cache: try cache($0), count: counts[$0], origin: origins[$0]) }
            let x = model.embed(chosen.flatMap(rows))
            try model.advance(pool, x.pointer, batch) {}
            var end = 0
            let picks = chosen.map { index -> Int in
                end += counts[index]
                return end - 1
            }
            let written = chosen.reduce(0) { $0 + (origins[$1] == .written ? counts[$1] : 0) }
            let logits = bits(model.logits(pool, x, picks, written: written))
            let width = logits.count / chosen.count
            return chosen.indices.map { Array(logits[$0 * width..<($0 + 1) * width]) }
        }
        let alone = try counts.indices.map { try last(one, [$0])[0] }
        for chosen in [[0, 1, 2, 3, 4], [1, 4], [2, 3], [0, 4]] { #expect(try last(two, chosen) == chosen.map { alone[$0] }, "\(chosen)") }
    }

    @Test func `what was read and written in turns is read again at once with the same bits`() throws {
        let scheduler = ComputeScheduler(model, pool: try pool())
        let pieces: [(tokens: ArraySlice<Int32>, origin: RowOrigin)] = [
            (tokens[..<30], .read), (tokens[30..<37], .written), (tokens[37..<50], .read), (tokens[50..<70], .written), (tokens[70...], .read),
        ]
        func read(_ tokens: [Int32], _ origins: [RowOrigin], _ cache: KeyValueCache) throws -> [UInt32] {
            bits(try scheduler.read(model.embed(tokens), origins: origins, cache: cache, urgency: .routine) {})
        }
        let cache = model.makeCache()
        var inTurns: [UInt32] = []
        for piece in pieces {
            // Writing brings a token at a time.
            for part in piece.origin == .written ? piece.tokens.map({ [$0] }) : [Array(piece.tokens)] {
                inTurns = try read(part, part.map { _ in piece.origin }, cache)
            }
        }
        let origins = pieces.flatMap { piece in piece.tokens.map { _ in piece.origin } }
        #expect(try read(tokens, origins, model.makeCache()) == inTurns)
        #expect(try read(tokens, tokens.map { _ in .read }, model.makeCache()) != inTurns, "or this test shows nothing")
    }
}
