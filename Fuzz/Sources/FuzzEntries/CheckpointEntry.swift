import ModelImport
import RaDialogPipeline

/// Tensors that are looked at; numbers of a strided one that are copied.
private let maximumTensors = 64
private let maximumCopy = 1 << 16

func readCheckpoint(_ file: MappedFile) throws(ImportError) {
    do throws(ImportError) {
        try use(TorchCheckpoint(file: file))
    } catch {
        // A Lightning checkpoint holds its tensors one level down.
        guard case .malformed = error else { throw error }
        try use(TorchCheckpoint(file: file, under: "state_dict"))
    }
}

private func use(_ checkpoint: TorchCheckpoint) throws(ImportError) {
    for name in checkpoint.names.prefix(maximumTensors) {
        // The copy's size is bounded by the file's and 16 MiB; a smaller one goes the same way, faster.
        if let stored = checkpoint.stored(name), !stored.isContiguous, stored.byteCount > maximumCopy, stored.byteCount < 32 << 20 { continue }
        do throws(ImportError) {
            let view = try checkpoint.view(name)
            require(try view.shape == checkpoint.shape(of: name), "a view has the tensor's shape")
            read(view)
        } catch {
            switch error {
            case .refusedGlobal, .tooLarge: break  // one tensor's fault: the others can be read
            default: throw error
            }
        }
    }
}

/// Every byte of the tensor, and its numbers where they are floating-point ones.
func read(_ view: TensorView) {
    require(view.bytes.count == view.shape.reduce(view.type.bytesPerElement, *), "a view has its shape's bytes")
    var sum: UInt64 = 0
    for byte in view.bytes { sum &+= UInt64(byte) }
    require(sum <= 255 * UInt64(view.bytes.count), "bytes are bytes")
    if view.rows > 0 { require(view.bytes(ofRows: 0..<1).count * view.rows == view.bytes.count, "rows are of one size") }
    do throws(WeightsError) {
        let floats = try FloatTensor(view)
        require(floats.count == view.count && floats.buffer.count == view.count, "as many floats as numbers")
    } catch {
        guard case .wrongType = error else { fatalError("\(error)") }
    }
}
