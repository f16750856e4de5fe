package import RaDialogPipeline

/// Canonical names -> tensors of one or several checkpoints; later layers stand in front of earlier ones.
struct KeyTable {
    private(set) var places: [String: (source: any CheckpointTensors, key: String)] = [:]
    /// Names that a later layer replaced, in order.
    private(set) var replaced: [String] = []

    /// Adds the tensors that `rename` gives a name.
    /// - Throws: `unexpectedTensor` where two keys of one source get the same name.
    mutating func add(_ source: any CheckpointTensors, rename: (String) -> String?) throws(ImportError) {
        var added: [String: String] = [:]
        for key in source.names {
            guard let name = rename(key) else { continue }
            if let other = added.updateValue(key, forKey: name) {
                throw .unexpectedTensor(path: source.path, name: key, reason: "which stands for the same as \"\(other)\"")
            }
            if places.updateValue((source, key), forKey: name) != nil { replaced.append(name) }
        }
    }

    func contains(_ name: String) -> Bool { places[name] != nil }

    /// - Throws: `missingTensor` with the path of `primary`.
    func shape(_ name: String, in primary: any CheckpointTensors) throws(ImportError) -> [Int] {
        guard let place = places[name] else { throw .missingTensor(path: primary.path, name: name) }
        return try place.source.shape(of: place.key)
    }

    /// The view under its canonical name.
    func view(_ name: String, shape: [Int], in primary: any CheckpointTensors) throws(ImportError) -> TensorView {
        guard let place = places[name] else { throw .missingTensor(path: primary.path, name: name) }
        let view = try place.source.view(place.key, shape: shape)
        guard [.f32, .f16, .bf16].contains(view.type) else { throw .wrongType(path: place.source.path, name: place.key, found: view.type.rawValue) }
        return TensorView(name: name, type: view.type, shape: view.shape, bytes: view.bytes, owner: view.owner)
    }
}

/// A part of the model with every tensor found, of the right shape, floating point, and under the bundle's names. The forward pass can read it as it is.
package struct ImportedPart: TensorSource {
    package let path: String
    package var names: [String] { views.keys.sorted() }
    private let views: [String: TensorView]

    init(_ table: KeyTable, _ wanted: [LlamaConfiguration.Tensor], primary: any CheckpointTensors) throws(ImportError) {
        path = primary.path
        var views: [String: TensorView] = [:]
        for tensor in wanted { views[tensor.name] = try table.view(tensor.name, shape: tensor.shape, in: primary) }
        self.views = views
    }

    package func find(_ name: String) -> TensorView? { views[name] }
}

extension String {
    /// Without `prefix`; nil where it does not begin with it.
    func without(prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
