/// How the numbers of a tensor are stored. Little-endian. The names are those of safetensors.
package enum TensorType: String, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case f64 = "F64"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    case boolean = "BOOL"

    package var bytesPerElement: Int {
        switch self {
        case .f64, .i64, .u64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .i8, .u8, .boolean: 1
        }
    }
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

    package init(name: String, type: TensorType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: MappedFile) {
        self.name = name
        self.type = type
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
    }
}

/// Tensors by name, from a safetensors or a GGUF file.
package protocol TensorSource: Sendable {
    /// For messages.
    var path: String { get }
    /// Every tensor of the file, sorted.
    var names: [String] { get }
    /// The tensor as it is stored; nil where the file has none of that name, or holds it in blocks.
    func find(_ name: String) -> TensorView?
    /// The tensor where its numbers are to stay as they lie, in blocks; nil where they are to be widened once, when they are loaded.
    func block(_ name: String) -> BlockTensor?
    /// The matrix where it lies in panels; nil where it does not.
    func panels(_ name: String, rows: Int, columns: Int) throws(WeightsError) -> PanelMatrix?
    /// The tensor `name`, of exactly this shape, as 32-bit floats: in place where the file holds that already, else a widened copy.
    func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor
    /// For when everything was copied into the kernels' layouts: lets what was read of the file stop counting as resident. What lies in place is
    /// read from the file again when it is used.
    func letGo()
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

    package func letGo() {}

    package func block(_ name: String) -> BlockTensor? { nil }

    package func panels(_ name: String, rows: Int, columns: Int) throws(WeightsError) -> PanelMatrix? { nil }

    package func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        try FloatTensor(try tensor(name, shape: shape))
    }
}
