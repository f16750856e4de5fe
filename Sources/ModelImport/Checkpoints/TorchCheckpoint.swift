package import RaDialogPipeline

/// A file of torch.save: the zip layout (since PyTorch 1.6) or the legacy one, mapped; tensors are views into it.
///
/// Everything about every tensor of the wanted dictionary is checked before `init` returns, so that `view` only fails for a tensor that
/// is not there, that depends on something opaque, or that repeats its storage beyond bounds. Nothing is executed: see `PickleMachine`.
package struct TorchCheckpoint: CheckpointTensors {
    package var path: String { file.path }
    /// The tensors, and those that cannot be read.
    package var names: [String] { (Array(tensors.keys) + refused.keys).sorted() }
    /// Python names that stand in the file and mean nothing here ("argparse.Namespace"), sorted: for the import's notes.
    package let ignoredGlobals: [String]

    private let file: MappedFile
    private let tensors: [String: StoredTensor]
    /// Name of the tensor -> name of the global it depends on.
    private let refused: [String: String]

    /// - Parameter key: the key of the root dictionary under which the tensors stand; nil where they stand in the root.
    package init(path: String, under key: String? = nil) throws(ImportError) {
        try self.init(file: mapFile(path), under: key)
    }

    package init(file: MappedFile, under key: String? = nil) throws(ImportError) {
        self.file = file
        let parts: CheckpointParts
        do throws(FormatFault) {
            if ZipArchive.isZip(file.bytes) {
                parts = try CheckpointParts(zip: file.bytes)
            } else if LegacyCheckpoint.isLegacy(file.bytes) {
                parts = try CheckpointParts(legacy: file.bytes)
            } else {
                throw FormatFault(offset: 0, reason: "it is neither a zip archive nor the older layout of torch.save", isUnsupported: true)
            }
        } catch {
            throw error.error(path: file.path)
        }
        (tensors, refused) = try parts.tensors(under: key, path: file.path)
        ignoredGlobals = zip(parts.machine.globalNames, parts.machine.globals).filter { $1 == .unknown }.map(\.0).sorted()
    }

    /// How the tensor is stored; nil where it is not there or cannot be read.
    package func stored(_ name: String) -> StoredTensor? { tensors[name] }

    package func shape(of name: String) throws(ImportError) -> [Int] { try find(name).shape }

    package func view(_ name: String) throws(ImportError) -> TensorView { try find(name).view(name: name, in: file) }

    private func find(_ name: String) throws(ImportError) -> StoredTensor {
        if let tensor = tensors[name] { return tensor }
        if let global = refused[name] { throw .refusedGlobal(path: path, wanted: "tensor \"\(name)\"", global: global) }
        throw .missingTensor(path: path, name: name)
    }
}

/// The pickle of a checkpoint and where its storages lie: what both layouts come down to.
struct CheckpointParts {
    var machine: PickleMachine
    var root: PickleValue
    /// Key of a storage -> its bytes in the file.
    var storages: [String: Range<Int>]

    /// The tensors of the wanted dictionary.
    func tensors(under key: String?, path: String) throws(ImportError) -> (found: [String: StoredTensor], refused: [String: String]) {
        var found: [String: StoredTensor] = [:]
        var refused: [String: String] = [:]
        var items = try dictionary(root, "the root of the file", path: path)
        if let key {
            guard let value = lookUp(key, in: items) else {
                throw .malformed(path: path, reason: "its dictionary has no \"\(key)\", under which the tensors should stand")
            }
            items = try dictionary(value, "\"\(key)\"", path: path)
        }
        for index in stride(from: 0, to: items.count, by: 2) {
            guard let name = machine.text(items[index]) else {
                throw .malformed(path: path, reason: "a key of its tensors is not text of at most \(PickleMachine.maximumNameBytes) bytes")
            }
            guard found[name] == nil, refused[name] == nil else { throw .malformed(path: path, reason: "the tensor \"\(name)\" stands twice") }
            switch items[index + 1] {
            case .tensor(let tensor): found[name] = try stored(machine.tensors[Int(tensor)], name: name, path: path)
            case let value:
                // A counter, say. Only what a global made could have been a tensor.
                if let global = machine.globalBehind(value) { refused[name] = machine.globalNames[Int(global)] }
            }
        }
        guard !found.isEmpty || !refused.isEmpty else {
            throw .malformed(path: path, reason: key.map { "\"\($0)\" holds no tensors" } ?? "it holds no tensors at the top level; its keys are \(keys(items))")
        }
        return (found, refused)
    }

    private func stored(_ tensor: PickledTensor, name: String, path: String) throws(ImportError) -> StoredTensor {
        let storage = machine.storages[Int(tensor.storage)]
        guard let key = machine.text(.text(storage.key)), let range = storages[key] else {
            throw .malformed(path: path, reason: "the storage of tensor \"\(name)\" is not in the file")
        }
        let size = storage.elementBytes ?? tensor.type.bytesPerElement
        guard storage.count.multipliedReportingOverflow(by: size) == (range.count, false) else {
            throw .malformed(path: path, reason: "the storage of tensor \"\(name)\" should have \(storage.count) elements of \(size) bytes and has \(range.count) bytes")
        }
        var part = range
        if let view = storage.view { part = range.lowerBound + view.lowerBound * size..<range.lowerBound + view.upperBound * size }
        do throws(TensorFault) {
            return try StoredTensor(tensor, storage: part)
        } catch {
            throw .malformed(path: path, reason: "tensor \"\(name)\" \(error.reason)")
        }
    }

    private func dictionary(_ value: PickleValue, _ what: String, path: String) throws(ImportError) -> [PickleValue] {
        if let items = machine.items(value, .dictionary) { return items }
        if let global = machine.globalBehind(value) { throw .refusedGlobal(path: path, wanted: what, global: machine.globalNames[Int(global)]) }
        throw .malformed(path: path, reason: "\(what) is not a dictionary")
    }

    private func lookUp(_ key: String, in items: [PickleValue]) -> PickleValue? {
        for index in stride(from: items.count - 2, through: 0, by: -2) where machine.text(items[index]) == key { return items[index + 1] }
        return nil
    }

    /// The first keys, for a message: names that a programmer chose.
    private func keys(_ items: [PickleValue]) -> String {
        let names = stride(from: 0, to: min(items.count, 16), by: 2).compactMap { machine.text(items[$0]) }
        return "\(names.map { String($0.prefix(60)) })"
    }
}
