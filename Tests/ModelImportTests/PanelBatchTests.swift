import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// The language model in the processor's fastest arithmetic, with a cache of halves: what is computed beside a row never shows.
@Suite(.serialized)
struct PanelBatchTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func model(_ quantization: ModelImport.Quantization) throws -> LanguageModel {
        let output = scratch.path + "/bundle"
        try PublishedSet.of(.v2).request(quantization, output, layout: .panels).run(threads: 2) { _ in }
        let bundle = try ModelBundle.open(output)
        return try LanguageModel(bundle.weights(bundle.manifest.languageModel.weights), bundle.manifest.languageModel)
    }

    private static func tokens(_ count: Int, _ seed: Int) -> [Int32] { (0..<count).map { Int32(($0 * 37 + seed * 101 + 5) % 500) } }

    @Test(arguments: [ModelImport.Quantization.q4_0, .q8_0], [KeyValueType.f16, .q8, .f32])
    func `logits are the same bits alone, in any batch, in pieces, and with any number of threads`(
        quantization: ModelImport.Quantization, type: KeyValueType
    ) throws {
        let model = try model(quantization)
        func cache() -> KeyValueCache { KeyValueCache(model.manifest, type: type) }
        let (one, two) = (try KernelPool(threads: 1), try KernelPool(threads: 2))
        let lengths = [1, 3, 16, 17, 40, 100, 2]
        let alone = try lengths.enumerated().map { index, count in
            try model.read(one, model.embed(Self.tokens(70 + index, index) + Self.tokens(count, 9)), cache: cache()).array.map(\.bitPattern)
        }
        for order in [Array(lengths.indices), [6, 2, 4, 0], [5, 1], [3]] {
            let caches = try order.map { index in
                let cache = cache()
                _ = try model.read(two, model.embed(Self.tokens(70 + index, index)), cache: cache)
                return cache
            }
            let rows = model.embed(order.flatMap { Self.tokens(lengths[$0], 9) })
            try model.advance(two, rows.pointer, zip(order, caches).map { .init(cache: $1, count: lengths[$0]) }) {}
            var last = -1
            let logits = model.logits(two, rows, order.map {
                last += lengths[$0]
                return last
            })
            for (place, index) in order.enumerated() {
                let found = UnsafeBufferPointer(start: logits.row(place), count: logits.columns).map(\.bitPattern)
                #expect(found == alone[index], "\(lengths[index]) rows of \(order)")
            }
        }
    }

    @Test func `a cache of halves or bytes changes logits little`() throws {
        let model = try model(.q8_0)
        let (pool, tokens) = (try KernelPool(threads: 2), Self.tokens(150, 3))
        let exact = try model.read(pool, model.embed(tokens), cache: KeyValueCache(model.manifest, type: .f32)).array
        let largest = exact.reduce(0) { max($0, abs($1)) }
        for (type, bound) in [(KeyValueType.f16, Float(0.02)), (.q8, 0.1)] {
            let found = try model.read(pool, model.embed(tokens), cache: KeyValueCache(model.manifest, type: type)).array
            let error = zip(found, exact).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
            #expect(error > 0 && error < bound, "\(type): \(error)")
        }
    }
}
