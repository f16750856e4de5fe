import ModelImport
import RaDialogPipeline

/// The readers that are given files from strangers. The fuzzer (Fuzz/README.md) and the tests, which read the files that the fuzzer found, go through the
/// same calls.
package enum FuzzEntry: String, CaseIterable, Sendable {
    /// PyTorch's zip and older layouts, with the pickle in them.
    case checkpoint
    case safetensors
    /// With the tokenizer in its metadata and the language model's view of it.
    case gguf
    /// `tokenizer.model` of SentencePiece and `tokenizer.json` of Hugging Face, told apart by the first byte.
    case tokenizer
    /// manifest.json of a bundle, config.json of a language model, adapter_config.json of a LoRA adapter: each input as all three.
    case manifest

    /// Reads `bytes` as a file of this kind, and uses what came out as import and pipeline do.
    /// - Throws: what the reader throws; see `isRefusal`.
    package func read(_ bytes: UnsafeRawBufferPointer) throws {
        let file = MappedFile(path: rawValue, borrowing: bytes)
        defer { withExtendedLifetime(file) {} }
        switch self {
        case .checkpoint: try readCheckpoint(file)
        case .safetensors: try readSafetensors(file)
        case .gguf: try readGGUF(file)
        case .tokenizer: try readTokenizer(file)
        case .manifest: try readConfigurations(file)
        }
    }

    /// Whether the error is of the kind in which this reader says what is wrong with a file.
    package func isRefusal(_ error: any Error) -> Bool {
        switch self {
        case .checkpoint: error is ImportError
        case .safetensors: error is WeightsError
        case .gguf: error is WeightsError || error is TokenizerError
        case .tokenizer: error is TokenizerError
        case .manifest: error is BundleError || error is ImportError
        }
    }
}

/// Ends the process: the reader broke a promise that the fuzzer is to find.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fatalError(promise()) }
}
