internal import CKernels

/// How a row of weights is stored in a GGUF file: as plain numbers, or in blocks of 32 or 256 with their scales (ck_blocks.h).
///
/// The raw value is GGUF's number of the type.
package enum BlockType: UInt32, Sendable, CaseIterable, CustomStringConvertible {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q4_K = 12
    case q5_K = 13
    case q6_K = 14
    case bf16 = 30

    var native: ck_block_type { ck_block_type(rawValue) }

    /// Numbers in one block; a row is a whole number of blocks.
    package var blockElements: Int { ck_block_elements(native) }
    package var blockBytes: Int { ck_block_bytes(native) }
    /// Whether `quantize` writes it.
    package var canQuantize: Bool { ck_block_can_quantize(native) }

    /// Bytes of a row; nil where `columns` are not whole blocks, or too many.
    package func rowBytes(columns: Int) -> Int? {
        guard columns >= 0, columns % blockElements == 0 else { return nil }
        let (bytes, overflow) = (columns / blockElements).multipliedReportingOverflow(by: blockBytes)
        return overflow ? nil : bytes
    }

    /// Whether a block is whole numbers with scales, which can be multiplied as they are.
    var isWholeNumbers: Bool { elementType == nil }

    /// The same type where it is one of plain numbers.
    package var elementType: TensorType? {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        default: nil
        }
    }

    /// As GGUF names it: "Q4_K".
    package var description: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        case .bf16: "BF16"
        }
    }

    /// Rows of blocks as floats, on the pool's threads. Exact but for one rounding that is the same everywhere.
    /// - Precondition: `source` holds `rows` rows, `target` has room for `rows * columns` floats.
    package func dequantize(
        _ pool: KernelPool, _ source: UnsafeRawBufferPointer, rows: Int, columns: Int, into target: UnsafeMutablePointer<Float>
    ) {
        precondition(rowBytes(columns: columns).map { $0 * rows == source.count } == true, "rows of whole blocks")
        guard let base = source.baseAddress, rows > 0, columns > 0 else { return }
        ck_dequantize_rows(pool.handle, native, target, base, rows, columns)
    }

    /// Rows of floats as blocks, on the pool's threads; the same bytes on every processor.
    /// - Returns: the first row that holds a number which is not finite or too large for the type; nil where all fit. `target` is
    ///   unspecified after a row was refused.
    /// - Precondition: `canQuantize`; `target` has room for `rows` rows.
    package func quantize(
        _ pool: KernelPool, _ source: UnsafePointer<Float>, rows: Int, columns: Int, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        precondition(canQuantize, "\(self) is read, not written")
        precondition(rowBytes(columns: columns).map { $0 * rows <= target.count } == true, "rows of whole blocks")
        guard let base = target.baseAddress, rows > 0, columns > 0 else { return nil }
        let fitting = ck_quantize_rows(pool.handle, native, base, source, rows, columns)
        return fitting == rows ? nil : fitting
    }
}
