/// Reads one pickle: the opcodes of protocols 2 to 5 that torch.save and Python's pickler write around tensors.
///
/// **Why this is safe.** A pickle is a program for a small stack machine, and what makes it dangerous in Python is that `GLOBAL` imports any
/// name and `REDUCE`, `NEWOBJ` and `BUILD` call it. Here a global is only ever its *name*. Fewer than fifty names mean something
/// (`KnownGlobal`), and what they mean is written out in this folder: a dictionary, a size, a storage's type, a tensor's
/// description. Calling any other name makes an opaque value that carries the name and forgets its arguments; there is no code that an
/// opaque value could reach. So the optimiser's state, the arguments of the training script or a call of `os.system` in a Lightning checkpoint
/// are stepped over, and only a tensor that *depends* on such a value cannot be read; the error names it.
///
/// What a pickle may cost is fixed by the limits below, not by what it says: opcodes are read in a loop, values lie in an arena (no recursion
/// when they are made, read or freed), text stays in the file. An opcode outside the list is an error with its code.
struct PickleMachine {
    /// A 7B model's pickle has 0.1 MB, a Lightning checkpoint's with optimiser a few.
    static let maximumBytes = 64 << 20
    static let maximumOpcodes = 1 << 21
    static let maximumStack = 1 << 17
    static let maximumMemo = 1 << 18
    static let maximumNodes = 1 << 17
    /// Parts of all nodes together.
    static let maximumItems = 1 << 18
    static let maximumTensors = 1 << 15
    static let maximumGlobals = 4096
    static let maximumNameBytes = 512

    var cursor: ByteCursor
    /// Offset just behind the last byte that was read.
    var end: Int { cursor.offset }
    private(set) var nodes: [PickleNode] = []
    private var itemCount = 0
    var storages: [PickledStorage] = []
    var tensors: [PickledTensor] = []
    private(set) var globalNames: [String] = []
    private(set) var globals: [KnownGlobal] = []
    private var globalIndex: [String: UInt32] = [:]
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [PickleValue?] = []

