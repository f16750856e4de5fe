package import RaDialogPipeline

/// A LoRA adapter's tensors, sorted by what they are for: pairs, replacements, extras. Checked against its own configuration here, and against the
/// base model in `LanguageModelWeights`.
package struct LoraAdapter: Sendable {
    package let path: String
    package let configuration: AdapterConfiguration

    /// A and B of one linear layer: W' = W + scale * B A.
    struct Pair: Sendable {
        /// Names in the adapter's file.
        var a: String
        var b: String
    }

    /// Weight of the base model ("model.layers.0.self_attn.q_proj.weight") -> its pair.
    let pairs: [String: Pair]
    /// Weight of the base model -> the adapter's tensor that stands in its place (`modules_to_save`, resized embeddings), and tensors the base
    /// model does not have ("model.img_proj_layer.weight").
    let replacements: [String: String]
    let source: any CheckpointTensors

    /// Reads adapter_config.json and adapter_model.safetensors or .bin of a folder.
    package init(folder path: String) throws(ImportError) {
        let configuration = try AdapterConfiguration(folder: path)
        try self.init(source: try FolderTensors(path: path, kind: .adapter), configuration: configuration)
    }

    package init(source: any CheckpointTensors, configuration: AdapterConfiguration) throws(ImportError) {
        path = source.path
        self.source = source
        self.configuration = configuration
        var a: [String: String] = [:]
        var b: [String: String] = [:]
        var replacements: [String: String] = [:]
        func insert(_ name: String, for target: String, into table: inout [String: String]) throws(ImportError) {
            if let other = table.updateValue(name, forKey: target) {
                throw .badAdapter(path: source.path, reason: "\"\(other)\" and \"\(name)\" are both for \"\(target)\"")
            }
        }
        for name in source.names {
            switch try Self.role(of: name, path: source.path) {
            case .a(let module): try insert(name, for: module + ".weight", into: &a)
            case .b(let module): try insert(name, for: module + ".weight", into: &b)
            case .replacement(let target): try insert(name, for: target, into: &replacements)
            case .original: break
            }
        }
        for target in a.keys.sorted() where b[target] == nil { throw .badAdapter(path: path, reason: "\"\(a[target] ?? target)\" has no lora_B beside it") }
        for target in b.keys.sorted() where a[target] == nil { throw .badAdapter(path: path, reason: "\"\(b[target] ?? target)\" has no lora_A beside it") }
        pairs = a.reduce(into: [:]) { pairs, entry in
            if let second = b[entry.key] { pairs[entry.key] = Pair(a: entry.value, b: second) }
        }
        self.replacements = replacements
        for target in pairs.keys.sorted() where !configuration.isTarget(target) {
            throw .badAdapter(path: path, reason: "it has a LoRA pair for \"\(target)\", which target_modules of adapter_config.json does not name")
        }
        for target in pairs.keys.sorted() where replacements[target] != nil {
            throw .badAdapter(path: path, reason: "\"\(target)\" has a LoRA pair and a replacement")
        }
        for module in configuration.modulesToSave where !replacements.keys.contains(where: { Self.module(of: $0, endsWith: module) }) {
            throw .badAdapter(path: path, reason: "modules_to_save names \"\(module)\", of which the adapter has no tensor")
        }
    }

    /// Tensors of the adapter that are none of the base model's, as `CheckpointTensors` under their stripped names.
    package func extra(_ name: String) throws(ImportError) -> TensorView {
        guard let key = replacements[name] else { throw .missingTensor(path: path, name: name) }
        return try source.view(key)
    }

    private enum Role {
        case a(module: String)
        case b(module: String)
        case replacement(target: String)
        /// The frozen copy that peft keeps beside a saved module.
        case original
    }

    static let prefix = "base_model.model."

    /// What a tensor is for, from its key: `base_model.model.` + module + `.lora_A.weight`, `.lora_A.default.weight`, `.modules_to_save.default.weight` ...
    private static func role(of name: String, path: String) throws(ImportError) -> Role {
        guard name.hasPrefix(prefix) else {
            throw .badAdapter(path: path, reason: "the tensor \"\(name)\" does not begin with \"\(prefix)\": peft did not save this file")
        }
        let key = name.dropFirst(prefix.count)
        var parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for (kind, isA) in [("lora_A", true), ("lora_B", false)] {
            guard let place = parts.lastIndex(of: kind) else { continue }
            // The name of the adapter may stand between, and is "default" unless someone chose another: two adapters in one file collide.
            guard parts.last == "weight", parts.count - place == 2 || parts.count - place == 3 else { break }
            let module = parts[..<place].joined(separator: ".")
            return isA ? .a(module: module) : .b(module: module)
        }
        if let strange = parts.first(where: { $0.hasPrefix("lora_") }) {
            throw .badAdapter(path: path, reason: "the tensor \"\(name)\" is \"\(strange)\" of a kind of LoRA that is not merged")
        }
        if parts.contains("original_module") { return .original }
        if let place = parts.firstIndex(of: "modules_to_save") {
            parts.remove(at: place)
            // The adapter's name, as above.
            if parts.count > place + 1 { parts.remove(at: place) }
        }
        return .replacement(target: parts.joined(separator: "."))
    }

    /// Whether the module of a tensor's name is `module` or ends in it: "model.layers.0.mlp.up_proj.weight" is of "up_proj".
    static func module(of tensor: String, endsWith module: String) -> Bool {
        guard let dot = tensor.lastIndex(of: ".") else { return false }
        let name = tensor[..<dot]
        return name == module || name.hasSuffix("." + module)
    }
}

extension AdapterConfiguration {
    /// Whether peft puts LoRA beside the weight of this name.
    func isTarget(_ tensor: String) -> Bool {
        switch targets {
        case .modules(let modules): modules.contains { LoraAdapter.module(of: tensor, endsWith: $0) }
        case .allLinear: tensor.hasSuffix("_proj.weight")
        }
    }
}
