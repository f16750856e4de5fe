/// How the numbers of a tensor are stored. Little-endian.
package enum TensorType: String, Sendable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"

    package var bytesPerElement: Int { self == .f32 ? 4 : 2 }
}

/// One tensor where it lies in its file: nothing is copied or converted.
package struct TensorView: @unchecked Sendable {  // immutable mapped memory, kept alive by `owner`
    package let name: String
    package let type: TensorType
    /// Row-major; empty for a scalar.
    package let shape: [Int]
    /// Exactly `shape`'s product times the element size. Alignment is whatever the file gives.
    package let bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` valid.
    package let owner: MappedFile

    package var count: Int { bytes.count / type.bytesPerElement }
}

/// Tensors by name: safetensors today, GGUF as a second conformer.
package protocol TensorSource: Sendable {
    /// For messages.
    var path: String { get }
    /// Every tensor of the file, sorted.
    var names: [String] { get }
    /// The tensor as it is stored; nil where the file has none of that name.
    func find(_ name: String) -> TensorView?
}

extension TensorSource {
    /// The tensor `name`, which has to have exactly this shape.
    package func tensor(_ name: String, shape: [Int]) throws(WeightsError) -> TensorView {
        guard let view = find(name) else { throw .missingTensor(path: path, name: name) }
        guard view.shape == shape else {
            throw .wrongShape(path: path, name: name, found: view.shape, expected: shape)
        }
        return view
    }

    /// The same as 32-bit floating point: in place where the file holds that already, else a widened copy.
    package func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        FloatTensor(try tensor(name, shape: shape))
    }
}
