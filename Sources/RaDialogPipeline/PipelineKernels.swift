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
