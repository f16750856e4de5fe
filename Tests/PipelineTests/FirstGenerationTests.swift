import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// A whole bundle of RaDialog's first generation at toy width: projector, Q-Former, its prompt, and a vocabulary with `<IMG>`.
struct FirstGenerationTests {
    private static let instruction = "Image information:<image>. Predicted Findings: {findings}. Write."
    private static let (side, projection, queries, hidden) = (64, 10, 5, 16)

    @Test func `the report prompt is cut at the image, with nothing between the colon and the image`() throws {
        let prompt = try ReportPrompt(system: "A chat.", instruction: Self.instruction, findings: "edema")
        #expect(prompt.beforeImage == "A chat. USER: Image information:")
        #expect(prompt.afterImage == ". Predicted Findings: edema. Write. ASSISTANT:")
    }

    /// What transformers 4.28.1 makes of v1's text, and what this pipeline reads: the instruction without the space before the image.
    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `the prompt and a follow-up have the tokens of the library that the model was trained with`() throws {
        struct Record: Decodable {
            var system, instruction, findings, question: String
            var before_image, after_image, follow_up: [Int32]
        }
        let record = try JSONDecoder().decode(
            Record.self, from: Data(contentsOf: Golden.root.appending(path: "fixtures/alignment/first-generation-prompt.json")))
        let path = try #require(Oracle.corpus) + "/G_llm/karpathy__llama2.c/tokenizer.model"
        let tokenizer = try MappedFile(path: path).withBytes { try SentencePieceTokenizer(bytes: $0, path: path) }
        let prompt = try ReportPrompt(
            system: record.system, instruction: record.instruction.replacingOccurrences(of: " {image}", with: "<image>"), findings: record.findings)
        #expect(tokenizer.encode(prompt.beforeImage, bos: true) == record.before_image)
        #expect(tokenizer.encode(prompt.afterImage, bos: false) == record.after_image)
        #expect(DialogueFormat.vicuna.followUp(question: record.question, tokenizer) == record.follow_up)
        // The space would be a token that the model never saw there.
        #expect(tokenizer.encode(prompt.beforeImage + " ", bos: true) != record.before_image)
    }

    @Test func `a film is drafted through projector and Q-Former, the same for any number of threads`() throws {
        let folder = try bundle(context: 2048)
        let film = radiograph()
        let drafts = try [1, 2].map { threads in
            try RaDialogPipeline(bundle: ModelBundle.open(folder.path), options: ComputeOptions(threads: threads)).draft(film, source: DraftSource())
        }
        #expect(!drafts[0].text.isEmpty)
        #expect(drafts[0].text == drafts[1].text)
        #expect(drafts[0].provenance.generatedTokens == 12)
    }

