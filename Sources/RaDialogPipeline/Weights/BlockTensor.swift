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
        return FloatTensor(shape: shape) { storage in
            guard let base = storage.baseAddress else { return }
            for index in 0..<rows { dequantizeRow(index, into: base + index * columns) }
        }
    }
}

/// y = x . W^T + b with W as it lies in its file. The same bits as `Linear` gives for the dequantised weights; a seventh of the memory.
package struct BlockLinear: Sendable {
    package let inputs: Int
    package let outputs: Int
    private let weight: BlockTensor
    private let bias: FloatTensor?

    /// `weight`: [outputs, inputs].
    package init(_ weight: BlockTensor, bias: FloatTensor? = nil) throws {
        guard weight.shape.count == 2, weight.columns > 0, bias == nil || bias?.shape == [weight.rows] else {
            throw PipelineError.inconsistent("a layer of weights \(weight.shape) and bias \(bias?.shape ?? [])")
        }
        self.weight = weight
        self.bias = bias
        inputs = weight.columns
        outputs = weight.rows
    }

    /// As `Linear.apply`.
    package func apply(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, stride: Int? = nil, from x: UnsafePointer<Float>, rows: Int,
        residual: UnsafePointer<Float>? = nil, activation: Linear.Activation = .none
    ) {
        guard let data = weight.bytes.baseAddress else { return }
        let epilogue = ck_epilogue(bias: bias?.pointer, residual: residual, relu: activation == .relu)
        func run(_ order: UnsafePointer<UInt32>?) {
            let matrix = ck_block_matrix(type: weight.type.native, data: data, rows: outputs, columns: inputs, order: order)
            ck_linear_blocks(pool.handle, y, stride ?? outputs, x, rows, matrix, epilogue)
        }
        if let order = weight.order {
            order.withUnsafeBufferPointer { run($0.baseAddress) }
        } else {
            run(nil)
        }
    }

    package func callAsFunction(_ pool: KernelPool, _ x: Activations, activation: Linear.Activation = .none) -> Activations {
        precondition(x.columns == inputs, "a layer of \(inputs) inputs was given \(x.columns)")
        let y = Activations(rows: x.rows, columns: outputs)
        apply(pool, into: y.pointer, from: x.pointer, rows: x.rows, activation: activation)
        return y
    }

    /// Output `index`'s weights as floats: the embedding of a token where the head is tied to it.
    package func unpackRow(_ index: Int, into row: UnsafeMutablePointer<Float>) { weight.dequantizeRow(index, into: row) }
}
