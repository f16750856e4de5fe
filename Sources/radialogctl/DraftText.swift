import ReportModel

/// What a person is told about a draft beside its text.
extension DraftReport {
    /// "2 (1 contradiction, 1 omission)", "none", or that nobody looked.
    var flagSummary: String { flags?.summary ?? "not compared: drafted by an earlier version" }
}

extension DraftProvenance {
    /// "image 2 of 3 used: PA (ViewPosition); not used: …"; of drafts of earlier versions only the reason.
    var imageText: String { imageChoice.map(\.description) ?? "image \(selectionReason ?? "not stated")" }
}
