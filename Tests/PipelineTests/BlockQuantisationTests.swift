import Foundation
import RaDialogPipeline
import Testing

/// Blocks there and back, against the bytes and numbers of other implementations.
struct BlockQuantisationTests {
    @Test(arguments: BlockType.quantised)
    func `blocks mean to the bit what the gguf package says, on every instruction set`(_ type: BlockType) throws {
        let expected = try BlockFixtures.floats("\(type).floats")
        let blocks = try BlockFixtures.bytes("\(type).blocks")
        for pool in try KernelPool.everyInstructionSet(threads: 2) {
            let found = type.dequantized(pool, blocks, columns: BlockFixtures.columns)
            #expect(found.count == expected.count)
            // Zeros compare equal whatever their sign: numpy and C differ in 0 * -1.
            #expect(found == expected, "\(pool.arithmeticName)")
        }
    }

    @Test(arguments: [BlockType.f16, .bf16, .q8_0, .q5_0, .q4_0])
    func `what is written is to the byte what the reference quantisers write`(_ type: BlockType) throws {
        let source = try BlockFixtures.floats("source.floats")
        for pool in try KernelPool.everyInstructionSet(threads: 2) {
            let found = type.quantized(pool, source, columns: BlockFixtures.columns)
            #expect(found.refused == nil)
            #expect(found.bytes == (try BlockFixtures.bytes("\(type).quantised")), "\(pool.arithmeticName)")
        }
    }

    @Test func `Q4_K is the same everywhere and loses no more than ggml's reference`() throws {
        let source = try BlockFixtures.floats("source.floats")
        let pools = try KernelPool.everyInstructionSet(threads: 2)
        let first = BlockType.q4_K.quantized(pools[0], source, columns: BlockFixtures.columns)
        #expect(first.refused == nil)
        for pool in pools { #expect(BlockType.q4_K.quantized(pool, source, columns: BlockFixtures.columns).bytes == first.bytes) }

        let reference = try BlockFixtures.bytes("Q4_K.quantised")
        func errors(_ bytes: [UInt8]) -> [Double] {
            let values = BlockType.q4_K.dequantized(pools[0], bytes, columns: BlockFixtures.columns)
            return stride(from: 0, to: source.count, by: 256).map { start in
                (start..<start + 256).reduce(0) { $0 + pow(Double(values[$1] - source[$1]), 2) }
            }
        }
        // Sums in another order may tip a search one way or the other: block by block within 1 %, never systematically worse.
        for (ours, theirs) in zip(errors(first.bytes), errors(reference)) { #expect(ours <= theirs * 1.01 + 1e-12) }
        // Values, not bytes: what stands behind a scale of zero does not matter.
        let (own, others) = (
            BlockType.q4_K.dequantized(pools[0], first.bytes, columns: BlockFixtures.columns),
            BlockType.q4_K.dequantized(pools[0], reference, columns: BlockFixtures.columns)
        )
        #expect(zip(own, others).count { $0 != $1 } < own.count / 50)
    }

    @Test(arguments: BlockType.allCases.filter(\.canQuantize))
    func `zeros stay zeros and constants stay themselves`(_ type: BlockType) throws {
        let pool = try KernelPool(threads: 1)
        for value: Float in [0, -0.5, 2, Float.leastNonzeroMagnitude * 700] {
            let (bytes, refused) = type.quantized(pool, [Float](repeating: value, count: 256), columns: 256)
            #expect(refused == nil)
            let back = type.dequantized(pool, bytes, columns: 256)
            #expect(back.allSatisfy { abs($0 - value) <= abs(value) / 100 + 1e-7 }, "\(type) \(value) -> \(back[0])")
        }
    }

    @Test(arguments: BlockType.allCases.filter { $0.canQuantize && $0 != .f32 })
    func `the first row with a number that does not fit is named`(_ type: BlockType) throws {
        let pool = try KernelPool(threads: 3)
        for bad: Float in [.nan, .infinity, -.infinity, type == .bf16 ? 3.4e38 : 3e10] {
            var values = [Float](repeating: 0.25, count: 600 * 256)
            values[599 * 256] = bad
            values[77 * 256 + 255] = bad
            #expect(type.quantized(pool, values, columns: 256).refused == 77)
        }
    }

    @Test func `halves are rounded to nearest even, as the hardware type does`() throws {
        var numbers = SeededNumbers(11)
        // Every half, the midpoints between neighbours, and their neighbours.
        var values: [Float] = []
        for bits in 0..<UInt16(0x7BFF) {
            let (low, high) = (Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits + 1)))
            let middle = (low + high) / 2
            values += [low, middle, middle.nextUp, -middle.nextDown]
        }
        values += numbers.floats(4096, in: -70_000...70_000) + numbers.floats(4096, in: -1e-4...1e-4)
        values = values.filter { abs($0) < 65_520 }
        let pool = try KernelPool(threads: 1)
        let (bytes, refused) = BlockType.f16.quantized(pool, values, columns: values.count)
        #expect(refused == nil)
        let wrong = values.indices.filter { index in
            UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8 != Float16(values[index]).bitPattern
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3).map { values[$0] })")
    }

    @Test func `sizes are those of the format, and odd rows have none`() {
        let sizes: [BlockType: (Int, Int)] = [
            .f32: (1, 4), .f16: (1, 2), .bf16: (1, 2), .q4_0: (32, 18), .q4_1: (32, 20), .q5_0: (32, 22), .q5_1: (32, 24), .q8_0: (32, 34),
            .q4_K: (256, 144), .q5_K: (256, 176), .q6_K: (256, 210),
        ]
        for type in BlockType.allCases {
            #expect(sizes[type].map { $0 == (type.blockElements, type.blockBytes) } == true)
            #expect(type.rowBytes(columns: 512) == 512 / type.blockElements * type.blockBytes)
            #expect(type.rowBytes(columns: 513) == (type.blockElements == 1 ? 513 * type.blockBytes : nil))
#expect(type.blockElements > 1 || type.rowBytes(columns: .max) == nil)
            #expect(type.rowBytes(columns: -256) == nil)
        }
    }
}
