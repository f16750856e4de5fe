/// The prompts, byte for byte as the model was trained on them (model.md section 6, docs/model-bundle.md).
package struct ReportPrompt: Sendable, Equatable {
    /// Tokenised with BOS, in front of the image's tokens.
    package var beforeImage: String
    /// Tokenised as a piece of its own, behind them.
    package var afterImage: String

    /// The whole prompt, `<image>` unexpanded: what provenance hashes.
    package var text: String { beforeImage + BundleManifest.Prompts.imageMark + afterImage }

    /// - Parameter findings: what stands for `{findings}`: "cardiomegaly, edema".
    package init(_ prompts: BundleManifest.Prompts, findings: String) throws {
        let turn = "\(prompts.system) USER: \(prompts.reportInstruction) ASSISTANT:"
        let parts = turn.split(separator: BundleManifest.Prompts.imageMark, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw PipelineError.inconsistent("the prompt holds \(BundleManifest.Prompts.imageMark) \(parts.count - 1) times; once is right")
        }
        func filled(_ part: Substring) -> String {
            part.split(separator: BundleManifest.Prompts.findingsMark, omittingEmptySubsequences: false).joined(separator: findings)
        }
        beforeImage = filled(parts[0])
        afterImage = filled(parts[1])
    }
}

/// A later turn, behind the end token of the answer before.
package enum FollowUpPrompt {
    /// Tokenised as a piece of its own, without BOS.
    package static func text(question: String) -> String { "USER: \(question) ASSISTANT:" }
}
