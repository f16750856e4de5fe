/// The LLaMA architecture's numbers as a GGUF file states them (`llama.*`). Nothing is guessed but what the format defines a default for.
package struct GGUFLlama: Sendable, Equatable {
    package var layers: Int
    package var context: Int
    package var hidden: Int
    package var feedForward: Int
    package var heads: Int
    package var keyValueHeads: Int
    package var headDimension: Int
    package var vocabulary: Int
    package var rmsNormEpsilon: Double
    package var ropeTheta: Double
    package var ropeScaling: RopeScaling
    /// No `output.weight`: the head is the embedding table.
    package var tiedEmbeddings: Bool

    /// `llama.rope.scaling.*`
    package struct RopeScaling: Sendable, Equatable {
        /// "none", "linear", "yarn", "longrope".
        package var kind: String
        /// Positions are divided by it ("linear").
        package var factor: Double
        package var originalContext: Int?
        package var attentionFactor: Double?
        /// LLaMA 3: every frequency is divided by its factor, `[headDimension / 2]`; from the tensor `rope_freqs.weight`.
        package var frequencyFactors: [Float]?
    }

    /// - Throws: `WeightsError.malformed` with the key where one is missing, of another kind, or describes what is not computed here
    ///   (another architecture, experts, heads that differ between layers, rotation of a part of the head).
    package init(_ gguf: GGUF) throws(WeightsError) {
        func refuse(_ reason: String) -> WeightsError { .malformed(path: gguf.path, reason: reason) }
        func number(_ key: String, default value: Int? = nil) throws(WeightsError) -> Int {
            guard let found = try gguf.integer("llama." + key) ?? value else { throw refuse("metadata \"llama.\(key)\" is missing") }
            // Far above any model's, so that products of two fit.
            guard found > 0, found <= 1 << 30 else { throw refuse("metadata \"llama.\(key)\" is \(found)") }
            return found
        }
        let architecture = try gguf.string("general.architecture")
        guard architecture == "llama" else { throw refuse("the architecture is \"\(architecture ?? "")\"; this program computes \"llama\"") }
        if let experts = try gguf.integer("llama.expert_count"), experts > 0 { throw refuse("it is a mixture of \(experts) experts") }

        layers = try number("block_count")
        context = try number("context_length")
        hidden = try number("embedding_length")
        feedForward = try number("feed_forward_length")
        heads = try number("attention.head_count")
        keyValueHeads = try number("attention.head_count_kv", default: heads)
        guard hidden % heads == 0, heads % keyValueHeads == 0 else {
            throw refuse("\(hidden) wide with \(heads) heads and \(keyValueHeads) key-value heads")
        }
        headDimension = hidden / heads
        for key in ["attention.key_length", "attention.value_length", "rope.dimension_count"] {
            let found = try number(key, default: headDimension)
            guard found == headDimension else { throw refuse("\"llama.\(key)\" is \(found); the heads have \(headDimension)") }
        }
        guard headDimension % 2 == 0 else { throw refuse("heads of \(headDimension) numbers cannot be rotated in pairs") }
        guard let epsilon = try gguf.real("llama.attention.layer_norm_rms_epsilon"), epsilon > 0, epsilon < 1 else {
            throw refuse("metadata \"llama.attention.layer_norm_rms_epsilon\" is missing or no small number")
        }
        rmsNormEpsilon = epsilon
        ropeTheta = try gguf.real("llama.rope.freq_base") ?? 10_000
        guard ropeTheta > 0, ropeTheta.isFinite else { throw refuse("metadata \"llama.rope.freq_base\" is \(ropeTheta)") }
        ropeScaling = try RopeScaling(gguf, pairs: headDimension / 2)

        guard let table = gguf.block("token_embd.weight") else { throw .missingTensor(path: gguf.path, name: "token_embd.weight") }
        guard table.shape.count == 2, table.columns == hidden, table.rows > 0 else {
            throw .wrongShape(path: gguf.path, name: table.name, found: table.shape, expected: [try number("vocab_size", default: 1), hidden])
        }
        vocabulary = table.rows
        if let claimed = try gguf.integer("llama.vocab_size"), claimed != vocabulary {
            throw .wrongShape(path: gguf.path, name: table.name, found: table.shape, expected: [claimed, hidden])
        }
        tiedEmbeddings = gguf.block("output.weight") == nil
    }
}

extension GGUFLlama.RopeScaling {
    fileprivate init(_ gguf: GGUF, pairs: Int) throws(WeightsError) {
        let linear = try gguf.real("llama.rope.scale_linear")  // before llama.rope.scaling.* existed
        let factor = try gguf.real("llama.rope.scaling.factor") ?? linear ?? 1
        kind = try gguf.string("llama.rope.scaling.type") ?? (factor == 1 ? "none" : "linear")
        // llama.cpp writes 0 for "none".
        self.factor = factor == 0 ? 1 : factor
        guard self.factor > 0, factor.isFinite else {
            throw .malformed(path: gguf.path, reason: "metadata \"llama.rope.scaling.factor\" is \(factor)")
        }
        originalContext = try gguf.integer("llama.rope.scaling.original_context_length")
        attentionFactor = try gguf.real("llama.rope.scaling.attn_factor")
        if let factors = gguf.block("rope_freqs.weight") {
            // As blocks they would be a multiple of the file in memory; llama.cpp writes them so, too.
            guard factors.type == .f32 else { throw .wrongType(path: gguf.path, name: factors.name, found: factors.type.description) }
            frequencyFactors = try gguf.floats(factors.name, shape: [pairs]).array
        }
    }
}
