/// GGUF's tensor names of the LLaMA architecture, and Hugging Face's.
package enum GGUFNames {
    private static let whole = [
        ("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head"),
    ]
    private static let perLayer = [
        ("attn_norm", "input_layernorm"), ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"), ("ffn_norm", "post_attention_layernorm"), ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
    ]

    /// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; nil for a name that has no counterpart.
    package static func huggingFace(_ name: String) -> String? {
        translate(name, layer: "blk.", to: "model.layers.", whole: whole, perLayer: perLayer)
    }

    /// The other way.
    package static func gguf(_ name: String) -> String? {
        translate(name, layer: "model.layers.", to: "blk.", whole: whole.map { ($1, $0) }, perLayer: perLayer.map { ($1, $0) })
    }

    private static func translate(
        _ name: String, layer prefix: String, to target: String, whole: [(String, String)], perLayer: [(String, String)]
    ) -> String? {
        for suffix in [".weight", ".bias"] where name.hasSuffix(suffix) {
            let stem = name.dropLast(suffix.count)
            if let pair = whole.first(where: { $0.0 == stem }) { return pair.1 + suffix }
            guard stem.hasPrefix(prefix), let dot = stem.dropFirst(prefix.count).firstIndex(of: ".") else { return nil }
            let number = stem.dropFirst(prefix.count)[..<dot]
            // Digits as they are written by both: no sign, no leading zero.
            guard let index = Int(number), String(index) == number, index >= 0 else { return nil }
            let part = stem[stem.index(after: dot)...]
            return perLayer.first { $0.0 == part }.map { "\(target)\(index).\($0.1)\(suffix)" }
        }
        return nil
    }
}

/// Rows of q and k. llama.cpp's converter reorders them within each head, because its rotary embedding pairs neighbours (2i, 2i + 1)
/// where the layout of Hugging Face, and ours, pairs halves (i, i + half).
package enum GGUFRotaryRows {
    /// For each row in half-split order, the row of a GGUF file that holds it.
    ///
    /// - Parameters:
    ///   - heads: of the tensor: query heads for q, key-value heads for k.
    package static func halfSplit(heads: Int, headDimension: Int) -> [UInt32] {
        rows(heads: heads, headDimension: headDimension) { $1 * 2 + $0 }
    }

    /// The other way: for each row of a GGUF file, the half-split row that goes there.
    package static func interleaved(heads: Int, headDimension: Int) -> [UInt32] {
        precondition(heads > 0 && headDimension > 0 && headDimension % 2 == 0, "heads of pairs")
        return (0..<heads * headDimension).map { row in
            let within = row % headDimension
            return UInt32(row - within + within % 2 * (headDimension / 2) + within / 2)
        }
    }

    /// `place(half, index)`: 0 or 1, and 0 ..< headDimension / 2.
    private static func rows(heads: Int, headDimension: Int, _ place: (Int, Int) -> Int) -> [UInt32] {
        precondition(heads > 0 && headDimension > 0 && headDimension % 2 == 0, "heads of pairs")
        let half = headDimension / 2
        return (0..<heads * headDimension).map { row in
            let within = row % headDimension
            return UInt32(row - within + place(within / half, within % half))
        }
    }
}

/// The language model of a GGUF file under the names and in the row order that `LanguageModel` reads.
package struct GGUFLanguageWeights: TensorSource {
    package let gguf: GGUF
    package let llama: GGUFLlama

    package var path: String { gguf.path }
    /// Hugging Face names; tensors without a counterpart are left out.
    package var names: [String] { gguf.storedNames.compactMap(GGUFNames.huggingFace).sorted() }

    package init(_ gguf: GGUF) throws(WeightsError) {
        self.gguf = gguf
        llama = try GGUFLlama(gguf)
    }

    /// By the Hugging Face name; q and k in half-split order.
    package func block(_ name: String) -> BlockTensor? {
        guard let stored = GGUFNames.gguf(name), let tensor = gguf.block(stored) else { return nil }
        return tensor.reordered(order(stored, rows: tensor.shape.first ?? 1), name: name)
    }

    package func block(_ name: String, shape: [Int]) throws(WeightsError) -> BlockTensor {
        guard let tensor = block(name) else { throw .missingTensor(path: path, name: name) }
        guard tensor.shape == shape else { throw .wrongShape(path: path, name: name, found: tensor.shape, expected: shape) }
        return tensor
    }

    /// Only what lies in the file as it is wanted: plain numbers, and neither q nor k. `block` and `floats` give every tensor.
    package func find(_ name: String) -> TensorView? {
        guard let tensor = block(name), tensor.order == nil, let type = tensor.type.elementType else { return nil }
        return TensorView(name: name, type: type, shape: tensor.shape, bytes: tensor.bytes, owner: tensor.owner)
    }

    /// Dequantised and reordered.
    package func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        try block(name, shape: shape).floats()
    }

    private func order(_ stored: String, rows: Int) -> [UInt32]? {
        let heads =
            switch stored.split(separator: ".").dropFirst(2).first {
            case "attn_q": llama.heads
            case "attn_k": llama.keyValueHeads
            default: 0
            }
        // A tensor of another shape is refused by its name, not here.
        guard heads > 0, rows == heads * llama.headDimension, stored.hasSuffix(".weight") else { return nil }
        return GGUFRotaryRows.halfSplit(heads: heads, headDimension: llama.headDimension)
    }
}
