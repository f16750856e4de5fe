extension BundleManifest.LanguageModel {
    /// What a GGUF file says of itself. `weights`: what the file is called in the bundle.
    /// - Throws: `WeightsError.malformed` where the file asks for a stretched rotary embedding that is not computed here.
    package init(_ gguf: GGUFLanguageWeights, weights: String) throws(WeightsError) {
        let llama = gguf.llama
        self.init(
            weights: weights, layers: llama.layers, hidden: llama.hidden, heads: llama.heads, keyValueHeads: llama.keyValueHeads,
            feedForward: llama.feedForward, vocabulary: llama.vocabulary, context: llama.context, rmsNormEpsilon: llama.rmsNormEpsilon,
            ropeTheta: llama.ropeTheta, ropeScaling: try Self.scaling(llama.ropeScaling, gguf.path), tiedEmbeddings: llama.tiedEmbeddings)
    }

    private static func scaling(_ scaling: GGUFLlama.RopeScaling, _ path: String) throws(WeightsError) -> BundleManifest.RopeScaling {
        guard scaling.frequencyFactors == nil else {
            throw .malformed(path: path, reason: "it scales every frequency of its rotary embedding by itself (rope_freqs.weight), which is not computed from a GGUF file")
        }
        switch scaling.kind {
        case "none": return .unscaled
        case "linear": return scaling.factor == 1 ? .unscaled : .linear(factor: scaling.factor)
        default: throw .malformed(path: path, reason: "its rotary embedding is scaled by \"\(scaling.kind)\"; \"none\" and \"linear\" are computed")
        }
    }
}
