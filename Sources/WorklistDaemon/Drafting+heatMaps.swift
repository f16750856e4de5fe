internal import DICOM
public import RaDialogPipeline
public import ReportModel

extension Drafting {
    /// The heat maps of a draft's positive findings, over the image that it was made of: decoded and rendered again, so that no draft
    /// pays for them and one of long ago can have them too. Blocks and computes.
    ///
    /// "No Finding" has none: what speaks for a normal film would look like a finding.
    /// - Parameter image: the draft's key image.
    /// - Throws: `HeatMapError.otherFilm` where `image` is not what the draft was made of; `DecodeError`, `PreprocessError`.
    public func heatMaps(of draft: DraftReport, over image: Image) throws -> [HeatMap] {
        let shown = draft.findings.filter { $0.isPositive && $0.label != .noFinding && $0.activationMap != nil }
        guard !shown.isEmpty else { return [] }
        let radiograph = try decoder.decode(path: image.path)
        return try pipeline.heatMaps(over: radiograph, findings: shown, renderedSHA256: draft.provenance.renderedSHA256)
    }
}
