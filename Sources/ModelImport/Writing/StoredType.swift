package import RaDialogPipeline

/// Which type each tensor of a language model is stored in when the whole is wanted in one.
package enum StoredType {
    /// Widths that are no whole blocks fall back as in llama.cpp, so that files of both can be compared tensor by tensor.
    /// - Parameters:
    ///   - name: GGUF's.
    ///   - shape: row-major.
    ///   - tiedEmbeddings: whether the embedding is the head too.
    package static func of(_ name: String, shape: [Int], wanted: BlockType, tiedEmbeddings: Bool) -> BlockType {
        // Norms stay exact.
        guard shape.count > 1, let columns = shape.last else { return .f32 }
        // The head decides between tokens that are close: eight bits where the rest has four.
        let isHead = name == (tiedEmbeddings ? "token_embd.weight" : "output.weight")
        var type = isHead && (wanted == .q4_0 || wanted == .q4_K) ? .q8_0 : wanted
        if type == .q4_K, columns % type.blockElements != 0 { type = .q5_0 }
        return columns % type.blockElements == 0 ? type : .f16
    }
}
