import RaDialogPipeline

/// A value of a pickle. Small and flat: text stays in the file, and what has parts lies in the machine's arena and is named by its index, so
/// that neither building nor freeing a value follows the input's nesting.
enum PickleValue: Equatable {
    case none
    case boolean(Bool)
    case integer(Int64)
    case real
    /// More than 64 bits.
    case long(PickleSlice)
    case text(PickleSlice)
    case bytes(PickleSlice)
    case global(UInt32)
    /// Of `PickleMachine.nodes`.
    case node(UInt32)
    /// Of `PickleMachine.storages`.
    case storage(UInt32)
    /// Of `PickleMachine.tensors`.
    case tensor(UInt32)
}

/// Bytes of the pickle.
struct PickleSlice: Equatable {
    var start: UInt32
    var count: UInt32

    init(_ range: Range<Int>) {
        start = UInt32(range.lowerBound)
        count = UInt32(range.count)
    }

    var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// A value with parts.
struct PickleNode {
    enum Kind {
        case list
        case tuple
        /// `items` are keys and values in turn, as they were set.
        case dictionary
        /// Whatever an unknown global made: its name and nothing else.
        case opaque(global: UInt32)
    }

    var kind: Kind
    var items: [PickleValue] = []
}

/// A storage as a persistent id names it.
struct PickledStorage {
    /// Nil for a type this program has no numbers for.
    var type: TensorType?
    /// The global that stands for the type.
    var global: UInt32
    /// True for torch.storage.UntypedStorage: the tensor says its type, and `count` is bytes.
    var isUntyped = false
    var key: PickleSlice
    /// Elements of the whole storage.
    var count: Int
    /// Legacy layout: the part of the storage that this is a view of, in elements.
    var view: Range<Int>?

    var elementBytes: Int? { isUntyped ? 1 : type?.bytesPerElement }
}

/// A tensor as `_rebuild_tensor_v2` gets it; nothing of it is checked against its storage yet.
struct PickledTensor {
    var storage: UInt32
    var type: TensorType
    /// In elements, from the start of the storage (or its view).
    var offset: Int
    var shape: [Int]
    var strides: [Int]
}

/// The globals that mean something here. Source: torch/_utils.py, torch/serialization.py.
enum KnownGlobal: Equatable {
    case dictionary
    case size
    case rebuildTensor
    case rebuildTensorV3
    case rebuildParameter
    case rebuildFromType
    case tensorClass
    case storage(TensorType)
    case untypedStorage
    case elementType(TensorType)
    /// Everything else: a name.
    case unknown

    init(_ name: String) {
        self = Self.named[name] ?? .unknown
    }

    private static let named: [String: KnownGlobal] = [
        "collections.OrderedDict": .dictionary, "collections.defaultdict": .dictionary,
        "builtins.dict": .dictionary, "__builtin__.dict": .dictionary,
        "torch.Size": .size,
        "torch._utils._rebuild_tensor": .rebuildTensor, "torch._utils._rebuild_tensor_v2": .rebuildTensor,
        "torch._utils._rebuild_tensor_v3": .rebuildTensorV3,
        "torch._utils._rebuild_parameter": .rebuildParameter, "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
        "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
        "torch.Tensor": .tensorClass, "torch._tensor.Tensor": .tensorClass,
        "torch.nn.parameter.Parameter": .tensorClass, "torch.nn.parameter.Buffer": .tensorClass,
        "torch.FloatStorage": .storage(.f32), "torch.DoubleStorage": .storage(.f64), "torch.HalfStorage": .storage(.f16),
        "torch.BFloat16Storage": .storage(.bf16), "torch.LongStorage": .storage(.i64), "torch.IntStorage": .storage(.i32),
        "torch.ShortStorage": .storage(.i16), "torch.CharStorage": .storage(.i8), "torch.ByteStorage": .storage(.u8),
        "torch.BoolStorage": .storage(.boolean),
        "torch.storage.UntypedStorage": .untypedStorage, "torch.storage._UntypedStorage": .untypedStorage, "torch.UntypedStorage": .untypedStorage,
        "torch.float32": .elementType(.f32), "torch.float64": .elementType(.f64), "torch.float16": .elementType(.f16),
        "torch.bfloat16": .elementType(.bf16), "torch.int64": .elementType(.i64), "torch.int32": .elementType(.i32),
        "torch.int16": .elementType(.i16), "torch.int8": .elementType(.i8), "torch.uint64": .elementType(.u64),
        "torch.uint32": .elementType(.u32), "torch.uint16": .elementType(.u16), "torch.uint8": .elementType(.u8),
        "torch.bool": .elementType(.boolean),
    ]
}
