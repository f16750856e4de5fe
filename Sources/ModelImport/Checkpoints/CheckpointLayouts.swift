/// The zip layout: NAME/data.pkl, NAME/data/KEY, NAME/byteorder. Source: torch/serialization.py, caffe2/serialize/inline_container.h.
extension CheckpointParts {
    init(zip bytes: UnsafeRawBufferPointer) throws(FormatFault) {
        let archive = try ZipArchive(bytes)
        let pickles = archive.entries.keys.filter { $0.hasSuffix("/data.pkl") && $0.split(separator: "/", omittingEmptySubsequences: false).count == 2 }
        guard let pickle = pickles.first, pickles.count == 1, let range = archive.entries[pickle] else {
            throw FormatFault(offset: 0, reason: "the zip archive has \(pickles.count) entries NAME/data.pkl instead of one: torch.save did not write it", isUnsupported: true)
        }
        let folder = String(pickle.dropLast("data.pkl".count))
        if let order = archive.entries[folder + "byteorder"], !bytes[order].elementsEqual("little".utf8) {
            throw FormatFault(offset: order.lowerBound, reason: "its numbers are not little-endian", isUnsupported: true)
        }
        guard range.count <= PickleMachine.maximumBytes else {
            throw FormatFault(offset: range.lowerBound, reason: "its pickle has \(range.count) bytes; at most \(PickleMachine.maximumBytes) are read")
        }
        machine = PickleMachine(UnsafeRawBufferPointer(rebasing: bytes[range]))
        root = try machine.run(named: pickle)
        guard machine.end == range.count else { throw FormatFault(offset: range.lowerBound + machine.end, reason: "something follows the pickle's end") }
        storages = [:]
        let data = folder + "data/"
        for (name, range) in archive.entries where name.hasPrefix(data) { storages[String(name.dropFirst(data.count))] = range }
    }
}

/// The layout before PyTorch 1.6: five pickles (magic number, protocol, system, object, keys of the storages), then every storage as a
/// 64-bit count of elements and the elements. Source: torch/serialization.py (`_legacy_load`).
enum LegacyCheckpoint {
    /// The pickle of 0x1950a86a20f9469cfc6c, protocol 2.
    static let magic: [UInt8] = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
    static let protocolVersion: Int64 = 1001

    static func isLegacy(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: magic) }
}

extension CheckpointParts {
    init(legacy bytes: UnsafeRawBufferPointer) throws(FormatFault) {
        var offset = LegacyCheckpoint.magic.count
        /// The next of the five pickles.
        func next(_ name: String) throws(FormatFault) -> (PickleMachine, PickleValue) {
            var machine = PickleMachine(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
            let value = try machine.run(named: name)
            offset += machine.end
            return (machine, value)
        }
        let (_, version) = try next("the protocol version")
        guard version == .integer(LegacyCheckpoint.protocolVersion) else {
            throw FormatFault(offset: offset, reason: "its protocol version is not \(LegacyCheckpoint.protocolVersion)", isUnsupported: true)
        }
        try Self.checkSystem(next("the system's description"), at: offset)
        (machine, root) = try next("the object")
        let (keyMachine, keys) = try next("the list of storages")
        guard let keys = keyMachine.items(keys, .list) else { throw FormatFault(offset: offset, reason: "the list of storages is not a list") }

        var declared: [String: PickledStorage] = [:]
        for storage in machine.storages {
            guard let key = machine.text(.text(storage.key)) else { throw FormatFault(offset: offset, reason: "a storage's key is not text") }
            declared[key] = storage
        }
        storages = [:]
        var cursor = ByteCursor(bytes, at: offset)
        for key in keys {
            guard let name = keyMachine.text(key), let storage = declared[name] else { throw cursor.fault("a storage is listed that no tensor names") }
            guard let size = storage.elementBytes else {
                // Without its element size the place of the next storage is not known.
                throw FormatFault(offset: cursor.offset, reason: "a storage has the unknown type \(machine.globalNames[Int(storage.global)])", isUnsupported: true)
            }
            let count = try cursor.length()
            let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { throw cursor.fault("a storage of \(count) elements") }
            guard storages.updateValue(try cursor.take(byteCount), forKey: name) == nil else { throw cursor.fault("a storage is listed twice") }
        }
    }

    private static func checkSystem(_ system: (PickleMachine, PickleValue), at offset: Int) throws(FormatFault) {
        guard let items = system.0.items(system.1, .dictionary) else { throw FormatFault(offset: offset, reason: "the system's description is not a dictionary") }
        for index in stride(from: 0, to: items.count, by: 2) where system.0.text(items[index]) == "little_endian" && items[index + 1] != .boolean(true) {
            throw FormatFault(offset: offset, reason: "its numbers are not little-endian", isUnsupported: true)
        }
    }
}

extension PickleMachine {
    /// `run`, with the pickle's name in front of what is wrong.
    mutating func run(named name: String) throws(FormatFault) -> PickleValue {
        do throws(FormatFault) {
            return try run()
        } catch {
            throw FormatFault(offset: error.offset, reason: "\(name): \(error.reason)", isUnsupported: error.isUnsupported)
        }
    }
}
