import CKernels
import Foundation
import RaDialogPipeline
import Testing

/// Attention without order against double precision, across instruction sets, and beside the causal kernel.
struct KernelFullAttentionTests {
    struct Shape: Sendable {
        var queries: Int, keys: Int, heads: Int, size: Int
    }

    static let shapes = [
        Shape(queries: 1, keys: 1, heads: 1, size: 1), Shape(queries: 5, keys: 9, heads: 3, size: 8), Shape(queries: 9, keys: 2, heads: 2, size: 17),
        Shape(queries: 32, keys: 196, heads: 2, size: 64), Shape(queries: 3, keys: 40, heads: 1, size: 130),
    ]

    private func attend(
        _ s: Shape, threads: Int32, _ set: ck_instruction_set, _ queries: [Float], _ keys: [Float], _ values: [Float]
    ) throws -> [Float] {
        let pool = try #require(ck_pool_create(threads, set))
        defer { ck_pool_free(pool) }
        var out = [Float](repeating: .nan, count: queries.count)
        var scores = [Float](repeating: .nan, count: ck_pool_threads(pool) * s.keys)
        let shape = ck_full_attention_shape(queries: s.queries, keys: s.keys, heads: s.heads, head_size: s.size)
        ck_full_attention(pool, &out, queries, keys, values, shape, &scores)
        return out
    }

    @Test(arguments: shapes)
    func `every query weighs every key, with the same bits for any threads and instructions`(_ s: Shape) throws {
        var numbers = SeededNumbers(UInt64(s.keys * 100 + s.size))
        let width = s.heads * s.size
        let (queries, keys, values) = (numbers.floats(s.queries * width, in: -3...3), numbers.floats(s.keys * width), numbers.floats(s.keys * width))
        let found = try attend(s, threads: 1, CK_SCALAR, queries, keys, values)
        for threads: Int32 in 1...3 {
            for set in [CK_SCALAR, CK_AVX2, CK_AVX512] {
                #expect(sameBits(try attend(s, threads: threads, set, queries, keys, values), found))
            }
        }
        var expected: [Float] = []
        for row in 0..<s.queries {
            for head in stride(from: 0, to: width, by: s.size) {
                let powers = (0..<s.keys).map { key in
                    var sum = 0.0
                    for i in head..<head + s.size { sum += Double(queries[row * width + i]) * Double(keys[key * width + i]) }
                    return exp(sum / Double(s.size).squareRoot())
                }
                let total = powers.reduce(0, +)
                for column in head..<head + s.size {
                    expected.append(Float(powers.indices.reduce(0.0) { $0 + powers[$1] * Double(values[$1 * width + column]) } / total))
                }
            }
        }
        #expect(relativeError(found, expected) < 1e-5)
    }

    @Test func `a row that sees a whole cache has the bits of causal attention`() throws {
        let s = Shape(queries: 1, keys: 23, heads: 2, size: 24)
        var numbers = SeededNumbers(6)
        let (query, keys, values) = (numbers.floats(48), numbers.floats(23 * 48), numbers.floats(23 * 48))
        let pool = try #require(ck_pool_create(1, ck_best_instruction_set()))
        defer { ck_pool_free(pool) }
        var (causal, scores) = ([Float](repeating: 0, count: 48), [Float](repeating: 0, count: 23))
        let shape = ck_attention_shape(rows: 1, first: 22, heads: 2, key_value_heads: 2, head_size: 24)
        ck_attention(pool, &causal, query, keys, values, shape, &scores)
        #expect(sameBits(try attend(s, threads: 1, CK_SCALAR, query, keys, values), causal))
    }
}
