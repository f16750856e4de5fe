import CKernels
import Foundation
import RaDialogPipeline
import Testing

/// What stands between the products, against double precision and across instruction sets.
struct KernelVectorTests {
    private static let widths = [1, 2, 15, 16, 17, 64, 67, 300]

    /// Runs `body` on every instruction set with one and two threads; all results have to be the same to the bit.
    private func onEverySet(_ body: (OpaquePointer) -> [Float]) throws -> [Float] {
        var first: [Float]?
        for threads in 1...2 {
            for set in [CK_SCALAR, CK_AVX2, CK_AVX512] {
                let pool = try #require(ck_pool_create(Int32(threads), set))
                defer { ck_pool_free(pool) }
                let result = body(pool)
                #expect(sameBits(result, first ?? result), "\(String(cString: ck_arithmetic_name(pool)))")
                first = first ?? result
            }
        }
        return try #require(first)
    }

    @Test func `no number of threads stands for one on each processor`() throws {
        #expect(try KernelPool(threads: 0).threads == ProcessInfo.processInfo.activeProcessorCount)
        #expect(try KernelPool(threads: 3).threads == 3)
    }

    @Test(arguments: widths)
    func `norms divide by the right spread`(_ columns: Int) throws {
        var numbers = SeededNumbers(UInt64(columns))
        let (x, weight, bias) = (numbers.floats(3 * columns), numbers.floats(columns), numbers.floats(columns))
        var root: [Float] = []
        var layer: [Float] = []
        for row in 0..<3 {
            let values = x[row * columns..<(row + 1) * columns].map(Double.init)
            let square = values.reduce(0) { $0 + $1 * $1 } / Double(columns)
            let mean = values.reduce(0, +) / Double(columns)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            for (index, value) in values.enumerated() {
                root.append(Float(value / (square + 1e-5).squareRoot() * Double(weight[index])))
                layer.append(Float((value - mean) / (variance + 1e-5).squareRoot() * Double(weight[index]) + Double(bias[index])))
            }
        }
        let foundRoot = try onEverySet { pool in
            var out = x
            ck_rms_norm(pool, &out, x, 3, columns, weight, 1e-5)
            return out
        }
        #expect(relativeError(foundRoot, root) < 1e-5)
        let foundLayer = try onEverySet { pool in
            var out = x
            ck_layer_norm(pool, &out, x, 3, columns, weight, bias, 1e-5)
            return out
        }
        #expect(relativeError(foundLayer, layer) < 1e-4)
    }

    @Test(arguments: widths)
    func `softmax sums to one and keeps the ratios, for large and small inputs`(_ columns: Int) throws {
        var numbers = SeededNumbers(UInt64(columns + 50))
        let x = numbers.floats(2 * columns, in: -200...90)
        let found = try onEverySet { pool in
            var out = x
            ck_softmax(pool, &out, 2, columns)
            return out
        }
        for row in 0..<2 {
            let range = row * columns..<(row + 1) * columns
            let largest = x[range].max() ?? 0
            let powers = x[range].map { exp(Double($0) - Double(largest)) }
            let sum = powers.reduce(0, +)
            #expect(relativeError(Array(found[range]), powers.map { Float($0 / sum) }) < 1e-6)
        }
    }

    @Test(arguments: widths + [20_000])
    func `SiLU and GELU follow their formulas to the ends of the range`(_ count: Int) throws {
        var numbers = SeededNumbers(UInt64(count + 99))
        var x = numbers.floats(count, in: -20...20)
        x[0] = -1000
        let up = numbers.floats(count)
        let silu = try onEverySet { pool in
            var out = x
            ck_silu_multiply(pool, &out, up, count)
            return out
        }
        let gelu = try onEverySet { pool in
            var out = x
            ck_gelu(pool, &out, count)
            return out
        }
        for index in 0..<count {
            let value = Double(x[index])
            #expect(abs(Double(silu[index]) - value / (1 + exp(-value)) * Double(up[index])) < 1e-5)
            #expect(abs(Double(gelu[index]) - value * 0.5 * (1 + erf(value / 2.0.squareRoot()))) < 1e-5)
        }
    }

    @Test func `rotation turns the pair (i, i + half) by the angle of the row's position`() throws {
        let (rows, heads, size, first) = (3, 2, 6, 4)
        var numbers = SeededNumbers(11)
        let x = numbers.floats(rows * heads * size)
        let angles = numbers.floats((first + rows) * size / 2, in: 0...6)
        let found = try onEverySet { pool in
            var out = x
            ck_rotate(pool, &out, rows, heads, size, first, angles.map(cos), angles.map(sin))
            return out
        }
        var expected = x
        for row in 0..<rows {
            for head in 0..<heads {
                for i in 0..<size / 2 {
                    let at = (row * heads + head) * size + i
                    let angle = Double(angles[(first + row) * size / 2 + i])
                    let (a, b) = (Double(x[at]), Double(x[at + size / 2]))
                    expected[at] = Float(a * cos(angle) - b * sin(angle))
                    expected[at + size / 2] = Float(b * cos(angle) + a * sin(angle))
                }
            }
        }
        #expect(relativeError(found, expected) < 1e-5)
    }

    struct Attention: Sendable {
        let rows, first, heads, groups, size: Int
    }

    static let attentions = [
        Attention(rows: 1, first: 0, heads: 1, groups: 1, size: 2), Attention(rows: 4, first: 0, heads: 6, groups: 2, size: 10),
        Attention(rows: 1, first: 37, heads: 4, groups: 1, size: 64), Attention(rows: 20, first: 9, heads: 3, groups: 3, size: 72),
        Attention(rows: 5, first: 3, heads: 2, groups: 1, size: 130),
    ]

