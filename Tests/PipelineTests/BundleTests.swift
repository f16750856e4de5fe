import Foundation
import RaDialogPipeline
import ReportModel
import Testing

@Suite struct BundleTests {
    private func folder(_ change: (inout BundleFiles) -> Void = { _ in }) throws -> ScratchFolder {
        let folder = try ScratchFolder()
        var files = BundleFiles()
        change(&files)
        try files.write(to: folder)
        return folder
    }

    /// The message of the refusal, or nil where the bundle opened.
    private func refusal(_ folder: ScratchFolder) -> String? {
        do {
            _ = try ModelBundle.open(folder.path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a prompt with a slot that nothing fills is refused`() throws {
        let message = refusal(try folder { $0.set("prompts.report_instruction", "<image> of {PatientName}: {findings}") })
        #expect(message?.contains("holds {PatientName}") == true)
    }

    @Test func `a whole bundle opens and says what it is`() throws {
        let folder = try folder()
        let bundle = try ModelBundle.open(folder.path)
        #expect((bundle.name, bundle.version, bundle.kind.rawValue) == ("test", "1.0.0", "demo"))
        #expect(bundle.sha256 == sha256(Array(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/manifest.json")))))
        let vision = try #require(bundle.manifest.vision)
        #expect(vision.classifier.thresholds == [0.5, 0.25, 1] && vision.imageEncoder.projection == nil)
        #expect(bundle.tokenizer.vocabularySize > 256)
        #expect(try bundle.weights("language_model.safetensors").names == ["w"])
        #expect(throws: BundleError.self) { try bundle.weights("tokenizer.model") }
    }

    @Test func `a flipped bit in any byte of any file is refused`() throws {
        let folder = try folder()
        let files = BundleFiles()
        for (name, bytes) in files.files {
            for offset in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
                var changed = bytes
                changed[offset] ^= 0x10
                try folder.write(changed, as: name)
                #expect(refusal(folder)?.contains("\(name) has SHA-256") == true, "\(name), byte \(offset)")
            }
            try folder.write(bytes, as: name)
        }
        #expect(refusal(folder) == nil)
    }

    @Test func `the hashes of a file's pieces are checked in place of the whole file's`() throws {
        let files = BundleFiles()
        let right = sha256(try #require(files.files["alignment.safetensors"]))
        let folder = try folder()
        func changed(_ pieces: [String]) throws -> String? {
            var manifest = try #require(JSONSerialization.jsonObject(with: Data(files.manifestBytes)) as? [String: Any])
            var entries = try #require(manifest["files"] as? [String: Any])
            var entry = try #require(entries["alignment.safetensors"] as? [String: Any])
            entry["sha256"] = String(repeating: "0", count: 64)
            entry["pieces"] = pieces
            entries["alignment.safetensors"] = entry
            manifest["files"] = entries
            try folder.write(Array(JSONSerialization.data(withJSONObject: manifest)), as: "manifest.json")
            return refusal(folder)
        }
        #expect(try changed([right]) == nil)
        #expect(try changed([String(repeating: "1", count: 64)])?.contains("alignment.safetensors has SHA-256 \(right)") == true)
        #expect(try changed([right, right])?.contains("files.alignment.safetensors.pieces") == true)
        #expect(try changed(["00"])?.contains("files.alignment.safetensors.pieces") == true)
        #expect(try changed([])?.contains("files.alignment.safetensors.pieces") == true)
    }

    @Test func `a manifest cut at any byte is refused, and one with a flipped bit never traps`() throws {
        let folder = try folder()
        let whole = try BundleFiles().manifestBytes
        for length in stride(from: 0, to: whole.count, by: 3) {
            try folder.write(whole[..<length], as: "manifest.json")
            #expect(refusal(folder) != nil, "cut at \(length)")
        }
        for offset in stride(from: 0, to: whole.count, by: 5) {
            var changed = whole
            changed[offset] ^= UInt8(1) << UInt8(offset % 8)
            try folder.write(changed, as: "manifest.json")
            _ = refusal(folder)
        }
    }

    @Test func `a missing, an extra, a shorter and a linked file are refused by name`() throws {
        let folder = try folder()
        let file = folder.path + "/alignment.safetensors"
        try folder.write([1], as: "notes.txt")
        #expect(refusal(folder)?.contains("holds notes.txt") == true)
        try FileManager.default.removeItem(atPath: folder.path + "/notes.txt")

        try FileManager.default.moveItem(atPath: file, toPath: folder.path + "-elsewhere")
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder.path + "-elsewhere") } }
        #expect(refusal(folder)?.contains("no file alignment.safetensors") == true)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: folder.path + "-elsewhere")
        #expect(refusal(folder)?.contains("symbolic link") == true)
        try FileManager.default.removeItem(atPath: file)

        try folder.write([0, 0], as: "alignment.safetensors")
        #expect(refusal(folder)?.contains("has 2 bytes, its manifest says") == true)
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        #expect(refusal(folder)?.contains("not a regular file") == true)
    }

    @Test func `a folder that is none or has no manifest is refused`() throws {
        let folder = try ScratchFolder()
        #expect(refusal(folder)?.contains("no manifest.json") == true)
        #expect(throws: BundleError.self) { try ModelBundle.open(folder.path + "/nothing") }
        try folder.write([UInt8](repeating: 0x20, count: (1 << 20) + 1), as: "manifest.json")
        #expect(refusal(folder)?.contains("more than the 1048576") == true)
    }

    @Test func `damaged weights and a damaged tokenizer are refused even where their hash is right`() throws {
        #expect(refusal(try folder { $0.files["classifier.safetensors"] = [1, 2, 3] })?.contains("is damaged") == true)
        #expect(refusal(try folder { $0.files["tokenizer.model"] = [1, 2, 3] })?.contains("not a SentencePiece model") == true)
        #expect(refusal(try folder { $0.set("language_model.vocabulary", 20) })?.contains("smaller than the tokenizer's") == true)
    }

    /// Key, wrong value (nil: absent), and what the message has to name.
    struct Wrong: Sendable {
        var key: String
        var value: (any Sendable)?
        var message: String

        init(_ key: String, _ value: (any Sendable)?, _ message: String? = nil) {
            self.key = key
            self.value = value
            self.message = message ?? key
        }
    }

    static let wrongs: [Wrong] = [
        Wrong("format", "other"), Wrong("format_version", 2), Wrong("format_version", nil, "format_version: is missing"),
        Wrong("surprise", 1, "surprise: is a key this program does not know"), Wrong("classifier.surprise", 1, "classifier.surprise: is a key"),
        Wrong("name", ""), Wrong("name", "a\u{1}b"), Wrong("name", 3), Wrong("kind", "toy"), Wrong("provenance", ["a": 1]),
        Wrong("preprocessing.rendering", "raw"), Wrong("preprocessing.shorter_side", 100_000), Wrong("preprocessing.shorter_side", 230),
        Wrong("preprocessing.encoder_side", 224.5), Wrong("image_encoder.stage_blocks", [3, 4, 6]), Wrong("image_encoder.stage_blocks", [3, 4, 6, 0]),
        Wrong("image_encoder.architecture", "vit"), Wrong("image_encoder.batch_norm_eps", 0), Wrong("image_encoder.projection", -1),
        Wrong("image_encoder.weights", "../other"), Wrong("image_encoder.weights", "/etc/passwd"), Wrong("image_encoder.weights", ".hidden"),
        Wrong("image_encoder.weights", "absent.safetensors", "does not name absent.safetensors"),
        Wrong("classifier.projection", NSNull()), Wrong("classifier.pool", 3), Wrong("classifier.labels", ["No Finding", "No Finding", "Edema"]),
        Wrong("classifier.labels", ["No Finding", "Gout", "Edema"]), Wrong("classifier.labels", [] as [String]), Wrong("classifier.thresholds", [0.5]),
        Wrong("classifier.thresholds", [0.5, 0.5, 1.5]), Wrong("alignment.input", 64), Wrong("alignment.output", 128), Wrong("language_model.heads", 7),
        Wrong("language_model.key_value_heads", 3), Wrong("language_model.layers", 1e300), Wrong("language_model.layers", 0),
        Wrong("language_model.context", 40), Wrong("language_model.tied_embeddings", 1), Wrong("language_model.rope_theta", "10000"),
        Wrong("tokenizer.model", "a/b"), Wrong("prompts.system", "hello <image>"),
        Wrong("prompts.report_instruction", "no picture {findings}"), Wrong("prompts.report_instruction", "<image><image>{findings}"),
        Wrong("prompts.report_instruction", "<image> no findings"), Wrong("generation.max_report_tokens", 0), Wrong("generation", [1]),
    ]

    @Test(arguments: wrongs)
    func `a wrong value in the manifest is refused by its key`(wrong: Wrong) throws {
        let message = refusal(try folder { $0.set(wrong.key, wrong.value) })
        #expect(message?.contains(wrong.message) == true, "\(message ?? "accepted")")
    }

    @Test(arguments: [
        "", "[]", "{", "{}", "null", "{\"format\":\"radialog-bundle\",\"format\":\"radialog-bundle\"}", "{\"a\":[[[[[[[[[[1]]]]]]]]]]}", "{\"a\":\"\\ud800\"}",
        "{\"a\":01}", "{\"a\":+1}", "{\"a\":1,}", "{\"a\":tru}", "{\"a\":\"\u{1}\"}", "{'a':1}", "{\"a\":1} {}", "{\"a\":NaN}",
    ])
    func `a manifest that is not one JSON object of this format is refused`(text: String) throws {
        let folder = try folder()
        try folder.write(Array(text.utf8), as: "manifest.json")
        #expect(refusal(folder)?.contains("manifest.json") == true)
    }

    @Test func `a manifest with a byte that is not UTF-8 is refused`() throws {
        let folder = try folder()
        try folder.write(Array("{\"a\":\"".utf8) + [0xC3, 0x28] + Array("\"}".utf8), as: "manifest.json")
        #expect(refusal(folder)?.contains("not UTF-8") == true)
    }

    @Test func `a file entry that names the manifest, another folder or no hash is refused`() throws {
        let whole = String(decoding: try BundleFiles().manifestBytes, as: UTF8.self)
        for (from, to) in [
            ("\"tokenizer.model\":{\"bytes\"", "\"manifest.json\":{\"bytes\""), ("\"tokenizer.model\":{\"bytes\"", "\"..\":{\"bytes\""),
            ("\"sha256\":\"", "\"sha256\":\"G"), ("\"bytes\":", "\"bytes\":-"),
        ] {
            let folder = try folder()
            try folder.write(Array(whole.replacingOccurrences(of: from, with: to).utf8), as: "manifest.json")
            #expect(refusal(folder)?.contains("files.") == true, "\(to)")
        }
    }
}
