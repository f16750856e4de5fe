import Testing
import ReportLabeler
import ReportModel

/// One expectation: what `text` says of `label`.
struct Said: Sendable, CustomTestStringConvertible {
    let text: String
    let label: FindingLabel
    let state: LabelState

    init(_ text: String, _ label: FindingLabel, _ state: LabelState) {
        (self.text, self.label, self.state) = (text, label, state)
    }

    var testDescription: String { "\(text) → \(label.rawValue): \(state.rawValue)" }
}

func label(_ text: String) -> LabeledReport { FindingLabeler().label(text) }
