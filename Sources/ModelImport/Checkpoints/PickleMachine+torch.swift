import RaDialogPipeline

/// What the known globals do. Source: torch/_utils.py, torch/serialization.py (`persistent_load`).
extension PickleMachine {
    static let maximumRank = 8

    /// REDUCE, NEWOBJ: an object from a callable and its arguments.
    mutating func call(_ callable: PickleValue, arguments: PickleValue) throws(FormatFault) -> PickleValue {
        guard let global = globalBehind(callable) else { throw cursor.fault("something is called that is not a global") }
        guard case .global = callable else { return try node(.opaque(global: global), []) }
        let items = self.items(arguments, .tuple)
        guard let items else {
            // An opaque tuple cannot be: tuples are made by opcodes.
            throw cursor.fault("the arguments of \(globalNames[Int(global)]) are not a tuple")
        }
        switch globals[Int(global)] {
        case .dictionary: return try dictionary(items, global)
        case .size: 
            if let sizes = items.first { return sizes }
            return try node(.tuple, [])
        case .rebuildTensor: return try rebuildTensor(items, global, type: nil)
        case .rebuildTensorV3:
            guard items.count >= 7 else { throw bad(global) }
            guard case .global(let index) = items[6], case .elementType(let type) = globals[Int(index)] else {
                return try node(.opaque(global: globalBehind(items[6]) ?? global), [])
            }
            return try rebuildTensor(items, global, type: type)
        case .rebuildParameter:
            guard let data = items.first else { throw bad(global) }
            if case .tensor = data { return data }
            return try node(.opaque(global: globalBehind(data) ?? global), [])
        case .rebuildFromType:
            // (function, class, its arguments, attributes): a tensor with attributes of its own.
            guard items.count >= 3 else { throw bad(global) }
            guard case .global(let function) = items[0], [.rebuildTensor, .rebuildTensorV3, .rebuildParameter].contains(globals[Int(function)]),
                case .global(let type) = items[1]
            else { return try node(.opaque(global: globalBehind(items[0]) ?? global), []) }
            guard globals[Int(type)] == .tensorClass else { return try node(.opaque(global: type), []) }
            return try call(items[0], arguments: items[2])
        case .tensorClass, .storage, .untypedStorage, .elementType, .unknown:
            return try node(.opaque(global: global), [])
        }
    }

    /// BINPERSID: ('storage', type, key, location, elements), and in the legacy layout the view as a sixth part.
    mutating func storage(_ identifier: PickleValue) throws(FormatFault) -> PickleValue {
        guard let items = items(identifier, .tuple), (5...6).contains(items.count), text(items[0]) == "storage", case .text(let key) = items[2],
            case .integer(let number) = items[4], let count = Int(exactly: number), count >= 0
        else { throw cursor.fault("a persistent id is not that of a storage") }
        guard case .global(let global) = items[1] else { throw cursor.fault("a storage's type is not a global") }
        guard storages.count < Self.maximumTensors else { throw cursor.fault("more than \(Self.maximumTensors) storages") }
        var storage = PickledStorage(type: nil, global: global, key: key, count: count)
        switch globals[Int(global)] {
        case .storage(let type): storage.type = type
        case .untypedStorage: storage.isUntyped = true
        default: break  // a type without numbers here: what depends on it says so
        }
        if items.count == 6, items[5] != .none { storage.view = try view(items[5], of: count) }
        storages.append(storage)
        return .storage(UInt32(storages.count - 1))
    }

    // MARK: - Reading values

    /// The parts of a node of this kind.
    func items(_ value: PickleValue, _ kind: ItemKind) -> [PickleValue]? {
        guard case .node(let index) = value else { return nil }
        let node = nodes[Int(index)]
        switch (node.kind, kind) {
        case (.tuple, .tuple), (.list, .list), (.dictionary, .dictionary), (.tuple, .sequence), (.list, .sequence): return node.items
        default: return nil
        }
    }

    enum ItemKind { case tuple, list, sequence, dictionary }

    /// Text of at most `maximumNameBytes`; nil for everything else.
    func text(_ value: PickleValue) -> String? {
        guard case .text(let slice) = value, slice.count <= Self.maximumNameBytes else { return nil }
        return String(validating: cursor.bytes[slice.range], as: UTF8.self)
    }

    /// The name that an opaque value or a global carries.
    func globalBehind(_ value: PickleValue) -> UInt32? {
        switch value {
        case .global(let index): return index
        case .node(let index):
            if case .opaque(let global) = nodes[Int(index)].kind { return global }
            return nil
        case .storage(let index): return storages[Int(index)].global
        default: return nil
        }
    }

    // MARK: -

    private func bad(_ global: UInt32) -> FormatFault { cursor.fault("the arguments of \(globalNames[Int(global)]) are not what PyTorch writes") }

    private mutating func dictionary(_ arguments: [PickleValue], _ global: UInt32) throws(FormatFault) -> PickleValue {
        // Python 2 and defaultdict: OrderedDict([[key, value], ...]), defaultdict(factory).
        var pairs: [PickleValue] = []
        if let list = arguments.first.flatMap({ items($0, .list) }) {
            for element in list {
                guard let pair = items(element, .sequence), pair.count == 2 else { throw bad(global) }
                pairs += pair
            }
        }
        return try node(.dictionary, pairs)
    }

    /// (storage, offset, size, stride, requires_grad, hooks, ...)
    private mutating func rebuildTensor(_ items: [PickleValue], _ global: UInt32, type: TensorType?) throws(FormatFault) -> PickleValue {
        guard items.count >= 4 else { throw bad(global) }
        guard case .storage(let index) = items[0] else {
            guard let cause = globalBehind(items[0]) else { throw bad(global) }
            return try node(.opaque(global: cause), [])
        }
        let storage = storages[Int(index)]
        guard let type = storage.isUntyped ? type : storage.type else { return try node(.opaque(global: storage.global), []) }
        guard let offset = natural(items[1]), let shape = naturals(items[2]), let strides = naturals(items[3]), shape.count == strides.count else {
            throw bad(global)
        }
        guard tensors.count < Self.maximumTensors else { throw cursor.fault("more than \(Self.maximumTensors) tensors") }
        tensors.append(PickledTensor(storage: index, type: type, offset: offset, shape: shape, strides: strides))
        return .tensor(UInt32(tensors.count - 1))
    }

    /// (view key, offset, size), in elements of the storage.
    private func view(_ value: PickleValue, of count: Int) throws(FormatFault) -> Range<Int> {
        guard let parts = items(value, .tuple), parts.count == 3, let offset = natural(parts[1]), let size = natural(parts[2]),
            offset <= count, size <= count - offset
        else { throw cursor.fault("a view does not lie within its storage") }
        return offset..<offset + size
    }

    private func natural(_ value: PickleValue) -> Int? {
        guard case .integer(let number) = value, number >= 0 else { return nil }
        return Int(exactly: number)
    }

    private func naturals(_ value: PickleValue) -> [Int]? {
        guard let parts = items(value, .sequence), parts.count <= Self.maximumRank else { return nil }
        var numbers: [Int] = []
        for part in parts {
            guard let number = natural(part) else { return nil }
            numbers.append(number)
        }
        return numbers
    }
}
