import RaDialogPipeline

/// Which type each tensor of a language model is stored in when the whole is wanted in one.
enum StoredType {
    /// - Parameter name: GGUF's.
    static func of(_ name: String, shape: [Int], wanted: BlockType) -> BlockType {
        // Norms stay exact.
        if shape.count == 1 { return .f32 }
        // The head decides between tokens that are close: eight bits where the rest has four.
        let isFourBits = wanted == .q4_0 || wanted == .q4_K
        if name == "output.weight", isFourBits { return .q8_0 }
        return wanted
    }
}
