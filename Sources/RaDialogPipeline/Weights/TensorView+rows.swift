internal import CKernels

/// Parts of a tensor, for readers that never hold a whole one.
extension TensorView {
    /// Length of the first axis; 1 for a scalar.
    package var rows: Int { shape.first ?? 1 }
    /// Elements behind one index of the first axis; 0 where the tensor has none.
    package var columns: Int { rows == 0 ? 0 : count / rows }

    /// The bytes of some rows. - Precondition: `rows` lies within the first axis.
    package func bytes(ofRows rows: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows of the tensor")
        let stride = columns * type.bytesPerElement
        return UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * stride..<rows.upperBound * stride])
    }

    /// Writes rows as floats, row-major; F16 and BF16 are widened exactly.
    /// - Parameter target: room for `rows.count * columns` floats, which are all written.
    /// - Throws: `WeightsError.wrongType` for integers and F64.
    package func widen(rows: Range<Int>, into target: UnsafeMutablePointer<Float>) throws(WeightsError) {
        let part = bytes(ofRows: rows)
        guard let source = part.baseAddress, part.count > 0 else { return }
        switch type {
        case .f32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: part.count)
        case .f16: ck_widen_f16(target, source, part.count / 2)
        case .bf16: ck_widen_bf16(target, source, part.count / 2)
        default: throw .wrongType(path: owner.path, name: name, found: type.rawValue)
        }
    }
}
