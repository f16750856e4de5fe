internal import CKernels

/// y = x . W^T + b. The weights are packed as 32-bit floats for the kernels, stay in the blocks of a mapped file (the same numbers give the
/// same bits both ways), or lie in panels, whose products are computed in the pool's panel arithmetic.
package struct Linear: Sendable {
    package let inputs: Int
    package let outputs: Int
    private let weights: Weights
    private let bias: FloatTensor?

    private enum Weights: Sendable {
        case packed(FloatTensor)
        case blocks(BlockTensor)
        case panels(PanelMatrix)
    }

    package var isInPanels: Bool {
        if case .panels = weights { true } else { false }
    }

    /// Packs row after row: `row` fills `inputs` weights of the given output.
    package init(outputs: Int, inputs: Int, bias: FloatTensor?, row: (Int, UnsafeMutablePointer<Float>) throws -> Void) throws {
        let count = ck_packed_count(outputs, inputs)
        guard count > 0 else { throw PipelineError.inconsistent("a layer of \(outputs) x \(inputs) weights cannot be held") }
        let scratch = Activations(rows: 1, columns: inputs)
        weights = .packed(
            try FloatTensor(shape: [count]) { storage in
                guard let base = storage.baseAddress else { return }
                for output in 0..<outputs {
                    try row(output, scratch.pointer)
                    ck_pack_rows(base, scratch.pointer, output, 1, outputs, inputs)
                }
            })
        self.inputs = inputs
        self.outputs = outputs
        self.bias = bias
    }

    /// `blocks`: [outputs, inputs].
    package init(_ blocks: BlockTensor, bias: FloatTensor? = nil) throws {
        guard blocks.shape.count == 2, blocks.columns > 0, bias == nil || bias?.shape == [blocks.rows] else {
            throw PipelineError.inconsistent("a layer of weights \(blocks.shape) and bias \(bias?.shape ?? [])")
        }
        weights = .blocks(blocks)
        inputs = blocks.columns
        outputs = blocks.rows
        self.bias = bias
    }

    package init(_ panels: PanelMatrix, bias: FloatTensor? = nil) {
        precondition(bias == nil || bias?.shape == [panels.rows], "a bias has one number an output")
        weights = .panels(panels)
        inputs = panels.columns
        outputs = panels.rows
        self.bias = bias
    }

    /// `name.weight` [outputs, inputs], and `name.bias` [outputs] where `hasBias`.
    package init(_ source: any TensorSource, _ name: String, outputs: Int, inputs: Int, hasBias: Bool = false) throws {
        let bias = hasBias ? try source.floats(name + ".bias", shape: [outputs]) : nil
        if let panels = try source.panels(name + ".weight", rows: outputs, columns: inputs) {
            self.init(panels, bias: bias)
            return
        }
        if let blocks = source.block(name + ".weight") {
            guard blocks.shape == [outputs, inputs] else {
                throw WeightsError.wrongShape(path: source.path, name: name + ".weight", found: blocks.shape, expected: [outputs, inputs])
            }
            try self.init(blocks, bias: bias)
            return
        }
        let weight = try source.floats(name + ".weight", shape: [outputs, inputs])
        try self.init(outputs: outputs, inputs: inputs, bias: bias) { output, row in
            row.update(from: weight.pointer + output * inputs, count: inputs)
        }
    }

    /// Writes `rows` rows of `outputs` floats, `stride` apart (`outputs` where nil). `y` must not overlap `x`; `residual` is added at the
    /// end and may be `y` itself. The last `written` rows are computed in the pool's arithmetic of writing.
    package func apply(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, stride: Int? = nil, from x: UnsafePointer<Float>, rows: Int, written: Int = 0,
        residual: UnsafePointer<Float>? = nil, activation: Activation = .none
    ) {
        let stride = stride ?? outputs
        let epilogue = ck_epilogue(bias: bias?.pointer, residual: residual, relu: activation == .relu)
        switch weights {
        case .packed(let packed):
            ck_linear(pool.handle, y, stride, x, rows, packed.pointer, outputs, inputs, epilogue)
        case .blocks(let blocks):
            blocks.withMatrix { ck_linear_blocks(pool.handle, y, stride, x, rows, $0, epilogue) }
        case .panels(let panels):
            pool.withScratch(ck_panels_scratch_bytes(pool.handle, rows, inputs)) { scratch in
                for part in Self.parts(pool, rows: rows, written: written, panels.type) {
                    var own = epilogue
                    own.residual = residual.map { $0 + part.first * stride }
                    panels.withMatrix {
                        ck_linear_panels(pool.handle, part.arithmetic.native, y + part.first * stride, stride, x + part.first * inputs, part.rows, $0, own, scratch)
                    }
                }
            }
        }
    }

    /// Rows that are computed alike.
    private struct Part {
        var first: Int
        var rows: Int
        var arithmetic: KernelPool.PanelArithmetic
    }

    /// Weights that are no whole numbers with scales are read and written in the same arithmetic.
    private static func parts(_ pool: KernelPool, rows: Int, written: Int, _ type: BlockType) -> [Part] {
        let split = pool.writingArithmetic == pool.panelArithmetic || !type.isWholeNumbers ? rows : rows - written
        return [
            Part(first: 0, rows: split, arithmetic: pool.panelArithmetic), Part(first: split, rows: rows - split, arithmetic: pool.writingArithmetic),
        ].filter { $0.rows > 0 }
    }

    /// Several layers of the same input: as `apply` for each of them, but that x is prepared once and no thread waits between them.
    ///
    /// - Parameter layers: each with where its `rows` rows of `outputs` floats go; none overlaps another or `x`.
    package static func apply(
        _ pool: KernelPool, _ layers: [(layer: Linear, y: UnsafeMutablePointer<Float>)], from x: UnsafePointer<Float>, rows: Int, written: Int = 0
    ) {
        let matrices = layers.compactMap { layer, _ -> PanelMatrix? in
            if case .panels(let panels) = layer.weights { panels } else { nil }
        }
        guard let first = matrices.first, matrices.count == layers.count,
            matrices.allSatisfy({ $0.columns == first.columns && $0.type.isWholeNumbers == first.type.isWholeNumbers })
        else {
            for (layer, y) in layers { layer.apply(pool, into: y, from: x, rows: rows, written: written) }
            return
        }
        pool.withScratch(ck_panels_scratch_bytes(pool.handle, rows, first.columns)) { scratch in
            withExtendedLifetime(layers) {
                for part in parts(pool, rows: rows, written: written, first.type) {
                    let products = zip(layers, matrices).map { layer, panels in
                        ck_panel_product(
                            weights: panels.native, y: layer.y + part.first * panels.rows, y_stride: panels.rows,
                            epilogue: ck_epilogue(bias: layer.layer.bias?.pointer, residual: nil, relu: false))
                    }
                    ck_linear_panels_each(pool.handle, part.arithmetic.native, products, products.count, x + part.first * first.columns, part.rows, scratch)
                }
            }
        }
    }

    package func callAsFunction(_ pool: KernelPool, _ x: Activations, written: Int = 0, activation: Activation = .none) -> Activations {
        precondition(x.columns == inputs, "a layer of \(inputs) inputs was given \(x.columns)")
        let y = Activations(rows: x.rows, columns: outputs)
        apply(pool, into: y.pointer, from: x.pointer, rows: x.rows, written: written, activation: activation)
        return y
    }

    /// The weights read as a convolution [outputs, kernel, kernel, channels] with kernel * kernel * channels == inputs.
    func convolve(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, from x: UnsafePointer<Float>, shape: ck_convolution,
        residual: UnsafePointer<Float>? = nil, activation: Activation = .none
    ) {
        guard case .packed(let packed) = weights else { preconditionFailure("a convolution's weights are packed when they are loaded") }
        let epilogue = ck_epilogue(bias: bias?.pointer, residual: residual, relu: activation == .relu)
        ck_convolve(pool.handle, y, x, shape, packed.pointer, epilogue)
    }

    /// Output `index`'s weights: the embedding of a token, where the head is tied to it.
    package func unpackRow(_ index: Int, into row: UnsafeMutablePointer<Float>) {
        switch weights {
        case .packed(let packed): ck_unpack_row(row, packed.pointer, index, inputs)
        case .blocks(let blocks): blocks.dequantizeRow(index, into: row)
        case .panels(let panels): panels.dequantizeRow(index, into: row)
        }
    }

    package enum Activation: Sendable {
        case none
        case relu
    }
}
