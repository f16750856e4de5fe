import RaDialogPipeline
import ReportModel
import Testing

/// The image networks with their trunks in AMX tiles: the encoder against the same double precision as EncoderTests, the classifier's scores
/// against fp32.
struct EncoderTilesTests {
    /// A bound of the error relative to the largest feature: some ten roundings, to 16 bits or to twice 16, one behind the other.
    private static let budgets: [(arithmetic: KernelPool.ImageArithmetic, relative: Float)] = [(.bf16, 0.03), (.fp16, 0.004), (.bf16x3, 0.0002)]

    @Test(arguments: [33, 64, 95])
    func `patch features in tiles are right within their rounding, with the same bits for any threads`(_ side: Int) throws {
        let toy = try ToyEncoder(seed: UInt64(side))
        var numbers = SeededNumbers(UInt64(side))
        let plane = numbers.floats(side * side, in: 0...1)
        let expected = toy.patchFeatures(plane, side: side)
        let pools = try [1, 2, 3].map { try KernelPool(threads: $0) }
        for budget in Self.budgets where pools[0].has(budget.arithmetic) {
            let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: budget.arithmetic)
            let features = try pools.map { try encoder.patchFeatures($0, plane: plane, side: side).array }
            #expect(relativeError(features[0], expected) < budget.relative, "\(budget.arithmetic)")
            for others in features.dropFirst() { #expect(sameBits(others, features[0])) }
        }
    }

    @Test(arguments: [KernelPool.ImageArithmetic.bf16, .fp16, .bf16x3])
    func `a plane with a number that is not finite has features that are not finite`(_ arithmetic: KernelPool.ImageArithmetic) throws {
        let toy = try ToyEncoder(seed: 6)
        let pool = try KernelPool(threads: 2)
        guard pool.has(arithmetic) else { return }
        let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: arithmetic)
        for special in [Float.nan, .infinity, -.infinity] {
            var plane = [Float](repeating: 0.5, count: 64 * 64)
            plane[64 * 31 + 17] = special
            #expect(try !encoder.patchFeatures(pool, plane: plane, side: 64).isFinite)
        }
    }

    @Test(arguments: [33, 64, 200]) func `planes have the bits that they have alone, however many go together`(_ side: Int) throws {
        let toy = try ToyEncoder(seed: 9)
        let pool = try KernelPool(threads: 2)
        var numbers = SeededNumbers(9)
        let planes = (0..<11).map { _ in numbers.floats(side * side, in: 0...1) }
        for arithmetic in KernelPool.ImageArithmetic.allCases where pool.has(arithmetic) {
            let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: arithmetic)
            let alone = try planes.map { try encoder.patchFeatures(pool, plane: $0, side: side).array }
            for count in [2, 8, 11] {
                let features = try encoder.patchFeatures(pool, planes: Array(planes.prefix(count)), side: side)
                #expect(features.count == count)
                for (found, wanted) in zip(features, alone) { #expect(sameBits(found.array, wanted), "\(arithmetic), \(count) planes") }
            }
        }
    }

    /// A scheduler lends the processor to others between a trunk's layers: they need working memory of their own.
    @Test(.timeLimit(.minutes(1))) func `others compute between a trunk's layers, and all have the bits that they have alone`() throws {
        let toy = try ToyEncoder(seed: 7)
        let pool = try KernelPool(threads: 2)
        var numbers = SeededNumbers(7)
        let planes = (0..<2).map { _ in numbers.floats(64 * 64, in: 0...1) }
        for arithmetic in KernelPool.ImageArithmetic.allCases where pool.has(arithmetic) {
            let encoder = try ImageEncoder(toy.weights.open(), toy.manifest, arithmetic: arithmetic)
            let alone = try planes.map { try encoder.patchFeatures(pool, plane: $0, side: 64).array }
            var between: [Float] = []
            var checks = 0
            let features = try encoder.patchFeatures(pool, plane: planes[0], side: 64) {
                checks += 1
                between = try encoder.patchFeatures(pool, plane: planes[1], side: 64).array
            }
            #expect(checks > 1)
            #expect(sameBits(features.array, alone[0]) && sameBits(between, alone[1]))
        }
    }

    /// What the classifier takes where there are tiles. Two bfloat16s stay far below the bound of 0.005 that all arithmetics have.
    @Test(arguments: [(KernelPool.ImageArithmetic.fp16, 0.005), (.bf16x3, 0.0005)])
    func `scores in tiles are those of fp32 within their budget, with the same bits for any threads`(
        _ arithmetic: KernelPool.ImageArithmetic, _ budget: Double
    ) throws {
        let bundle = try ModelBundle.open(try #require(Golden.anyBundle))
        let vision = try #require(bundle.manifest.vision)
        let weights = try bundle.weights(vision.classifier.encoder.weights)
        let input = try ModelInput.make(from: SyntheticFilm.chest, preprocessing: vision.preprocessing)
        let pools = try [1, 2].map { try KernelPool(threads: $0) }
        guard pools[0].has(arithmetic) else { return }
        func scores(_ pool: KernelPool, _ arithmetic: KernelPool.ImageArithmetic) throws -> [Double] {
            let classifier = try Classifier(weights, side: input.classifierSide, vision.classifier, arithmetic: arithmetic)
            return try classifier(pool, plane: input.classifier, side: input.classifierSide).findings.map(\.score)
        }
        let (exact, found) = (try scores(pools[0], .fp32), try scores(pools[0], arithmetic))
        for (a, b) in zip(found, exact) { #expect(abs(a - b) <= budget) }
        #expect(try scores(pools[1], arithmetic) == found)
    }
}
