public import ReportModel

/// The tasks that RaDialog was taught (its instruct data set, model.md section 6), each with the question it was taught with.
public enum DialogueTask: Sendable, Equatable {
    /// "List all the findings in this report."
    case findings
    /// Whether a finding is there.
    case finding(String)
    /// Why the model thinks that it is.
    case reasoning(String)
    /// Whether a region is healthy.
    case region(Region)
    case easyLanguage
    case summary
    /// The report again, with findings added and removed; at least one.
    case correction(add: [String], remove: [String])
    case impression
    case view

    /// Regions that the data set asks about.
    public enum Region: String, Sendable, CaseIterable {
        case lungs, heart, mediastinum, pleura, bones
    }

    /// The name of a task without what it is about.
    public enum Name: String, Sendable, CaseIterable {
        case findings, finding, reasoning, region, explain, summarise, correct, impression, view
    }

    /// What a task is about was not said, or said for a task that is about something else.
    public struct Incomplete: Error, CustomStringConvertible {
        public var description: String
    }

    /// - Parameters:
    ///   - finding: of `.finding` and `.reasoning`.
    ///   - region: of `.region`.
    ///   - add: of `.correct`; the one or the other.
    ///   - remove: of `.correct`.
    public init(_ name: Name, finding: String? = nil, region: Region? = nil, add: [String] = [], remove: [String] = []) throws(Incomplete) {
        func needed(_ finding: String?) throws(Incomplete) -> String {
            guard let finding, !finding.isEmpty else { throw Incomplete(description: "needs a finding") }
            return finding
        }
        guard add.isEmpty && remove.isEmpty || name == .correct else { throw Incomplete(description: "adds and removes nothing") }
        guard finding == nil || name == .finding || name == .reasoning else { throw Incomplete(description: "is not about one finding") }
        switch name {
        case .findings: self = .findings
        case .finding: self = .finding(try needed(finding))
        case .reasoning: self = .reasoning(try needed(finding))
        case .region:
            guard let region else { throw Incomplete(description: "needs a region: \(Region.allCases.map(\.rawValue).joined(separator: ", "))") }
            self = .region(region)
        case .explain: self = .easyLanguage
        case .summarise: self = .summary
        case .correct:
            guard !(add + remove).isEmpty, !(add + remove).contains("") else { throw Incomplete(description: "needs a finding to add or to remove") }
            self = .correction(add: add, remove: remove)
        case .impression: self = .impression
        case .view: self = .view
        }
    }

    /// A finding as a question names it: CheXpert's label in lower case, or words of the user's.
    public static func phrase(_ label: FindingLabel) -> String { label.rawValue.lowercased() }

    public var question: String {
        switch self {
        case .findings: "List all the findings in this report."
        case .finding(let finding): "Is there any \(finding)?"
        case .reasoning(let finding): "Why do you think the patient has \(finding)?"
        case .region(let region): "\(region == .lungs || region == .bones ? "Are" : "Is") the patient's \(region.rawValue) healthy?"
        case .easyLanguage: "Explain this report in very easy terms."
        case .summary: "Summarize this report."
        case .correction(let added, []): "The patient also has \(Self.list(added)), correct the report. Don't make other changes."
        case .correction([], let removed): "The patient does not have \(Self.list(removed)). Update the report. Don't make other changes."
        case .correction(let added, let removed):
            "Please adapt the report with the following corrections: Include \(Self.list(added)) and remove \(Self.list(removed)). Don't make other changes."
        case .impression: "Write an impression section for this report."
        case .view: "From which view was the image taken?"
        }
    }

    private static func list(_ findings: [String]) -> String {
        findings.count < 2 ? findings.joined() : findings.dropLast().joined(separator: ", ") + " and " + (findings.last ?? "")
    }
}