    /// `bytes` has to outlive the machine, and is cut to `maximumBytes`.
    init(_ bytes: UnsafeRawBufferPointer) {
        cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.maximumBytes)))
    }

    /// Runs to STOP.
    /// - Returns: the pickled value.
    mutating func run() throws(FormatFault) -> PickleValue {
        for _ in 0..<Self.maximumOpcodes {
            let code = try cursor.integer(UInt8.self)
            guard let opcode = PickleOpcode(rawValue: code) else {
                throw FormatFault(
                    offset: cursor.offset - 1, reason: "pickle opcode 0x\(String(code, radix: 16)) is not one that PyTorch writes", isUnsupported: true)
            }
            if opcode == .stop {
                let value = try pop()
                guard stack.isEmpty, marks.isEmpty else { throw cursor.fault("the pickle ends with values left over") }
                return value
            }
            try step(opcode)
        }
        throw cursor.fault("more than \(Self.maximumOpcodes) opcodes in a pickle")
    }

    private mutating func step(_ opcode: PickleOpcode) throws(FormatFault) {
        switch opcode {
        case .stop: break
        case .proto:
            let version = try cursor.integer(UInt8.self)
            guard (2...5).contains(version) else { throw cursor.fault("pickle protocol \(version)") }
        case .frame:
            let length = try cursor.length()
            guard length <= cursor.remaining else { throw cursor.fault("a frame of \(length) bytes with \(cursor.remaining) left") }

        case .none: try push(.none)
        case .newTrue: try push(.boolean(true))
        case .newFalse: try push(.boolean(false))
        case .binInt: try push(.integer(Int64(try cursor.integer(Int32.self))))
        case .binInt1: try push(.integer(Int64(try cursor.integer(UInt8.self))))
        case .binInt2: try push(.integer(Int64(try cursor.integer(UInt16.self))))
        case .long1: try pushLong(Int(try cursor.integer(UInt8.self)))
        case .long4: try pushLong(Int(try cursor.integer(Int32.self)))
        case .binFloat:
            _ = try cursor.take(8)
            try push(.real)
        case .shortBinUnicode, .shortBinString: try push(.text(PickleSlice(try cursor.take(Int(try cursor.integer(UInt8.self))))))
        case .binUnicode: try push(.text(PickleSlice(try cursor.take(Int(try cursor.integer(UInt32.self))))))
        case .binString: try push(.text(PickleSlice(try cursor.take(Int(try cursor.integer(Int32.self))))))
        case .binUnicode8: try push(.text(PickleSlice(try cursor.take(try cursor.length()))))
        case .shortBinBytes: try push(.bytes(PickleSlice(try cursor.take(Int(try cursor.integer(UInt8.self))))))
        case .binBytes: try push(.bytes(PickleSlice(try cursor.take(Int(try cursor.integer(UInt32.self))))))
        case .binBytes8, .byteArray8: try push(.bytes(PickleSlice(try cursor.take(try cursor.length()))))

        case .mark:
            guard marks.count < Self.maximumStack else { throw cursor.fault("more than \(Self.maximumStack) marks") }
            marks.append(stack.count)
        case .pop:
            // As CPython: with nothing above the mark, the mark itself goes.
            if stack.count > (marks.last ?? 0) { _ = try pop() } else if marks.popLast() == nil { throw cursor.fault("the stack is empty") }
        case .popMark: _ = try popToMark()
        case .dup:
            let value = try pop()
            try push(value)
            try push(value)

        case .emptyTuple: try push(try node(.tuple, []))
        case .tuple: try push(try node(.tuple, try popToMark()))
        case .tuple1, .tuple2, .tuple3: try push(try node(.tuple, try pop(opcode == .tuple1 ? 1 : opcode == .tuple2 ? 2 : 3)))
        case .emptyList, .emptySet: try push(try node(.list, []))
        case .list, .frozenSet: try push(try node(.list, try popToMark()))
        case .emptyDictionary: try push(try node(.dictionary, []))
        case .dictionary: try push(try node(.dictionary, try pairs(try popToMark())))
        case .append: try extend(with: try pop(1), keyed: false)
        case .appends, .addItems: try extend(with: try popToMark(), keyed: false)
        case .setItem: try extend(with: try pop(2), keyed: true)
        case .setItems: try extend(with: try pairs(try popToMark()), keyed: true)

        case .binPut: try put(Int(try cursor.integer(UInt8.self)))
        case .longBinPut: try put(Int(try cursor.integer(UInt32.self)))
        case .memoize: try put(memo.count)
        case .binGet: try get(Int(try cursor.integer(UInt8.self)))
        case .longBinGet: try get(Int(try cursor.integer(UInt32.self)))

        case .global:
            let module = try cursor.line(atMost: Self.maximumNameBytes)
            let name = try cursor.line(atMost: Self.maximumNameBytes)
            try push(try intern(module, name))
        case .stackGlobal:
            let parts = try pop(2)
            guard case .text(let module) = parts[0], case .text(let name) = parts[1] else { throw cursor.fault("a global's name is not text") }
            try push(try intern(module.range, name.range))
        case .reduce, .newObject:
            let parts = try pop(2)
            try push(try call(parts[0], arguments: parts[1]))
        case .newObjectEx:
            let parts = try pop(3)
            try push(try call(parts[0], arguments: parts[1]))
        case .build:
            // State of an object: attributes of a dictionary (`_metadata`) or of something opaque. Nothing here has any.
            _ = try pop()
            try push(try pop())
        case .binPersistentID: try push(try storage(try pop()))
        }
    }

    // MARK: - The stack

    private mutating func push(_ value: PickleValue) throws(FormatFault) {
        guard stack.count < Self.maximumStack else { throw cursor.fault("more than \(Self.maximumStack) values on the pickle's stack") }
        stack.append(value)
    }

    private mutating func pop() throws(FormatFault) -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw cursor.fault("the pickle's stack is empty") }
        return value
    }

    private mutating func pop(_ count: Int) throws(FormatFault) -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw cursor.fault("the pickle's stack is empty") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(FormatFault) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw cursor.fault("a mark is missing") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private func pairs(_ values: [PickleValue]) throws(FormatFault) -> [PickleValue] {
        guard values.count % 2 == 0 else { throw cursor.fault("a key without its value") }
        return values
    }

    /// A whole number of `count` bytes, two's complement.
    private mutating func pushLong(_ count: Int) throws(FormatFault) {
        let range = try cursor.take(count)
        guard count <= 8 else { return try push(.long(PickleSlice(range))) }
        var value: UInt64 = range.isEmpty || cursor.bytes[range.upperBound - 1] < 0x80 ? 0 : .max
        for index in range.reversed() { value = value << 8 | UInt64(cursor.bytes[index]) }
        try push(.integer(Int64(bitPattern: value)))
    }

    // MARK: - The memo

    private mutating func put(_ index: Int) throws(FormatFault) {
        guard index < Self.maximumMemo else { throw cursor.fault("memo \(index); at most \(Self.maximumMemo) are kept") }
        guard stack.count > (marks.last ?? 0), let value = stack.last else { throw cursor.fault("the pickle's stack is empty") }
        if index >= memo.count { memo.append(contentsOf: repeatElement(nil, count: index - memo.count + 1)) }
        memo[index] = value
    }

    private mutating func get(_ index: Int) throws(FormatFault) {
        guard index < memo.count, let value = memo[index] else { throw cursor.fault("memo \(index) was never set") }
        try push(value)
    }

    // MARK: - The arena

    mutating func node(_ kind: PickleNode.Kind, _ items: [PickleValue]) throws(FormatFault) -> PickleValue {
        guard nodes.count < Self.maximumNodes else { throw cursor.fault("more than \(Self.maximumNodes) objects in a pickle") }
        try count(items)
        nodes.append(PickleNode(kind: kind, items: items))
        return .node(UInt32(nodes.count - 1))
    }

    private mutating func count(_ items: [PickleValue]) throws(FormatFault) {
        guard items.count <= Self.maximumItems - itemCount else { throw cursor.fault("more than \(Self.maximumItems) elements in a pickle") }
        itemCount += items.count
    }

    /// APPEND, SETITEM and the like: the object stays on the stack.
    private mutating func extend(with items: [PickleValue], keyed: Bool) throws(FormatFault) {
        guard stack.count > (marks.last ?? 0), let target = stack.last else { throw cursor.fault("the pickle's stack is empty") }
        guard case .node(let index) = target else { throw cursor.fault("elements are added to what cannot have any") }
        switch (nodes[Int(index)].kind, keyed) {
        case (.opaque, _): return
        case (.list, false), (.dictionary, true):
            try count(items)
            nodes[Int(index)].items.append(contentsOf: items)
        default: throw cursor.fault("elements are added to what cannot have them")
        }
    }

    private mutating func intern(_ module: Range<Int>, _ name: Range<Int>) throws(FormatFault) -> PickleValue {
        guard module.count <= Self.maximumNameBytes, name.count <= Self.maximumNameBytes,
            let moduleText = String(validating: cursor.bytes[module], as: UTF8.self), let nameText = String(validating: cursor.bytes[name], as: UTF8.self)
        else { throw cursor.fault("a global's name is not UTF-8 of at most \(Self.maximumNameBytes) bytes") }
        let full = moduleText + "." + nameText
        if let index = globalIndex[full] { return .global(index) }
        guard globalNames.count < Self.maximumGlobals else { throw cursor.fault("more than \(Self.maximumGlobals) globals") }
        let index = UInt32(globalNames.count)
        globalNames.append(full)
        globals.append(KnownGlobal(full))
        globalIndex[full] = index
        return .global(index)
    }
}
