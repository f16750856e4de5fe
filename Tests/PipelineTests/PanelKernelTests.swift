import CKernels
import Foundation
import Testing

/// Products with packed panels: what packing keeps, how far each arithmetic is from sums in double precision, and bits that never depend on the
/// rows beside a row or on the number of threads.
struct PanelKernelTests {
    struct Matrix: Sendable {
        let type: ck_block_type
        let outputs, inputs: Int
        var scale: Float = 0.02
    }

    /// Outputs that end within a panel and within a pair of panels, inputs that end within a unit of 64, weights that would be subnormal halves.
    static let matrices: [Matrix] = [CK_BLOCK_Q4_0, CK_BLOCK_Q8_0, CK_BLOCK_F16, CK_BLOCK_BF16].flatMap { type in
        [
            Matrix(type: type, outputs: 1, inputs: 32), Matrix(type: type, outputs: 37, inputs: 608),
            Matrix(type: type, outputs: 70, inputs: 288, scale: 1e-6), Matrix(type: type, outputs: 64, inputs: 1120, scale: 100),
        ]
    } + [
        Matrix(type: CK_BLOCK_Q4_K, outputs: 1, inputs: 256), Matrix(type: CK_BLOCK_Q4_K, outputs: 37, inputs: 768),
        Matrix(type: CK_BLOCK_Q4_K, outputs: 600, inputs: 512, scale: 1e-3),
    ]

    static let rowCounts = [1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 49, 69, 70]

    @Test(arguments: matrices)
    func `packed rows are the rows of the blocks`(_ size: Matrix) throws {
        let pools = try Pools()
        let panels = try Panels(size, pools.two)
        for row in 0..<size.outputs {
            let found = panels.unpackedRow(row)
            // Zeros compare equal whatever their sign.
            #expect(found == Array(panels.weights[row * size.inputs..<(row + 1) * size.inputs]))
        }
        #expect(try Panels(size, pools.one).bytes == panels.bytes)
    }

    @Test(arguments: matrices)
    func `every arithmetic is as close to double precision as it says`(_ size: Matrix) throws {
        let pools = try Pools()
        let panels = try Panels(size, pools.two)
        let rows = 40
        var numbers = SeededNumbers(UInt64(size.outputs))
        var x = numbers.floats(rows * size.inputs)
        // Rows of very different size, one of them zero.
        for (row, factor) in [(3, Float(1e6)), (7, 1e-20), (20, 0), (33, 1e30)] {
            for column in 0..<size.inputs { x[row * size.inputs + column] *= factor }
        }
        let largestWeight = Double(panels.weights.map(abs).max() ?? 0)
        for arithmetic in pools.arithmetics {
            let y = panels.product(pools.two, arithmetic, x, rows: rows)
            let unit = 3 * ck_panel_unit(arithmetic) + Double(size.inputs + 8) * 0x1p-24
            var worst = 0.0
            for row in 0..<rows {
                let largest = Double(x[row * size.inputs..<(row + 1) * size.inputs].map(abs).max() ?? 0)
                for output in 0..<size.outputs {
                    var (sum, magnitude) = (0.0, 0.0)
                    for k in 0..<size.inputs {
                        let product = Double(x[row * size.inputs + k]) * Double(panels.weights[output * size.inputs + k])
                        sum += product
                        // The parts of a Q4_K weight are larger than the weight: three times its largest bounds them.
                        magnitude += size.type == CK_BLOCK_Q4_K ? abs(Double(x[row * size.inputs + k])) * 3 * largestWeight : abs(product)
                    }
                    let bound = unit * magnitude + Double(size.inputs) * 0x1p-26 * largest * largestWeight
                    let error = abs(Double(y[row * size.outputs + output]) - sum)
                    worst = max(worst, error <= bound ? 0 : error / max(bound, .leastNonzeroMagnitude))
                }
            }
            #expect(worst == 0, "\(pools.name(arithmetic)): \(worst) times the bound")
        }
    }

    @Test(arguments: matrices)
    func `f32 has the bits of the products with blocks on every instruction set`(_ size: Matrix) throws {
        let pools = try Pools()
        let panels = try Panels(size, pools.one)
        var numbers = SeededNumbers(2)
        let rows = 13
        let x = numbers.floats(rows * size.inputs)
        let expected = panels.productOfBlocks(pools.one, x, rows: rows)
        for set in [CK_SCALAR, CK_AVX2, CK_AVX512] {
            let pool = try Pool(threads: 2, set)
            #expect(sameBits(panels.product(pool, CK_PANEL_FP32, x, rows: rows), expected), "set \(set.rawValue)")
        }
    }

