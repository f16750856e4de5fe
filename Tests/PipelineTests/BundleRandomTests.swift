import Foundation
import RaDialogPipeline
import Testing

/// A trained or random bundle of real size, where one is named: RADIALOG_BUNDLE.
@Suite struct BundleRandomTests {
    static let bundle = ProcessInfo.processInfo.environment["RADIALOG_BUNDLE"].flatMap { $0.isEmpty ? nil : $0 }

    @Test(.enabled(if: bundle != nil, "RADIALOG_BUNDLE does not name a model bundle"))
    func `the named bundle opens, and all its tensors become floats`() throws {
        let bundle = try ModelBundle.open(#require(Self.bundle))
        let manifest = bundle.manifest
        for name in (manifest.vision?.weights ?? []).union([manifest.languageModel.weights]) {
            let source = try bundle.weights(name)
            #expect(!source.names.isEmpty)
            for tensor in source.names {
                let view = try #require(source.find(tensor))
                guard [.f32, .f16, .bf16].contains(view.type) else { continue }
                #expect(try FloatTensor(view).array.allSatisfy { $0.isFinite }, "\(name): \(tensor)")
            }
        }
        let text = "USER: List all the findings in this report. ASSISTANT: no pleural effusion."
        #expect(bundle.tokenizer.decode(bundle.tokenizer.encode(text, bos: true)) == text)
    }
}
