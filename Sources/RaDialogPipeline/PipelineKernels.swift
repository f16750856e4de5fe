internal import CKernels

// The Swift face of the C kernels: who owns memory and threads, and what a linear layer is. Every other file of the forward pass
// speaks of layers and activations; the `ck_` functions without an owner (norms, attention) are called where they are used.

/// The threads and the instruction set of one pipeline.
package final class KernelPool: Sendable {
    package enum InstructionSet: UInt32, Sendable, CaseIterable {
        case scalar = 0
        case avx2 = 1
        case avx512 = 2

        package static var best: InstructionSet { InstructionSet(rawValue: ck_best_instruction_set().rawValue) ?? .scalar }
    }

    /// Immutable after init; the C side serialises jobs.
    nonisolated(unsafe) let handle: OpaquePointer

    /// - Parameter instructionSet: cut to what the processor has; nil takes the best.
    package init(threads: Int, instructionSet: InstructionSet? = nil) throws(PipelineError) {
        let set = ck_instruction_set((instructionSet ?? .best).rawValue)
        guard let handle = ck_pool_create(Int32(clamping: threads), set) else {
            throw .outOfResources("no memory or threads for a pool of \(threads)")
        }
        self.handle = handle
    }

    deinit { ck_pool_free(handle) }

    package var threads: Int { ck_pool_threads(handle) }
    /// For provenance: "fp32-fma+avx512".
    package var arithmeticName: String { String(cString: ck_arithmetic_name(handle)) }
}

/// `[rows, columns]` floats of working memory, row-major, uninitialised at first. For an image, a row is a pixel and the columns are
/// its channels (channels-last). Not Sendable: it belongs to one forward pass.
package final class Activations {
    package let rows: Int
    package let columns: Int
    package let pointer: UnsafeMutablePointer<Float>

    package init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        pointer = .allocate(capacity: max(1, rows * columns))
    }

    package convenience init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns, "activations have rows x columns values")
        self.init(rows: rows, columns: columns)
        pointer.initialize(from: values, count: values.count)
    }

    deinit { pointer.deallocate() }

    package var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: rows * columns) }
    package var array: [Float] { Array(buffer) }
    package func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * columns }

    /// False where a number is infinite or not a number.
    package var isFinite: Bool {
        // A sum of x * 0 is 0, or NaN where any x is not finite.
        buffer.reduce(Float(0)) { $0 + $1 * 0 } == 0
    }
}

/// y = x . W^T + b, the weights packed for the kernels. The place where quantised weights will come in.
package struct Linear: Sendable {
    package let inputs: Int
    package let outputs: Int
    private let packed: FloatTensor
    private let bias: FloatTensor?

    /// Packs row after row: `row` fills `inputs` weights of the given output.
    package init(outputs: Int, inputs: Int, bias: FloatTensor?, row: (Int, UnsafeMutablePointer<Float>) throws -> Void) throws {
        let count = ck_packed_count(outputs, inputs)
        guard count > 0 else { throw PipelineError.inconsistent("a layer of \(outputs) x \(inputs) weights cannot be held") }
        let scratch = Activations(rows: 1, columns: inputs)
        packed = try FloatTensor(shape: [count]) { storage in
            guard let base = storage.baseAddress else { return }
            for output in 0..<outputs {
                try row(output, scratch.pointer)
                ck_pack_rows(base, scratch.pointer, output, 1, outputs, inputs)
            }
        }
        self.inputs = inputs
        self.outputs = outputs
        self.bias = bias
    }

    /// `name.weight` [outputs, inputs], and `name.bias` [outputs] where `hasBias`.
    package init(_ source: any TensorSource, _ name: String, outputs: Int, inputs: Int, hasBias: Bool = false) throws {
        let weight = try source.floats(name + ".weight", shape: [outputs, inputs])
        let bias = hasBias ? try source.floats(name + ".bias", shape: [outputs]) : nil
        try self.init(outputs: outputs, inputs: inputs, bias: bias) { output, row in
            row.update(from: weight.pointer + output * inputs, count: inputs)
        }
    }

    /// Writes `rows` rows of `outputs` floats, `stride` apart (`outputs` where nil). `y` must not overlap `x`; `residual` is added at the
    /// end and may be `y` itself.
    package func apply(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, stride: Int? = nil, from x: UnsafePointer<Float>, rows: Int,
        residual: UnsafePointer<Float>? = nil, activation: Activation = .none
    ) {
        let epilogue = ck_epilogue(bias: bias?.pointer, residual: residual, relu: activation == .relu)
        ck_linear(pool.handle, y, stride ?? outputs, x, rows, packed.pointer, outputs, inputs, epilogue)
    }

    package func callAsFunction(_ pool: KernelPool, _ x: Activations, activation: Activation = .none) -> Activations {
        precondition(x.columns == inputs, "a layer of \(inputs) inputs was given \(x.columns)")
        let y = Activations(rows: x.rows, columns: outputs)
        apply(pool, into: y.pointer, from: x.pointer, rows: x.rows, activation: activation)
        return y
    }

    /// The weights read as a convolution [outputs, kernel, kernel, channels] with kernel * kernel * channels == inputs.
    func convolve(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, from x: UnsafePointer<Float>, shape: ck_convolution,
        residual: UnsafePointer<Float>? = nil, activation: Activation = .none
    ) {
        let epilogue = ck_epilogue(bias: bias?.pointer, residual: residual, relu: activation == .relu)
        ck_convolve(pool.handle, y, x, shape, packed.pointer, epilogue)
    }

    /// Output `index`'s weights as they were packed.
    package func unpackRow(_ index: Int, into row: UnsafeMutablePointer<Float>) {
        ck_unpack_row(row, packed.pointer, index, inputs)
    }

    package enum Activation: Sendable {
        case none
        case relu
    }
}
