package import RaDialogPipeline

/// config.json of a LLaMA-architecture model, as far as the manifest needs it. What would change the arithmetic in a way this program does not
/// compute is refused by name; keys about training and other frameworks are passed over.
package struct LlamaConfiguration: Sendable, Equatable {
    package var architectures: [String]
    package var hidden: Int
    package var layers: Int
    package var heads: Int
    package var keyValueHeads: Int
    package var feedForward: Int
    package var vocabulary: Int
    package var context: Int
    package var rmsNormEpsilon: Double
    package var ropeTheta: Double
    package var ropeScaling: RopeScaling?
    package var tiedEmbeddings: Bool

    /// `rope_scaling`: the kind as it is written ("linear", "llama3", "yarn") and its numbers by their keys ("factor").
    package struct RopeScaling: Sendable, Equatable {
        package var kind: String
        package var numbers: [String: Double]
    }

    /// Architectures whose language model is LLaMA's.
    static let known: Set<String> = ["LlamaForCausalLM", "LlavaLlamaForCausalLM", "LlavaLlamaModel", "LLaMAForCausalLM", "LlamaModel"]

    /// Reads `folder`/config.json.
    package init(folder path: String) throws(ImportError) {
        let folder = try CheckpointFolder(path)
        guard let file = try folder.map("config.json") else { throw .cannotRead(path: path, reason: "it has no config.json") }
        try self.init(try ConfigurationFile(file))
    }

    init(
        architectures: [String], hidden: Int, layers: Int, heads: Int, keyValueHeads: Int, feedForward: Int, vocabulary: Int, context: Int,
        rmsNormEpsilon: Double, ropeTheta: Double, ropeScaling: RopeScaling?, tiedEmbeddings: Bool
    ) {
        self.architectures = architectures
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.feedForward = feedForward
        self.vocabulary = vocabulary
        self.context = context
        self.rmsNormEpsilon = rmsNormEpsilon
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.tiedEmbeddings = tiedEmbeddings
    }

    /// Reads the file, whatever its name.
    package init(file: MappedFile) throws(ImportError) {
        try self.init(try ConfigurationFile(file))
    }

    init(_ file: ConfigurationFile) throws(ImportError) {
        architectures = try file.strings("architectures") ?? []
        guard architectures.contains(where: Self.known.contains) else {
            throw file.bad("architectures", "is \(architectures); one of \(Self.known.sorted().joined(separator: ", ")) is expected")
        }
        for key in ["attention_bias", "mlp_bias"] where try file.boolean(key) == true { throw file.bad(key, "is true; biases are not read") }
        if let value = file.value("quantization_config") {
            throw file.bad("quantization_config", "is \(value.text): the weights are quantised already; the original floating-point weights are needed")
        }
        if let activation = try file.string("hidden_act"), activation != "silu" { throw file.bad("hidden_act", "is \"\(activation)\"; only \"silu\" is computed") }

        hidden = try file.required("hidden_size", try file.integer("hidden_size", in: 2...65_536))
        layers = try file.required("num_hidden_layers", try file.integer("num_hidden_layers", in: 1...1024))
        heads = try file.required("num_attention_heads", try file.integer("num_attention_heads", in: 1...1024))
        keyValueHeads = try file.integer("num_key_value_heads", in: 1...1024) ?? heads
        feedForward = try file.required("intermediate_size", try file.integer("intermediate_size", in: 1...262_144))
        vocabulary = try file.required("vocab_size", try file.integer("vocab_size", in: 3...1_000_000))
        // Older files call it max_sequence_length.
        let older = try file.integer("max_sequence_length", in: 16...1_048_576)
        context = try file.required("max_position_embeddings", try file.integer("max_position_embeddings", in: 16...1_048_576) ?? older)
        rmsNormEpsilon = try file.number("rms_norm_eps", in: 1e-12...0.1) ?? 1e-6
        tiedEmbeddings = try file.boolean("tie_word_embeddings") ?? false
        guard hidden % heads == 0, (hidden / heads) % 2 == 0 else { throw file.bad("num_attention_heads", "has to divide hidden_size into even parts") }
        guard heads % keyValueHeads == 0 else { throw file.bad("num_key_value_heads", "has to divide num_attention_heads") }
        if let headSize = try file.integer("head_dim", in: 1...65_536), headSize != hidden / heads {
            throw file.bad("head_dim", "is \(headSize); only hidden_size / num_attention_heads = \(hidden / heads) is computed")
        }

        // transformers 5 writes both keys into one object.
        var rope = file
        if case .object(let members)? = file.value("rope_parameters") { rope.members = members }
        ropeTheta = try rope.number("rope_theta", in: 1...1e12) ?? 10_000
        ropeScaling = try Self.scaling(file, rope)
    }

    private static func scaling(_ file: ConfigurationFile, _ rope: ConfigurationFile) throws(ImportError) -> RopeScaling? {
        let key = file.value("rope_scaling") == nil ? "rope_parameters" : "rope_scaling"
        guard let value = file.value(key) else { return nil }
        guard case .object(let members) = value else { throw file.bad(key, "is \(value.text); an object or null is expected") }
        guard case .string(let kind)? = members["rope_type"] ?? members["type"] else { throw file.bad(key, "lacks its \"rope_type\"") }
        if kind == "default" { return nil }
        var numbers: [String: Double] = [:]
        for (name, member) in members {
            if case .number(let text) = member, let number = Double(text), number.isFinite { numbers[name] = number }
        }
        return RopeScaling(kind: kind, numbers: numbers)
    }
}

/// The tensors of a LLaMA-architecture model under their Hugging Face names, which are the bundle's.
extension LlamaConfiguration {
    package struct Tensor: Sendable, Equatable {
        package var name: String
        package var shape: [Int]
    }

    /// In the order in which the model reads them: embedding, layer after layer, norm, head.
    /// - Parameter vocabulary: rows of embedding and head, where the adapter brings others than the base model; nil for `self.vocabulary`.
    package func tensors(vocabulary: Int? = nil) -> [Tensor] {
        let rows = vocabulary ?? self.vocabulary
        let keyValue = hidden / heads * keyValueHeads
        var list = [Tensor(name: Self.embedding, shape: [rows, hidden])]
        for layer in 0..<layers {
            let prefix = "model.layers.\(layer)."
            list.append(Tensor(name: prefix + "input_layernorm.weight", shape: [hidden]))
            list.append(Tensor(name: prefix + "self_attn.q_proj.weight", shape: [hidden, hidden]))
            list.append(Tensor(name: prefix + "self_attn.k_proj.weight", shape: [keyValue, hidden]))
            list.append(Tensor(name: prefix + "self_attn.v_proj.weight", shape: [keyValue, hidden]))
            list.append(Tensor(name: prefix + "self_attn.o_proj.weight", shape: [hidden, hidden]))
            list.append(Tensor(name: prefix + "post_attention_layernorm.weight", shape: [hidden]))
            list.append(Tensor(name: prefix + "mlp.gate_proj.weight", shape: [feedForward, hidden]))
            list.append(Tensor(name: prefix + "mlp.up_proj.weight", shape: [feedForward, hidden]))
            list.append(Tensor(name: prefix + "mlp.down_proj.weight", shape: [hidden, feedForward]))
        }
        list.append(Tensor(name: "model.norm.weight", shape: [hidden]))
        if !tiedEmbeddings { list.append(Tensor(name: Self.head, shape: [rows, hidden])) }
        return list
    }

    static let embedding = "model.embed_tokens.weight"
    static let head = "lm_head.weight"
}