    @Test(arguments: matrices)
    func `a row has the same bits alone, in any batch, and on any number of threads`(_ size: Matrix) throws {
        let pools = try Pools()
        let panels = try Panels(size, pools.two)
        var numbers = SeededNumbers(9)
        let rows = 300
        let x = numbers.floats(rows * size.inputs)
        for arithmetic in pools.arithmetics {
            let together = panels.product(pools.two, arithmetic, x, rows: rows)
            for (index, count) in Self.rowCounts.enumerated() {
                let first = Int.random(in: 0...rows - count, using: &numbers)
                let some = panels.product(
                    index % 2 == 0 ? pools.one : pools.two, arithmetic, Array(x[first * size.inputs..<(first + count) * size.inputs]), rows: count)
                let same = sameBits(some, Array(together[first * size.outputs..<(first + count) * size.outputs]))
                #expect(same, "\(pools.name(arithmetic)), \(count) rows from \(first)")
            }
        }
    }

    @Test(arguments: matrices)
    func `infinities and NaN show in their row and nowhere else`(_ size: Matrix) throws {
        let pools = try Pools()
        let panels = try Panels(size, pools.two)
        var numbers = SeededNumbers(4)
        let rows = 20
        let x = numbers.floats(rows * size.inputs)
        for arithmetic in pools.arithmetics {
            let clean = panels.product(pools.two, arithmetic, x, rows: rows)
            for special in [Float.nan, .infinity, -.infinity] {
                var spoiled = x
                spoiled[5 * size.inputs + 3] = special
                let y = panels.product(pools.two, arithmetic, spoiled, rows: rows)
                for row in 0..<rows {
                    let found = Array(y[row * size.outputs..<(row + 1) * size.outputs])
                    if row == 5 {
                        #expect(found.allSatisfy { !$0.isFinite })
                    } else {
                        #expect(sameBits(found, Array(clean[row * size.outputs..<(row + 1) * size.outputs])))
                    }
                }
            }
        }
    }

    @Test func `bias, residual in place and ReLU come after the product`() throws {
        let pools = try Pools()
        let size = Matrix(type: CK_BLOCK_Q4_0, outputs: 37, inputs: 96)
        let panels = try Panels(size, pools.two)
        var numbers = SeededNumbers(8)
        for rows in [1, 19] {
            let (x, bias, residual) = (numbers.floats(rows * 96), numbers.floats(37), numbers.floats(rows * 37))
            for arithmetic in pools.arithmetics {
                let plain = panels.product(pools.one, arithmetic, x, rows: rows)
                let full = panels.product(pools.two, arithmetic, x, rows: rows, bias: bias, residual: residual)
                for i in plain.indices { #expect(abs(full[i] - max(0, plain[i] + bias[i % 37] + residual[i])) < 1e-5) }
            }
        }
    }

    @Test func `what cannot be packed has no size, and what is not finite is named`() throws {
        #expect(ck_panels_bytes(CK_BLOCK_Q4_0, 16, 33) == 0 && ck_panels_bytes(CK_BLOCK_Q4_K, 16, 128) == 0)
        #expect(ck_panels_bytes(CK_BLOCK_Q6_K, 16, 256) == 0 && ck_panels_bytes(CK_BLOCK_F16, 16, 40) == 0)
        #expect(ck_panels_bytes(CK_BLOCK_Q4_0, .max, 64) == 0 && ck_panels_bytes(CK_BLOCK_Q8_0, 16, .max / 64 * 64) == 0)
        #expect(ck_panels_bytes(CK_BLOCK_Q4_0, 17, 64) == 2 * (64 + 576))
        #expect(ck_panels_bytes(CK_BLOCK_Q4_K, 16, 256) == 64 + 2368)
        let pool = try Pool(threads: 2, CK_AVX512)
        var halves = [UInt16](repeating: 0x3C00, count: 40 * 32)
        halves[35 * 32 + 7] = 0x7C00
        halves[21 * 32] = 0x7E00
        let room = Room(ck_panels_bytes(CK_BLOCK_F16, 40, 32))
        let refused = halves.withUnsafeBytes { source in
            source.baseAddress.map { ck_pack_panels(pool.handle, room.pointer, ck_block_matrix(type: CK_BLOCK_F16, data: $0, rows: 40, columns: 32, order: nil)) }
        }
        #expect(refused == 21)
    }
}

/// 64-byte aligned memory that is freed with the value; filled with NaN, so that what was not written shows.
private final class Room {
    let pointer: UnsafeMutableRawPointer

