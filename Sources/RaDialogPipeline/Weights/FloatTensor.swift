internal import CKernels
import Glibc

/// Row-major 32-bit floats that do not change: either the bytes of a mapped file, or a 64-byte-aligned copy of its own.
///
/// Memory in place has the file's alignment (4 bytes at least): kernels load unaligned.
package final class FloatTensor: Sendable {
    package let shape: [Int]
    package let count: Int
    /// First element; valid while `self` lives, so keep the tensor in a variable or a property: of a temporary
    /// (`try source.floats(…).pointer`) nothing but the pointer would be left. For `count == 0` it must not be read.
    package nonisolated(unsafe) let pointer: UnsafePointer<Float>
    /// The file whose bytes `pointer` is, or nil where the storage is our own.
    private let owner: MappedFile?

    package var buffer: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: pointer, count: count) }
    package var isInPlace: Bool { owner != nil }
    /// A copy as an array, for small vectors.
    package var array: [Float] { Array(buffer) }

    /// `view` as floats. F16 and BF16 are widened exactly; nothing is rounded.
    /// - Throws: `WeightsError.wrongType` for integers and F64, which no part of the model is stored as; `.cannotRead` where memory cannot be had.
    package init(_ view: TensorView) throws(WeightsError) {
        guard [.f32, .f16, .bf16].contains(view.type) else {
            throw .wrongType(path: view.owner.path, name: view.name, found: view.type.rawValue)
        }
        shape = view.shape
        count = view.count
        if view.type == .f32, let base = view.bytes.baseAddress, Int(bitPattern: base) % MemoryLayout<Float>.alignment == 0 {
            pointer = base.assumingMemoryBound(to: Float.self)
            owner = view.owner
            return
        }
        guard let storage = Self.allocate(count) else { throw Self.noMemory(shape, path: view.owner.path, name: view.name) }
        if let source = view.bytes.baseAddress {
            switch view.type {
            case .f16: ck_widen_f16(storage, source, count)
            case .bf16: ck_widen_bf16(storage, source, count)
            default: UnsafeMutableRawPointer(storage).copyMemory(from: source, byteCount: view.bytes.count)
            }
        }
        pointer = UnsafePointer(storage)
        owner = nil
    }

    /// `block` as floats, in its order of rows: a copy.
    /// - Throws: `WeightsError.cannotRead` where memory cannot be had.
    package init(_ block: BlockTensor) throws(WeightsError) {
        shape = block.shape
        count = block.rows * block.columns
        guard let storage = Self.allocate(count) else { throw Self.noMemory(shape, path: block.owner.path, name: block.name) }
        for row in 0..<block.rows { block.dequantizeRow(row, into: storage + row * block.columns) }
        pointer = UnsafePointer(storage)
        owner = nil
    }

    /// New storage filled by `fill`, which gets it zeroed: for what is computed at load (a folded batch norm, say).
    /// - Throws: `PipelineError.outOfResources` where memory cannot be had, and what `fill` throws.
    package init(shape: [Int], fill: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws {
        guard let count = Self.count(of: shape), let storage = Self.allocate(count) else {
            throw PipelineError.outOfResources("memory for weights of shape \(shape) cannot be had")
        }
        storage.initialize(repeating: 0, count: count)
        do {
            try fill(UnsafeMutableBufferPointer(start: storage, count: count))
        } catch {
            free(storage)
            throw error
        }
        self.shape = shape
        self.count = count
        pointer = UnsafePointer(storage)
        owner = nil
    }

    /// New storage with these values.
    /// - Throws: `PipelineError.outOfResources` where memory cannot be had.
    package convenience init(shape: [Int], values: [Float]) throws {
        precondition(values.count == shape.reduce(1, *), "a tensor has as many values as its shape says")
        try self.init(shape: shape) { storage in _ = storage.update(from: values) }
    }

    deinit {
        if owner == nil { free(UnsafeMutablePointer(mutating: pointer)) }
    }

    /// The widest vector register of the machines we know.
    private static let alignment = 64

    /// nil where no memory could hold them.
    private static func count(of shape: [Int]) -> Int? {
        var count = 1
        for side in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow else { return nil }
            count = product
        }
        return count
    }

    /// nil where the system has no memory for them.
    private static func allocate(_ count: Int) -> UnsafeMutablePointer<Float>? {
        let (bytes, overflow) = max(1, count).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        guard !overflow, bytes <= Int.max - alignment else { return nil }
        return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)?.bindMemory(to: Float.self, capacity: count)
    }

    private static func noMemory(_ shape: [Int], path: String, name: String) -> WeightsError {
        .cannotRead(path: path, reason: "memory for tensor \"\(name)\" of shape \(shape) as floats cannot be had")
    }
}
