import RaDialogPipeline
import Testing

/// The image encoder with its trunk in AMX tiles, against the same double precision as EncoderTests.
struct EncoderTilesTests {
    /// A bound of the error relative to the largest feature: some ten roundings to 16 bits one behind the other.
    private static let budgets: [(arithmetic: KernelPool.PanelArithmetic, relative: Float)] = [(.bf16, 0.03), (.fp16, 0.004)]

    @Test(arguments: [33, 64, 95])
    func `patch features in tiles are right within their rounding, with the same bits for any threads`(_ side: Int) throws {
        let toy = try ToyEncoder(seed: UInt64(side))
        var numbers = SeededNumbers(UInt64(side))
        let plane = numbers.floats(side * side, in: 0...1)
        let expected = toy.patchFeatures(plane, side: side)
        for budget in Self.budgets {
            let pools = try [1, 2, 3].map { try KernelPool(threads: $0, panelArithmetic: budget.arithmetic) }
            guard pools[0].panelArithmetic == budget.arithmetic else { continue }
            let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: budget.arithmetic)
            let features = try pools.map { try encoder.patchFeatures($0, plane: plane, side: side).array }
            #expect(relativeError(features[0], expected) < budget.relative)
            for others in features.dropFirst() { #expect(sameBits(others, features[0])) }
        }
    }

    @Test func `a plane with a number that is not finite has features that are not finite`() throws {
        let toy = try ToyEncoder(seed: 6)
        let pool = try KernelPool(threads: 2)
        guard pool.panelArithmetic != .fp32 else { return }
        let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: pool.panelArithmetic)
        for special in [Float.nan, .infinity, -.infinity] {
            var plane = [Float](repeating: 0.5, count: 64 * 64)
            plane[64 * 31 + 17] = special
            #expect(try !encoder.patchFeatures(pool, plane: plane, side: 64).isFinite)
        }
    }
}
