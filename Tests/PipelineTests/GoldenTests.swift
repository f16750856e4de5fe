import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// Every stage against the PyTorch forward pass of `reference/`, each fed with the golden input of its own.
@Suite(.enabled(if: !Golden.all.isEmpty, Comment(rawValue: Golden.absence)))
struct GoldenTests {
    @Test(arguments: Golden.all)
    func `patch features and image tokens agree with PyTorch`(_ golden: Golden) throws {
        let (bundle, tensors, pool) = (try ModelBundle.open(golden.bundleDirectory), try golden.tensors(), try KernelPool(threads: 2))
        let vision = try #require(bundle.manifest.vision)
        let encoder = try ImageEncoder(bundle.weights(vision.imageEncoder.weights), vision.imageEncoder)
        let plane = try #require(tensors["encoder_crop"]).values.map { $0 / 255 }
        let features = try encoder.patchFeatures(pool, plane: plane, side: vision.preprocessing.encoderSide)
        let expected = try #require(tensors["patch_features"])  // [channels, grid, grid]
        let error = relativeError(features.array, channelsLast(expected.values, channels: expected.shape[0]))
        print("golden \(golden.testDescription): patch features \(error)")
        #expect(error <= fp32Budget)

        let alignment = try Alignment(bundle.weights(vision.alignment.weights), vision.alignment)
        let tokens = alignment(pool, features)
        let tokenError = relativeError(tokens.array, try #require(tensors["image_tokens"]).values)
        print("golden \(golden.testDescription): image tokens \(tokenError)")
        #expect(tokenError <= fp32Budget)
    }

    @Test(arguments: Golden.all)
    func `classifier patches, logits, scores and activation maps agree with PyTorch`(_ golden: Golden) throws {
        let (bundle, tensors, pool) = (try ModelBundle.open(golden.bundleDirectory), try golden.tensors(), try KernelPool(threads: 2))
        let (vision, record) = (try #require(bundle.manifest.vision), try golden.record())
        let side = vision.preprocessing.classifierSide
        let classifier = try Classifier(bundle.weights(vision.classifier.encoder.weights), side: side, vision.classifier)
        let plane = try #require(tensors["classifier_crop"]).values.map { $0 / 255 }
        let pass = try classifier.forward(pool, planes: [plane], side: side)[0]
        let expected = try #require(tensors["projected_patches"])
        let patchError = relativeError(pass.patches.array, channelsLast(expected.values, channels: expected.shape[0]))
        let logitError = relativeError(pass.logits.array, try #require(tensors["classifier_logits"]).values)
        print("golden \(golden.testDescription): projected patches \(patchError), classifier logits \(logitError)")
        #expect(patchError <= fp32Budget)
        #expect(logitError <= fp32Budget)

        let result = try classifier(pool, plane: plane, side: side)
        #expect(result.promptFindings == record.prompt_findings)
        #expect(result.findings.filter(\.isPositive).map(\.label.rawValue) == record.positive)
        for (finding, score) in zip(result.findings, record.scores) { #expect(abs(finding.score - score) < 1e-4) }

        let maps = try #require(tensors["activation_maps"])
        let area = pass.grid * pass.grid
        for (index, finding) in result.findings.filter(\.isPositive).enumerated() {
            let reference = Array(maps.values[index * area..<(index + 1) * area])
            let label = try #require(vision.classifier.labels.firstIndex(of: finding.label))
            #expect(relativeError(classifier.contributions(pool, label: label, pass), reference) <= fp32Budget)
            let largest = reference.max() ?? 0
            let scaled = reference.map { largest > 0 ? max(0, $0) / largest : 0 }
            #expect(relativeError(try #require(finding.activationMap).values + [1], scaled + [1]) <= fp32Budget)
        }
    }

    @Test(arguments: Golden.all)
    func `first logits agree with PyTorch, and the report and every answer have the same tokens`(_ golden: Golden) throws {
        let (bundle, tensors, pool) = (try ModelBundle.open(golden.bundleDirectory), try golden.tensors(), try KernelPool(threads: 2))
        let (manifest, record) = (bundle.manifest, try golden.record())
        let model = try LanguageModel(bundle.weights(manifest.languageModel.weights), manifest.languageModel)
        let image = try #require(tensors["image_tokens"])
        let patches = Activations(rows: image.shape[0], columns: image.shape[1], values: image.values)
        let prompt: [Conversation.Piece] = [
            .tokens(record.prompt_ids_before_image), .embeddings(patches), .tokens(record.prompt_ids_after_image),
        ]
        let rows = Activations(
            rows: prompt.reduce(0) { $0 + $1.count }, columns: image.shape[1],
            values: model.embed(record.prompt_ids_before_image).array + image.values + model.embed(record.prompt_ids_after_image).array)
        let error = relativeError(
            try model.read(pool, rows, cache: KeyValueCache(manifest.languageModel)).array, try #require(tensors["first_logits"]).values)
        print("golden \(golden.testDescription): first logits \(error)")
        #expect(error <= fp32Budget)

        let end = bundle.endToken
        let conversation = Conversation(model, pool: pool)
        try conversation.read(prompt)
        let report = try conversation.write(limit: manifest.generation.maxReportTokens, end: end)
        #expect(report.tokens == record.report_ids)
        let endOfReport = conversation.mark()
        for turn in record.dialogue {
            conversation.rewind(to: endOfReport)
            try conversation.read([.tokens(DialogueFormat.vicuna.followUp(question: turn.question, bundle.tokenizer))])
            let answer = try conversation.write(limit: manifest.generation.maxAnswerTokens, end: end)
            #expect(answer.tokens == turn.ids)
        }
    }

    @Test(arguments: Golden.all)
    func `the prompt has the tokens of the reference`(_ golden: Golden) throws {
        let (bundle, record) = (try ModelBundle.open(golden.bundleDirectory), try golden.record())
        #expect(bundle.sha256 == record.bundle_sha256)
        let vision = try #require(bundle.manifest.vision)
        let prompt = try ReportPrompt(
            system: bundle.manifest.prompts.system, instruction: vision.reportInstruction, findings: record.prompt_findings)
        #expect(bundle.tokenizer.encode(prompt.beforeImage, bos: true) == record.prompt_ids_before_image)
        #expect(bundle.tokenizer.encode(prompt.afterImage, bos: false) == record.prompt_ids_after_image)
    }

    /// [channels, area] to [area, channels].
    private func channelsLast(_ values: [Float], channels: Int) -> [Float] {
        let area = values.count / channels
        return (0..<values.count).map { values[$0 % channels * area + $0 / channels] }
    }
}