    @Test(arguments: attentions)
    func `attention sees the past and no more, for grouped heads, and in one batch as row by row`(_ s: Attention) throws {
        let positions = s.first + s.rows
        var numbers = SeededNumbers(UInt64(positions * s.size))
        let queries = numbers.floats(s.rows * s.heads * s.size)
        // What lies behind the last position must not matter: it is not a number.
        let keys = numbers.floats(positions * s.groups * s.size) + [Float](repeating: .nan, count: 50)
        let values = numbers.floats(positions * s.groups * s.size) + [Float](repeating: .nan, count: 50)
        func shape(rows: Int, first: Int) -> ck_attention_shape {
            ck_attention_shape(rows: rows, first: first, heads: s.heads, key_value_heads: s.groups, head_size: s.size)
        }
        let found = try onEverySet { pool in
            var (out, scores) = (queries, [Float](repeating: 0, count: 2 * positions))
            ck_attention(pool, &out, queries, keys, values, shape(rows: s.rows, first: s.first), &scores)
            return out
        }
        let rowByRow = try onEverySet { pool in
            var (out, scores) = ([Float](), [Float](repeating: 0, count: 2 * positions))
            for row in 0..<s.rows {
                var one = [Float](repeating: 0, count: s.heads * s.size)
                ck_attention(
                    pool, &one, Array(queries[row * one.count..<(row + 1) * one.count]), keys, values, shape(rows: 1, first: s.first + row), &scores)
                out += one
            }
            return out
        }
        #expect(sameBits(found, rowByRow))

        var expected: [Float] = []
        for row in 0..<s.rows {
            for head in 0..<s.heads {
                let query = (row * s.heads + head) * s.size
                let group = head / (s.heads / s.groups) * s.size
                let powers = (0...(s.first + row)).map { position in
                    let dot = (0..<s.size).reduce(0.0) { $0 + Double(queries[query + $1]) * Double(keys[position * s.groups * s.size + group + $1]) }
                    return exp(dot / Double(s.size).squareRoot())
                }
                let sum = powers.reduce(0, +)
                for i in 0..<s.size {
                    let weighted = powers.enumerated().reduce(0.0) { $0 + $1.element * Double(values[$1.offset * s.groups * s.size + group + i]) }
                    expected.append(Float(weighted / sum))
                }
            }
        }
        #expect(relativeError(found, expected) < 1e-5)
    }

    @Test(arguments: [(1, 1), (2, 5), (7, 6), (9, 9)])
    func `pooling takes the largest of what is inside, and the mean`(_ height: Int, _ width: Int) throws {
        let channels = 5
        var numbers = SeededNumbers(UInt64(height * 10 + width))
        let x = numbers.floats(height * width * channels, in: -2 ... -1)  // zeros of a padding would win
        let (rows, columns) = ((height + 1) / 2, (width + 1) / 2)
        let found = try onEverySet { pool in
            var out = [Float](repeating: 0, count: rows * columns * channels)
            ck_max_pool(pool, &out, x, height, width, channels)
            return out
        }
        for row in 0..<rows {
            for column in 0..<columns {
                for channel in 0..<channels {
                    var largest = -Float.infinity
                    for i in max(0, 2 * row - 1)...min(height - 1, 2 * row + 1) {
                        for j in max(0, 2 * column - 1)...min(width - 1, 2 * column + 1) {
                            largest = max(largest, x[(i * width + j) * channels + channel])
                        }
                    }
                    #expect(found[(row * columns + column) * channels + channel] == largest)
                }
            }
        }
        var mean = [Float](repeating: 0, count: channels)
        if height == width {
            ck_average_pool(&mean, x, height, width, channels, height)
            for channel in 0..<channels {
                let sum = (0..<height * width).reduce(Float(0)) { $0 + x[$1 * channels + channel] }
                #expect(abs(mean[channel] - sum / Float(height * width)) < 1e-6)
            }
        }
    }

    @Test func `the largest logit wins, the lowest index of equals, and never a number that is not a number`() {
        #expect(ck_argmax([3, 5, 5, 1], 4) == 1)
        #expect(ck_argmax([0, .nan, 1], 3) == 2)
        #expect(ck_argmax([-.infinity, -.infinity], 2) == 0)
        #expect(ck_argmax([-0.0, 0.0], 2) == 0)
    }

    @Test func `a pool runs every tile once, takes concurrent callers, and survives jobs without tiles`() throws {
        let pool = try #require(ck_pool_create(3, ck_best_instruction_set()))
        defer { ck_pool_free(pool) }
        #expect(ck_pool_threads(pool) == 3)
        ck_pool_run(pool, 0, { _, _, _ in Issue.record("a job without tiles ran one") }, nil)
        // Raw addresses: the closure is C's, and may run on any thread.
        nonisolated(unsafe) let shared = pool
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for tiles in [1, 2, 3, 100, 1000] {
                let counts = UnsafeMutablePointer<Int32>.allocate(capacity: tiles)
                defer { counts.deallocate() }
                counts.initialize(repeating: 0, count: tiles)
                ck_pool_run(shared, tiles, { context, tile, _ in context?.assumingMemoryBound(to: Int32.self)[tile] += 1 }, counts)
                #expect((0..<tiles).allSatisfy { counts[$0] == 1 })
            }
        }
    }
}
