import CKernels
import Foundation
import RaDialogPipeline
import Testing

/// Matrix products and convolutions against sums in double precision, and against themselves: bits never depend on the instruction set, the
/// threads, or what is computed beside them.
struct KernelProductTests {
    struct Product: Sendable {
        let rows, outputs, inputs: Int
    }

    static let products = [
        Product(rows: 1, outputs: 1, inputs: 1), Product(rows: 1, outputs: 33, inputs: 7), Product(rows: 5, outputs: 31, inputs: 17),
        Product(rows: 7, outputs: 64, inputs: 16), Product(rows: 11, outputs: 40, inputs: 65), Product(rows: 12, outputs: 32, inputs: 1),
        Product(rows: 13, outputs: 47, inputs: 33), Product(rows: 97, outputs: 130, inputs: 48), Product(rows: 200, outputs: 16, inputs: 100),
        // Chains in several pieces (CK_TILE_DEPTH), the last one whole, short and of one term.
        Product(rows: 13, outputs: 33, inputs: 512), Product(rows: 30, outputs: 70, inputs: 600), Product(rows: 100, outputs: 5, inputs: 257),
    ]

    @Test(arguments: products)
    func `a product is right, and the same to the bit on every instruction set and thread count`(_ size: Product) throws {
        var numbers = SeededNumbers(UInt64(size.rows * 1000 + size.inputs))
        let (x, weights) = (numbers.floats(size.rows * size.inputs), numbers.floats(size.outputs * size.inputs))
        let (bias, residual) = (numbers.floats(size.outputs), numbers.floats(size.rows * size.outputs))
        let layer = try makeLinear(size, weights, bias: bias)

        var expected: [Float] = []
        for row in 0..<size.rows {
            for output in 0..<size.outputs {
                var sum = Double(bias[output])
                for k in 0..<size.inputs { sum += Double(x[row * size.inputs + k]) * Double(weights[output * size.inputs + k]) }
                expected.append(Float(max(0, sum + Double(residual[row * size.outputs + output]))))
            }
        }
        var first: [Float]?
        for threads in 1...3 {
            for pool in try KernelPool.everyInstructionSet(threads: threads) {
                var y = residual
                y.withUnsafeMutableBufferPointer { y in
                    guard let base = y.baseAddress else { return }
                    layer.apply(pool, into: base, from: x, rows: size.rows, residual: base, activation: .relu)
                }
                #expect(relativeError(y + [1], expected + [1]) < 1e-5)
                #expect(sameBits(y, first ?? y), "\(pool.arithmeticName), \(threads) threads")
                first = first ?? y
            }
        }
    }

    @Test func `a row's product does not depend on the rows beside it`() throws {
        let size = Product(rows: 101, outputs: 70, inputs: 300)
        var numbers = SeededNumbers(5)
        let x = numbers.floats(size.rows * size.inputs)
        let layer = try makeLinear(size, numbers.floats(size.outputs * size.inputs), bias: nil)
        let pool = try KernelPool(threads: 2)
        let together = layer(pool, Activations(rows: size.rows, columns: size.inputs, values: x)).array
        for row in 0..<size.rows {
            let alone = layer(pool, Activations(rows: 1, columns: size.inputs, values: Array(x[row * size.inputs..<(row + 1) * size.inputs])))
            #expect(sameBits(alone.array, Array(together[row * size.outputs..<(row + 1) * size.outputs])))
        }
    }

    @Test func `products stay the same to the bit while other threads load the processor and the same pool`() throws {
        let size = Product(rows: 60, outputs: 192, inputs: 500)
        var numbers = SeededNumbers(6)
        let x = Activations(rows: size.rows, columns: size.inputs, values: numbers.floats(size.rows * size.inputs))
        let layer = try makeLinear(size, numbers.floats(size.outputs * size.inputs), bias: nil)
        let pool = try KernelPool(threads: 2)
        let quiet = layer(try KernelPool(threads: 1), x).array
        let values = x.array
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            let own = Activations(rows: size.rows, columns: size.inputs, values: values)
            for _ in 0..<20 { #expect(sameBits(layer(pool, own).array, quiet)) }
        }
    }

    @Test func `a ReLU keeps a number that is not a number`() throws {
        let size = Product(rows: 1, outputs: 1, inputs: 1)
        let layer = try makeLinear(size, [.nan], bias: nil)
        for pool in try KernelPool.everyInstructionSet(threads: 1) {
            #expect(layer(pool, Activations(rows: 1, columns: 1, values: [1]), activation: .relu).array[0].isNaN)
        }
    }

    @Test func `a product of nothing is the bias`() throws {
        let bias: [Float] = [1, -2, 3]
        for set in [CK_SCALAR, CK_AVX2, CK_AVX512] {
            let pool = try #require(ck_pool_create(1, set))
            defer { ck_pool_free(pool) }
            var y = [Float](repeating: .nan, count: 20 * bias.count)
            bias.withUnsafeBufferPointer { ck_linear(pool, &y, bias.count, [0], 20, [0], bias.count, 0, ck_epilogue(bias: $0.baseAddress, residual: nil, relu: false)) }
            #expect(y == Array(repeating: bias, count: 20).flatMap { $0 })
        }
    }

