import Foundation

/// A bundle of a few hundred bytes that opens; tests break it in one place.
struct BundleFiles {
    var files: [String: [UInt8]] = [
        "image_encoder.safetensors": SafetensorsFile([]).bytes,
        "classifier.safetensors": SafetensorsFile([]).bytes,
        "alignment.safetensors": SafetensorsFile([]).bytes,
        "language_model.safetensors": SafetensorsFile([.init(name: "w", type: "F16", shape: [4], bytes: [1, 2, 3, 4, 5, 6, 7, 8])]).bytes,
        "tokenizer.model": TokenizerModelFile.small.bytes,
    ]

    /// The manifest without its `files`.
    var manifest: [String: any Sendable] = [
        "format": "radialog-bundle", "format_version": 1, "name": "test", "version": "1.0.0", "kind": "demo", "description": "",
        "licence": "Apache-2.0", "provenance": ["origin": "a test"],
        "preprocessing": ["rendering": "mimic-cxr-jpg", "shorter_side": 256, "encoder_side": 224, "classifier_side": 244] as [String: any Sendable],
        "image_encoder": [
            "architecture": "biovil-t", "weights": "image_encoder.safetensors", "stem_channels": 16, "stage_blocks": [3, 4, 6, 3],
            "stage_channels": [16, 32, 64, 128], "expansion": 4, "patch_channels": 64, "projection": NSNull(), "batch_norm_eps": 1e-5,
        ] as [String: any Sendable],
        "classifier": [
            "architecture": "chexpert", "weights": "classifier.safetensors", "stem_channels": 16, "stage_blocks": [3, 4, 6, 3],
            "stage_channels": [16, 32, 64, 128], "expansion": 4, "patch_channels": 64, "projection": 64, "batch_norm_eps": 1e-5,
            "pool": 2, "hidden": 128, "labels": ["No Finding", "Edema", "Fracture"], "thresholds": [0.5, 0.25, 1],
        ] as [String: any Sendable],
        "alignment": ["architecture": "mlp", "weights": "alignment.safetensors", "input": 128, "hidden": 256, "output": 256] as [String: any Sendable],
        "language_model": [
            "architecture": "llama", "weights": "language_model.safetensors", "layers": 6, "hidden": 256, "heads": 8, "key_value_heads": 4,
            "feed_forward": 640, "vocabulary": 1536, "context": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tied_embeddings": false,
        ] as [String: any Sendable],
        "tokenizer": ["architecture": "sentencepiece-bpe", "model": "tokenizer.model"],
        "prompts": ["system": "A chat.", "report_instruction": "<image>. Predicted Findings: {findings}. Write."],
        "generation": ["max_report_tokens": 300, "max_answer_tokens": 600],
    ]

    var manifestBytes: [UInt8] {
        get throws {
            var manifest = manifest
            manifest["files"] = files.mapValues { ["bytes": $0.count, "sha256": sha256($0)] as [String: any Sendable] }
            return Array(try JSONSerialization.data(withJSONObject: manifest, options: [.sortedKeys]))
        }
    }

    /// Sets the value at a path like "classifier.pool"; nil removes the key.
    mutating func set(_ path: String, _ value: (any Sendable)?) {
        let keys = path.split(separator: ".").map(String.init)
        guard keys.count == 2 else {
            manifest[path] = value
            return
        }
        var object = manifest[keys[0]] as? [String: any Sendable] ?? [:]
        object[keys[1]] = value
        manifest[keys[0]] = object
    }

    func write(to folder: ScratchFolder) throws {
        for (name, bytes) in files { try folder.write(bytes, as: name) }
        try folder.write(manifestBytes, as: "manifest.json")
    }
}
