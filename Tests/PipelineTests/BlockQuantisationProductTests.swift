import CKernels
import RaDialogPipeline
import Testing

/// Products with blocks against products with the same weights dequantised: the same bits, whatever computes them.
struct BlockQuantisationProductTests {
    /// Rows x outputs x inputs, and whether the weights lie in another order.
    struct Product: Sendable {
        let rows, outputs, inputs: Int
        var shuffled = false
    }

    static let products = [
        Product(rows: 1, outputs: 1, inputs: 256), Product(rows: 3, outputs: 33, inputs: 512), Product(rows: 13, outputs: 70, inputs: 768, shuffled: true),
        Product(rows: 200, outputs: 40, inputs: 256),
    ]

    @Test(arguments: BlockType.allCases, products)
    func `a product with blocks has the bits of the product with their numbers`(_ type: BlockType, _ size: Product) throws {
        var numbers = SeededNumbers(UInt64(type.rawValue) * 1000 + UInt64(size.rows))
        let pools = try KernelPool.everyInstructionSet(threads: 2) + [KernelPool(threads: 1), KernelPool(threads: 3)]
        let rowBytes = try #require(type.rowBytes(columns: size.inputs))
        var bytes = (0..<size.outputs * rowBytes).map { _ in UInt8.random(in: 0...255, using: &numbers) }
        Self.tame(&bytes, type)
        let weights = type.dequantized(pools[0], bytes, columns: size.inputs)
        let order = size.shuffled ? Array((0..<UInt32(size.outputs)).shuffled(using: &numbers)) : nil
        let x = numbers.floats(size.rows * size.inputs)
        let (bias, residual) = (numbers.floats(size.outputs), numbers.floats(size.rows * size.outputs))

        let layer = try Linear(outputs: size.outputs, inputs: size.inputs, bias: FloatTensor(shape: [size.outputs], values: bias)) { output, row in
            let stored = order.map { Int($0[output]) } ?? output
            for column in 0..<size.inputs { row[column] = weights[stored * size.inputs + column] }
        }
        var expected = residual
        expected.withUnsafeMutableBufferPointer { y in
            guard let base = y.baseAddress else { return }
            layer.apply(pools[0], into: base, from: x, rows: size.rows, residual: base, activation: .relu)
        }
        let folder = try ScratchFolder()
        try folder.write(bytes, as: "rows")
        let file = try MappedFile(path: folder.path + "/rows")
        let tensor = BlockTensor(
            name: "w", type: type, shape: [size.outputs, size.inputs], bytes: file.bytes, order: order, owner: file)
        let blocks = try Linear(tensor, bias: FloatTensor(shape: [size.outputs], values: bias))
        for pool in pools {
            var y = residual
            y.withUnsafeMutableBufferPointer { y in
                guard let base = y.baseAddress else { return }
                blocks.apply(pool, into: base, from: x, rows: size.rows, residual: base, activation: .relu)
            }
            #expect(sameBits(y, expected), "\(pool.arithmeticName), \(pool.threads) threads")
        }
        #expect((size.outputs == 1 || expected.contains { $0 > 0 }) && expected.allSatisfy(\.isFinite))
    }

    @Test func `a row's product does not depend on the rows beside it`() throws {
        var numbers = SeededNumbers(3)
        let (rows, outputs, inputs) = (201, 37, 576)
        let pool = try KernelPool(threads: 2)
        let (bytes, _) = BlockType.q4_0.quantized(pool, numbers.floats(outputs * inputs), columns: inputs)
        let folder = try ScratchFolder()
        try folder.write(bytes, as: "rows")
        let file = try MappedFile(path: folder.path + "/rows")
        let layer = try Linear(BlockTensor(name: "w", type: .q4_0, shape: [outputs, inputs], bytes: file.bytes, order: nil, owner: file))
        let x = numbers.floats(rows * inputs)
        let together = layer(pool, Activations(rows: rows, columns: inputs, values: x)).array
        for row in stride(from: 0, to: rows, by: 7) {
            let alone = layer(pool, Activations(rows: 1, columns: inputs, values: Array(x[row * inputs..<(row + 1) * inputs])))
            #expect(sameBits(alone.array, Array(together[row * outputs..<(row + 1) * outputs])))
        }
    }

    /// Scales that are small and finite: random bytes hold NaN and huge halves.
    private static func tame(_ bytes: inout [UInt8], _ type: BlockType) {
        let places: [Int] =
            switch type {
            case .f32, .bf16: [type.blockBytes - 2]
            case .f16, .q4_0, .q5_0, .q8_0: [0]
            case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
            case .q6_K: [208]
            }
        for block in stride(from: 0, to: bytes.count, by: type.blockBytes) {
            for place in places {
                // Exponents around 2^-6 (half) or 2^-2 (single, bfloat16), any sign and mantissa.
                let wide = type == .f32 || type == .bf16
                let high = wide ? 0x3E : 0x24 | bytes[block + place + 1] & 3
                bytes[block + place + 1] = high | bytes[block + place + 1] & 0x80
            }
        }
    }
}
