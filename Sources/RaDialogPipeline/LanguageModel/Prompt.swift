/// The prompts, byte for byte as the model was trained on them (model.md section 6, docs/model-bundle.md).
package struct ReportPrompt: Sendable, Equatable {
    /// Tokenised with BOS, in front of the image's tokens.
    package var beforeImage: String
    /// Tokenised as a piece of its own, behind them.
    package var afterImage: String

    /// The whole prompt, `<image>` unexpanded: what provenance hashes.
    package var text: String { beforeImage + BundleManifest.Prompts.imageMark + afterImage }

    /// - Parameters:
    ///   - instruction: the bundle's `report_instruction`, with one `<image>`.
    ///   - findings: what stands for `{findings}`: "cardiomegaly, edema".
    package init(system: String, instruction: String, findings: String) throws(PipelineError) {
        let parts = instruction.split(separator: BundleManifest.Prompts.imageMark, omittingEmptySubsequences: false)
            .map { $0.split(separator: BundleManifest.Prompts.findingsMark, omittingEmptySubsequences: false).joined(separator: findings) }
        guard parts.count == 2 else {
            throw .inconsistent("the report instruction holds \(BundleManifest.Prompts.imageMark) \(parts.count - 1) times; once is right")
        }
        beforeImage = "\(system) USER: \(parts[0])"
        afterImage = "\(parts[1]) ASSISTANT:"
    }
}

/// A later turn, behind the end token of the answer before.
package enum FollowUpPrompt {
    /// Tokenised as a piece of its own, without BOS.
    package static func text(question: String) -> String { "USER: \(question) ASSISTANT:" }
}