    @Test func `the longest prompt is counted with one token per query`() throws {
        let folder = try bundle(context: 16)
        let bundle = try ModelBundle.open(folder.path)
        let vision = try #require(bundle.manifest.vision)
        #expect(vision.imageTokens == Self.queries)
        let prompt = try ReportPrompt(
            system: "A chat.", instruction: Self.instruction,
            findings: vision.classifier.labels.map { $0.rawValue.lowercased() }.joined(separator: ", "))
        let text = bundle.tokenizer.encode(prompt.beforeImage, bos: true) + bundle.tokenizer.encode(prompt.afterImage, bos: false)
        #expect { try RaDialogPipeline(bundle: bundle, options: ComputeOptions(threads: 1)) } throws: {
            "\($0)".contains("the longest report prompt has \(text.count + Self.queries + 1) tokens")
        }
    }

    @Test func `a bundle whose encoder file lacks the projector is refused by the tensor's name`() throws {
        let folder = try bundle(context: 2048) { $0.remove("projector.model.3.weight") }
        #expect { try RaDialogPipeline(bundle: ModelBundle.open(folder.path), options: ComputeOptions(threads: 1)) } throws: {
            "\($0)".contains("projector.model.3.weight")
        }
    }

    // MARK: The bundle

    private func bundle(context: Int, change: (RandomWeights) -> Void = { _ in }) throws -> ScratchFolder {
        let encoder = try ToyEncoder(seed: 31, projection: Self.projection)
        change(encoder.weights)
        let classifier = try ToyEncoder(seed: 32, prefix: "biovil_encoder.", projection: 5)
        for (name, shape) in [("fc1.weight", [6, 20]), ("fc1.bias", [6]), ("fc2.weight", [3, 6]), ("fc2.bias", [3])] {
            classifier.weights.add(name, shape, in: -0.3...0.3)
        }
        let vocabulary = TokenizerModelFile.small.pieces.count + 1  // `<IMG>`
        var files = BundleFiles()
        files.files["image_encoder.safetensors"] = try bytes(encoder.weights)
        files.files["classifier.safetensors"] = try bytes(classifier.weights)
        files.files["alignment.safetensors"] = try bytes(qFormer())
        files.files["language_model.safetensors"] = try bytes(languageModel(vocabulary))
        files.set("preprocessing", ["rendering": "mimic-cxr-jpg", "shorter_side": 64, "encoder_side": 64, "classifier_side": 64] as [String: any Sendable])
        for part in ["image_encoder", "classifier"] {
            files.set(part + ".stem_channels", 6)
            files.set(part + ".stage_blocks", [2, 1, 1, 2])
            files.set(part + ".stage_channels", [3, 4, 5, 6])
            files.set(part + ".expansion", 2)
            files.set(part + ".patch_channels", 7)
        }
        files.set("image_encoder.projection", Self.projection)
        files.set("classifier.projection", 5)
        files.set("classifier.pool", 1)
        files.set("classifier.hidden", 6)
        files.set("alignment", [
            "architecture": "q-former", "weights": "alignment.safetensors", "input": Self.projection, "output": Self.hidden, "queries": Self.queries,
            "layers": 2, "hidden": 12, "heads": 3, "feed_forward": 14, "cross_attention_every": 2, "layer_norm_eps": 1e-12, "vision_norm_eps": 1e-5,
        ] as [String: any Sendable])
        files.set("language_model", [
            "architecture": "llama", "weights": "language_model.safetensors", "layers": 1, "hidden": Self.hidden, "heads": 2, "key_value_heads": 2,
            "feed_forward": 20, "vocabulary": vocabulary, "context": context, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tied_embeddings": false,
        ] as [String: any Sendable])
        files.set("prompts.report_instruction", Self.instruction)
        files.set("generation.max_report_tokens", 12)
        let folder = try ScratchFolder()
        try files.write(to: folder)
        return folder
    }

    private func bytes(_ weights: RandomWeights) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: weights.open().path)))
    }

    private func qFormer() throws -> RandomWeights {
        let weights = try RandomWeights(seed: 33)
        func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
            weights.add(name + ".weight", [outputs, inputs])
            weights.add(name + ".bias", [outputs], in: -0.1...0.1)
        }
        func norm(_ name: String, _ width: Int) {
            weights.add(name + ".weight", [width], in: 0.5...1.5)
            weights.add(name + ".bias", [width], in: -0.1...0.1)
        }
        weights.add("query_tokens", [1, Self.queries, 12], in: -1...1)
        norm("ln_vision", Self.projection)
        norm("Qformer.bert.embeddings.LayerNorm", 12)
        for layer in 0..<2 {
            let at = "Qformer.bert.encoder.layer.\(layer)."
            for (part, context) in [("attention", 12), ("crossattention", Self.projection)] where part == "attention" || layer == 0 {
                for (name, inputs) in [("query", 12), ("key", context), ("value", context)] { linear("\(at)\(part).self.\(name)", 12, inputs) }
                linear("\(at)\(part).output.dense", 12, 12)
                norm("\(at)\(part).output.LayerNorm", 12)
            }
            linear(at + "intermediate_query.dense", 14, 12)
            linear(at + "output_query.dense", 12, 14)
            norm(at + "output_query.LayerNorm", 12)
        }
        linear("img_proj_layer", Self.hidden, 12)
        return weights
    }

    private func languageModel(_ vocabulary: Int) throws -> RandomWeights {
        let weights = try RandomWeights(seed: 34)
        let layer = "model.layers.0."
        for norm in [layer + "input_layernorm", layer + "post_attention_layernorm", "model.norm"] {
            weights.add(norm + ".weight", [Self.hidden], in: 0.5...1.5)
        }
        for part in ["q", "k", "v", "o"] { weights.add("\(layer)self_attn.\(part)_proj.weight", [Self.hidden, Self.hidden]) }
        for part in ["gate", "up"] { weights.add("\(layer)mlp.\(part)_proj.weight", [20, Self.hidden]) }
        weights.add(layer + "mlp.down_proj.weight", [Self.hidden, 20])
        weights.add("model.embed_tokens.weight", [vocabulary, Self.hidden], in: -1...1)
        weights.add("lm_head.weight", [vocabulary, Self.hidden])
        return weights
    }

    private func radiograph() -> Radiograph {
        let values = (0..<80 * 90).map { index -> Int32 in
            let (row, column) = (Double(index / 90), Double(index % 90))
            return Int32(1000 + 900 * sin(column / 9) * cos(row / 13))
        }
        return Radiograph(
            rows: 80, columns: 90, samplesPerPixel: 1, bitsStored: 12, photometricInterpretation: .monochrome2, presentationIsInverse: false,
            modalityTransform: .identity, voiTransform: .none, storedValues: values)
    }
}