    init(_ bytes: Int) {
        pointer = .allocate(byteCount: max(bytes, 64), alignment: 64)
        memset(pointer, 0xFF, max(bytes, 64))
    }

    deinit { pointer.deallocate() }
}

private final class Pool {
    let handle: OpaquePointer

    init(threads: Int32, _ set: ck_instruction_set) throws { handle = try #require(ck_pool_create(threads, set)) }

    deinit { ck_pool_free(handle) }
}

private struct Pools {
    let one, two: Pool
    /// Of this machine.
    let arithmetics: [ck_panel_arithmetic]

    init() throws {
        let pool = try Pool(threads: 1, CK_AVX512)
        (one, two) = (pool, try Pool(threads: 2, CK_AVX512))
        arithmetics = [CK_PANEL_FP32, CK_PANEL_BF16, CK_PANEL_FP16].filter { ck_has_panel_arithmetic(pool.handle, $0) }
    }

    func name(_ arithmetic: ck_panel_arithmetic) -> String { String(cString: ck_panel_arithmetic_name(one.handle, arithmetic)) }
}

/// Random weights as blocks, as numbers, and packed.
private struct Panels {
    let size: PanelKernelTests.Matrix
    let weights: [Float]
    private let blocks: [UInt8]
    private let packed: Room

    init(_ size: PanelKernelTests.Matrix, _ pool: Pool) throws {
        self.size = size
        let (outputs, inputs) = (size.outputs, size.inputs)
        var numbers = SeededNumbers(UInt64(outputs * 7 + inputs))
        let source = numbers.floats(outputs * inputs, in: -size.scale...size.scale)
        var blocks = [UInt8](repeating: 0, count: outputs * ck_block_row_bytes(size.type, inputs))
        var weights = [Float](repeating: 0, count: outputs * inputs)
        try #require(ck_quantize_rows(pool.handle, size.type, &blocks, source, outputs, inputs) == outputs)
        ck_dequantize_rows(pool.handle, size.type, &weights, blocks, outputs, inputs)
        let room = Room(ck_panels_bytes(size.type, outputs, inputs))
        let done = blocks.withUnsafeBytes { bytes in
            bytes.baseAddress.map {
                ck_pack_panels(pool.handle, room.pointer, ck_block_matrix(type: size.type, data: $0, rows: outputs, columns: inputs, order: nil))
            }
        }
        try #require(done == outputs)
        (self.blocks, self.weights, packed) = (blocks, weights, room)
    }

    private var matrix: ck_panel_matrix { ck_panel_matrix(type: size.type, data: packed.pointer, rows: size.outputs, columns: size.inputs) }

    var bytes: [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: packed.pointer, count: ck_panels_bytes(size.type, size.outputs, size.inputs)))
    }

    func unpackedRow(_ row: Int) -> [Float] {
        var target = [Float](repeating: .nan, count: size.inputs)
        ck_unpack_panel_row(&target, matrix, row)
        return target
    }

    func product(
        _ pool: Pool, _ arithmetic: ck_panel_arithmetic, _ x: [Float], rows: Int, bias: [Float]? = nil, residual: [Float]? = nil
    ) -> [Float] {
        var y = residual ?? [Float](repeating: .nan, count: rows * size.outputs)
        let scratch = Room(ck_panels_scratch_bytes(pool.handle, rows, size.inputs))
        y.withUnsafeMutableBufferPointer { y in
            guard let base = y.baseAddress else { return }
            func run(_ bias: UnsafePointer<Float>?) {
                let epilogue = ck_epilogue(bias: bias, residual: residual == nil ? nil : UnsafePointer(base), relu: residual != nil)
                ck_linear_panels(pool.handle, arithmetic, base, size.outputs, x, rows, matrix, epilogue, scratch.pointer)
            }
            if let bias { bias.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
        }
        return y
    }

    func productOfBlocks(_ pool: Pool, _ x: [Float], rows: Int) -> [Float] {
        var y = [Float](repeating: .nan, count: rows * size.outputs)
        blocks.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let source = ck_block_matrix(type: size.type, data: base, rows: size.outputs, columns: size.inputs, order: nil)
            ck_linear_blocks(pool.handle, &y, size.outputs, x, rows, source, ck_epilogue(bias: nil, residual: nil, relu: false))
        }
        return y
    }
}
