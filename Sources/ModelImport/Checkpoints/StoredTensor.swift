package import RaDialogPipeline

/// Where a tensor's numbers lie in a checkpoint, checked against the file.
package struct StoredTensor: Sendable, Equatable {
    package let type: TensorType
    package let shape: [Int]
    /// Elements between neighbours along each axis; 0 repeats one element, and stands where an axis has no neighbours, whatever the file says there.
    package let strides: [Int]
    /// First element: bytes from the start of the file.
    let start: Int
    /// Of the whole storage: what a copy may cost (see `copyLimit`).
    let storageBytes: Int

    package var byteCount: Int { shape.reduce(type.bytesPerElement, *) }

    /// Row-major without gaps: the bytes in the file are the tensor.
    package var isContiguous: Bool {
        if byteCount == 0 { return true }
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            if stride != expected { return false }
            expected *= size
        }
        return true
    }

    /// What the copy of a strided tensor may need. A transposed or sliced one never needs more than its storage; one that repeats elements
    /// (`expand`) may be a little larger.
    var copyLimit: Int { storageBytes + Self.copyAllowance }
    static let copyAllowance = 16 << 20

    /// - Parameter storage: where the storage lies in the file, in bytes.
    /// - Throws: where the tensor does not lie within the storage. No elements lie anywhere.
    init(_ tensor: PickledTensor, storage: Range<Int>) throws(TensorFault) {
        let size = tensor.type.bytesPerElement
        var bytes = size
        for side in tensor.shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: side)
            guard !overflow else { throw TensorFault(reason: "has the impossible shape \(tensor.shape)") }
            bytes = product
        }
        var last = tensor.offset
        if bytes > 0 {
            for (side, stride) in zip(tensor.shape, tensor.strides) {
                let (step, stepOverflow) = (side - 1).multipliedReportingOverflow(by: stride)
                let (sum, sumOverflow) = last.addingReportingOverflow(step)
                guard !stepOverflow, !sumOverflow else { throw TensorFault(reason: "has the impossible strides \(tensor.strides)") }
                last = sum
            }
            guard last < storage.count / size else {
                throw TensorFault(reason: "reaches to element \(last) of a storage of \(storage.count / size)")
            }
        }
        type = tensor.type
        shape = tensor.shape
        // What was not checked above is not kept: nothing may be computed with it.
        strides = zip(tensor.shape, tensor.strides).map { side, stride in bytes > 0 && side > 1 ? stride : 0 }
        start = bytes > 0 ? storage.lowerBound + tensor.offset * size : storage.lowerBound
        storageBytes = storage.count
    }

    /// The tensor in place, or a copy of its own where it is strided.
    func view(name: String, in file: MappedFile) throws(ImportError) -> TensorView {
        if isContiguous {
            let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + byteCount])
            return TensorView(name: name, type: type, shape: shape, bytes: bytes, owner: file)
        }
        guard byteCount <= copyLimit else { throw .tooLarge(path: file.path, name: name, bytes: byteCount, limit: copyLimit) }
        do throws(WeightsError) {
            let copy = try MappedFile(path: file.path, count: byteCount) { gather(into: $0, from: file) }
            return TensorView(name: name, type: type, shape: shape, bytes: copy.bytes, owner: copy)
        } catch {
            throw ImportError(error)
        }
    }

    /// Copies element by element in row-major order.
    private func gather(into target: UnsafeMutableRawBufferPointer, from file: MappedFile) {
        guard let source = file.bytes.baseAddress, let out = target.baseAddress, let inner = shape.last, let innerStride = strides.last else { return }
        let size = type.bytesPerElement
        // An odometer over all axes but the last.
        var index = [Int](repeating: 0, count: shape.count - 1)
        var element = 0
        var written = 0
        while written < byteCount {
            var from = source + start + element * size
            for _ in 0..<inner {
                (out + written).copyMemory(from: from, byteCount: size)
                written += size
                from += innerStride * size
            }
            var axis = index.count - 1
            while axis >= 0 {
                index[axis] += 1
                element += strides[axis]
                if index[axis] < shape[axis] { break }
                element -= strides[axis] * shape[axis]
                index[axis] = 0
                axis -= 1
            }
        }
    }
}

/// Why a tensor cannot lie where its pickle says.
struct TensorFault: Error {
    var reason: String
}
