internal import CKernels

/// One tensor of a GGUF file where it lies, whatever its type: nothing is copied or converted.
package struct BlockTensor: @unchecked Sendable {  // immutable mapped memory, kept alive by `owner`
    package let name: String
    package let type: BlockType
    /// Row-major: GGUF's dimensions reversed. Empty for a scalar.
    package let shape: [Int]
    /// Rows of whole blocks. Alignment is whatever the file gives.
    package let bytes: UnsafeRawBufferPointer
    /// Row i of the tensor is row `order[i]` of `bytes`; nil where they lie in order.
    package let order: [UInt32]?
    /// Keeps `bytes` valid.
    package let owner: MappedFile

    /// - Precondition: `bytes` are exactly `shape`'s rows; `order`, where given, has one entry below `rows` for each.
    package init(name: String, type: BlockType, shape: [Int], bytes: UnsafeRawBufferPointer, order: [UInt32]?, owner: MappedFile) {
        self.name = name
        self.type = type
        self.shape = shape
        self.bytes = bytes
        self.order = order
        self.owner = owner
        precondition(type.rowBytes(columns: columns).map { $0 * rows } == bytes.count, "bytes of the tensor's rows")
        precondition(order.map { $0.count == rows && $0.allSatisfy { $0 < rows } } ?? true, "an order of the tensor's rows")
    }

    /// Numbers of a row: the last side.
    package var columns: Int { shape.last ?? 1 }
    /// All sides but the last.
    package var rows: Int { shape.dropLast().reduce(1, *) }
    package var rowBytes: Int { rows == 0 ? 0 : bytes.count / rows }

    /// The same rows under another name and in another order.
    func reordered(_ order: [UInt32]?, name: String) -> BlockTensor {
        BlockTensor(name: name, type: type, shape: shape, bytes: bytes, order: order, owner: owner)
    }

    /// The stored bytes of row `index`, in the tensor's order.
    package func row(_ index: Int) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < rows, "a row of the tensor")
        let stored = order.map { Int($0[index]) } ?? index
        return UnsafeRawBufferPointer(rebasing: bytes[stored * rowBytes..<(stored + 1) * rowBytes])
    }

    /// Writes row `index` as `columns` floats.
    package func dequantizeRow(_ index: Int, into target: UnsafeMutablePointer<Float>) {
        guard let base = row(index).baseAddress, columns > 0 else { return }
        ck_dequantize_row(type.native, target, base, columns)
    }

    /// The whole tensor as floats: in place where it is stored so, else a copy.
    package func floats() throws(WeightsError) -> FloatTensor {
        if order == nil, let plain = type.elementType {
            return try FloatTensor(TensorView(name: name, type: plain, shape: shape, bytes: bytes, owner: owner))
        }
        return try FloatTensor(self)
    }

    /// For the kernels; valid during the call.
    func withMatrix(_ body: (ck_block_matrix) -> Void) {
        guard let data = bytes.baseAddress else { return }
        func call(_ order: UnsafePointer<UInt32>?) {
            body(ck_block_matrix(type: type.native, data: data, rows: rows, columns: columns, order: order))
        }
        if let order {
            order.withUnsafeBufferPointer { call($0.baseAddress) }
        } else {
            call(nil)
        }
    }
}
