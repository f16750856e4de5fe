import Foundation
import RaDialogPipeline

/// A bundle without vision parts: random weights at toy size, and a small SentencePiece vocabulary.
enum TalkingBundle {
    static func files() throws -> BundleFiles {
        let vocabulary = TokenizerModelFile.small.pieces.count
        let toy = try ToyLanguageModel(context: 512, vocabulary: vocabulary)
        var files = BundleFiles()
        for part in ["preprocessing", "image_encoder", "classifier", "alignment"] { files.set(part, nil) }
        for name in ["image_encoder.safetensors", "classifier.safetensors", "alignment.safetensors"] { files.files[name] = nil }
        files.set("prompts", ["system": "A chat.", "format": "vicuna"])
        files.set("language_model", [
            "architecture": "llama", "weights": "language_model.safetensors", "layers": 2, "hidden": 16, "heads": 4, "key_value_heads": 2,
            "feed_forward": 22, "vocabulary": vocabulary, "context": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tied_embeddings": false,
        ] as [String: any Sendable])
        files.files["language_model.safetensors"] = Array(try Data(contentsOf: URL(fileURLWithPath: toy.weights.open().path)))
        return files
    }

    static func write(to folder: ScratchFolder) throws { try files().write(to: folder) }
}