    @Test func `a packed matrix can be read back, and an impossible one has no size`() throws {
        var numbers = SeededNumbers(7)
        let weights = numbers.floats(35 * 9)
        let layer = try makeLinear(Product(rows: 1, outputs: 35, inputs: 9), weights, bias: nil)
        let row = Activations(rows: 1, columns: 9)
        for index in 0..<35 {
            layer.unpackRow(index, into: row.pointer)
            #expect(row.array == Array(weights[index * 9..<(index + 1) * 9]))
        }
        #expect(ck_packed_count(Int.max, Int.max) == 0)
        #expect(ck_packed_count(Int.max, 1) == 0)
        #expect(ck_packed_count(33, 2) == 128)
    }

    struct Shape: Sendable {
        let height, width, channels, filters, kernel, stride, padding: Int
    }

    static let shapes = [
        Shape(height: 1, width: 1, channels: 1, filters: 1, kernel: 1, stride: 1, padding: 0),
        Shape(height: 5, width: 7, channels: 3, filters: 33, kernel: 1, stride: 1, padding: 0),
        Shape(height: 9, width: 8, channels: 17, filters: 5, kernel: 1, stride: 2, padding: 0),
        Shape(height: 1, width: 3, channels: 4, filters: 6, kernel: 3, stride: 1, padding: 1),
        Shape(height: 13, width: 14, channels: 16, filters: 34, kernel: 3, stride: 1, padding: 1),
        Shape(height: 13, width: 14, channels: 16, filters: 34, kernel: 3, stride: 2, padding: 1),
        Shape(height: 20, width: 21, channels: 3, filters: 18, kernel: 7, stride: 2, padding: 3),
        Shape(height: 26, width: 27, channels: 1, filters: 18, kernel: 7, stride: 2, padding: 0),
        // Pieces of two taps, and of parts of a tap; without padding, where a row of the kernel is one run.
        Shape(height: 6, width: 7, channels: 100, filters: 34, kernel: 3, stride: 1, padding: 1),
        Shape(height: 5, width: 5, channels: 300, filters: 33, kernel: 3, stride: 1, padding: 1),
        Shape(height: 7, width: 7, channels: 100, filters: 33, kernel: 3, stride: 1, padding: 0),
    ]

    @Test(arguments: shapes)
    func `a convolution is right, and the same to the bit on every instruction set and thread count`(_ s: Shape) throws {
        var numbers = SeededNumbers(UInt64(s.height * 100 + s.kernel))
        let area = s.kernel * s.kernel * s.channels
        let (x, weights) = (numbers.floats(s.height * s.width * s.channels), numbers.floats(s.filters * area))
        let height = ck_convolved(s.height, s.kernel, s.stride, s.padding), width = ck_convolved(s.width, s.kernel, s.stride, s.padding)
        var expected: [Float] = []
        for row in 0..<height {
            for column in 0..<width {
                for filter in 0..<s.filters {
                    var sum = 0.0
                    for i in 0..<s.kernel {
                        for j in 0..<s.kernel {
                            let (y, z) = (row * s.stride + i - s.padding, column * s.stride + j - s.padding)
                            guard (0..<s.height).contains(y), (0..<s.width).contains(z) else { continue }
                            for c in 0..<s.channels {
                                sum += Double(x[(y * s.width + z) * s.channels + c]) * Double(weights[filter * area + (i * s.kernel + j) * s.channels + c])
                            }
                        }
                    }
                    expected.append(Float(sum))
                }
            }
        }
        var packed = [Float](repeating: 0, count: ck_packed_count(s.filters, area))
        ck_pack_rows(&packed, weights, 0, s.filters, s.filters, area)
        let shape = ck_convolution(
            height: s.height, width: s.width, channels: s.channels, filters: s.filters, kernel: s.kernel, stride: s.stride, padding: s.padding)
        var first: [Float]?
        for threads in 1...2 {
            for set in [CK_SCALAR, CK_AVX2, CK_AVX512] {
                let pool = try #require(ck_pool_create(Int32(threads), set))
                defer { ck_pool_free(pool) }
                var y = [Float](repeating: .nan, count: expected.count)
                ck_convolve(pool, &y, x, shape, packed, ck_epilogue(bias: nil, residual: nil, relu: false))
                #expect(relativeError(y, expected) < 1e-5)
                #expect(sameBits(y, first ?? y))
                first = first ?? y
            }
        }
    }

    func makeLinear(_ size: Product, _ weights: [Float], bias: [Float]?) throws -> Linear {
        try Linear(
            outputs: size.outputs, inputs: size.inputs, bias: try bias.map { try FloatTensor(shape: [size.outputs], values: $0) }
        ) { output, row in
            for k in 0..<size.inputs { row[k] = weights[output * size.inputs + k] }
        }
    }
}
