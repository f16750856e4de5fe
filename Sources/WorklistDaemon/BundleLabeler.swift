internal import RaDialogPipeline
internal import ReportModel

/// The labeler that a bundle brings, CheXbert, as the comparison of drafts takes it.
struct BundleLabeler: TextLabeler {
    private let model: CheXbert
    let name: String

    /// nil where the bundle has none: then the rules label alone.
    ///
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`.
    init?(of bundle: ModelBundle, threads: Int) throws {
        guard let labeler = bundle.manifest.labeler else { return nil }
        model = try CheXbert(bundle: bundle, threads: threads)
        name = "chexbert \(bundle.manifest.files[labeler.weights]?.sha256 ?? "")"
    }

    func label(_ text: String) throws -> LabeledReport { try model.label(text) }
}
