internal import CKernels

/// A matrix in the order that the fastest kernels read it (ck_panels.h): mapped from a bundle's file, or packed when it was loaded.
package struct PanelMatrix: @unchecked Sendable {  // immutable memory, kept alive by `owner`
    /// What the numbers were before they were packed.
    package let type: BlockType
    package let rows: Int
    package let columns: Int
    private let bytes: UnsafeRawBufferPointer
    private let owner: AnyObject

    /// Bytes of a packed matrix; nil where `type` cannot be packed or the columns are not whole steps.
    package static func byteCount(_ type: BlockType, rows: Int, columns: Int) -> Int? {
        guard rows > 0, columns > 0 else { return nil }
        let count = ck_panels_bytes(type.native, rows, columns)
        return count > 0 ? Int(exactly: count) : nil
    }

    /// Panels where they lie in a file.
    /// - Throws: `WeightsError.malformed` where the bytes are not those of such a matrix, or not aligned to 64.
    package init(mapped view: TensorView, _ type: BlockType, rows: Int, columns: Int) throws(WeightsError) {
        guard Self.byteCount(type, rows: rows, columns: columns) == view.bytes.count else {
            throw .malformed(
                path: view.owner.path, reason: "tensor \"\(view.name)\" has \(view.bytes.count) bytes, which are not \(rows) x \(columns) numbers of \(type) in panels")
        }
        guard let base = view.bytes.baseAddress, UInt(bitPattern: base) % UInt(Self.alignment) == 0 else {
            throw .malformed(path: view.owner.path, reason: "tensor \"\(view.name)\" does not lie at a multiple of \(Self.alignment) bytes")
        }
        self.type = type
        self.rows = rows
        self.columns = columns
        bytes = view.bytes
        owner = view.owner
        try checkExponents(view)
    }

    /// A panel begins with sixteen exponents, which the kernels take as whole numbers (panels_layout.h).
    private func checkExponents(_ view: TensorView) throws(WeightsError) {
        let panels = (rows + Self.panelRows - 1) / Self.panelRows
        let stride = bytes.count / panels
        for panel in 0..<panels {
            for row in 0..<Self.panelRows {
                let exponent = Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: panel * stride + 4 * row, as: UInt32.self)))
                guard exponent == exponent.rounded(), abs(exponent) <= Self.largestExponent else {
                    throw .malformed(path: view.owner.path, reason: "panel \(panel) of \"\(view.name)\" has the exponent \(exponent)")
                }
            }
        }
    }

    /// Beyond what a 32-bit float can be.
    private static let largestExponent: Float = 512

    /// Packs rows of blocks. A matrix may come in slices: all but the last hold a multiple of `panelRows` rows.
    ///
    /// - Parameter target: `byteCount` bytes, aligned to 64.
    /// - Returns: the first row with a number that is not finite; nil where all are.
    package static func pack(
        _ pool: KernelPool, _ type: BlockType, _ blocks: UnsafeRawBufferPointer, rows: Int, columns: Int, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        precondition(byteCount(type, rows: rows, columns: columns) == target.count, "panels have the size that was asked for")
        precondition(type.rowBytes(columns: columns).map { $0 * rows } == blocks.count, "rows of whole blocks")
        guard let source = blocks.baseAddress, let base = target.baseAddress else { return nil }
        let packed = ck_pack_panels(pool.handle, base, ck_block_matrix(type: type.native, data: source, rows: rows, columns: columns, order: nil))
        return packed == rows ? nil : packed
    }

    /// Rows of one panel.
    package static let panelRows = CK_PANEL_OUTPUTS

    /// One row as floats: a token's embedding.
    package func dequantizeRow(_ index: Int, into row: UnsafeMutablePointer<Float>) {
        precondition(index >= 0 && index < rows, "a row of the matrix")
        withMatrix { ck_unpack_panel_row(row, $0, index) }
    }

    /// For the kernels; valid during the call.
    func withMatrix(_ body: (ck_panel_matrix) -> Void) {
        withExtendedLifetime(owner) { body(native) }
    }

    /// The same; valid while `self` lives.
    var native: ck_panel_matrix {
        guard let data = bytes.baseAddress else { preconditionFailure("a matrix has rows and columns") }
        return ck_panel_matrix(type: type.native, data: data, rows: rows, columns: columns)
    }

    package static let alignment = 64
}
