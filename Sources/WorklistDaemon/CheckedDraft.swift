internal import ReportLabeler
package import ReportModel

extension DraftReport {
    /// The draft as a reader gets it: with the image it was made from, and with the flags that come of holding its words against
    /// the classifier's findings (docs/labeler.md).
    ///
    /// - Parameter labeler: of the bundle's; nil: the rules alone.
    /// - Throws: what `labeler` throws.
    package func checked(choice: ImageChoice?, labeler: (any TextLabeler)?) throws -> DraftReport {
        let rules = FindingLabeler()
        let labels = try labeler?.label(MachineText.unmarked(text).text)
        var draft = self
        // No bundle reads an earlier image yet: every word of comparison is the model's own.
        draft.flags = DraftComparison(labeler: rules).flags(for: self, prior: .absent, labels: labels)
        draft.provenance.labeler = labeler.map { "\($0.name), \(rules.name)" } ?? rules.name
        draft.provenance.imageChoice = choice
        return draft
    }
}
