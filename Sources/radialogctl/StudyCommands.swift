public import ArgumentParser
import Foundation
import ReportModel
public import ReportQueue

struct StudyCommands: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "study", abstract: "Studies and their drafts.", subcommands: [List.self, Show.self, Release.self, Prioritize.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists studies, newest first.")
        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("Only studies in this state; may be repeated.", valueName: "STATE")) var state: [StudyState] = []
        @Option(help: "At most so many.") var limit = 1000
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let filter = StudyFilter(states: state.isEmpty ? nil : Set(state))
            let studies = try common.queue().studies(filter: filter, limit: limit)
            if json { return try Output.print(json: studies.map(StudyDocument.init)) }
            Output.print(
                table: studies.map {
                    [$0.accessionNumber, $0.state.rawValue, $0.noDraftReason?.rawValue ?? "", $0.report?.signedBy ?? "",
                     $0.draft?.flags.map { String($0.count) } ?? "", $0.receivedAt.formatted(.iso8601), $0.studyInstanceUID]
                }, header: ["ACCESSION", "STATE", "NO DRAFT BECAUSE", "SIGNED BY", "FLAGS", "RECEIVED", "STUDY INSTANCE UID"])
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one study with its draft and report.",
            discussion: "With --user the draft counts as opened by that person: a late image no longer takes its place. "
                + "Flags say where the machine's text and the classifier's scores disagree; none is no proof that the text is right.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
        @Option(help: ArgumentHelp("Who looks.", valueName: "U")) var user: String?
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let queue = try common.queue()
            let uid = try queue.studyInstanceUID(for: study)
            if let user {
                guard try queue.users().contains(where: { $0.name == user && !$0.isDisabled }) else {
                    throw Failure("user \(user) is not in the queue: radialogctl user list", Status.notFound)
                }
                try queue.markOpened(uid, by: user)
            }
            let summary = try queue.study(uid)
            if json { return try Output.print(json: StudyDocument(summary)) }
            show(summary)
        }

        private func show(_ study: StudySummary) {
            Output.print("Study      \(study.studyInstanceUID)")
            Output.print("Accession  \(study.accessionNumber)   Patient ID \(study.patientID)   Images \(study.instances)")
            Output.print("State      \(study.state.rawValue)\(study.noDraftReason.map { ": \($0.rawValue)" } ?? "")")
            if let detail = study.detail, study.state == .noDraft { Output.print("           \(detail)") }
            if study.lateInstances > 0 { Output.print("LATE       \(study.lateInstances) object(s) came after the draft") }
            if let draft = study.draft {
                let origin = draft.provenance
                Output.print("Draft      by \(origin.bundleName) \(origin.bundleVersion), \(origin.imageText)")
                for finding in draft.findings where finding.isPositive {
                    Output.print("Score      \(finding.label.rawValue) \(String(format: "%.2f", finding.score)) (a model's score, not a fact)")
                }
                Output.print("Flags      \(draft.flagSummary)")
                for flag in draft.flags ?? [] { Output.print("           \(flag)") }
            }
            guard let report = study.report else { return }
            if let name = report.signedBy {
                Output.print("Report     version \(report.version), \(report.status.rawValue), signed by \(name)")
            } else {
                Output.print("Report     version \(report.version), \(report.state.rawValue): \(MachineText.unreviewedMark)")
            }
            Output.print("\n\(report.text)")
        }
    }
}

extension StudyCommands {
    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says that the identity of a study in doubt is right: it is drafted then.",
            discussion: "A study without Patient ID, or whose patient contradicts what is known, waits for this. The daemon never merges patients. "
                + "Who says it is a radiologist or an admin.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
        @OptionGroup var person: PersonArguments

        func run() throws {
            let queue = try common.queue()
            let uid = try queue.studyInstanceUID(for: study)
            let confirming = try person.authenticate(queue)
            try queue.releaseIdentity(study: uid, by: confirming)
            Output.print("identity of \(uid) confirmed by \(confirming.personName) (\(person.user))")
        }
    }
}

extension StudyCommands {
    struct Prioritize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says how soon a study is to be drafted.",
            discussion: "high: before and beside everything else (STAT); low: when nothing else waits. A sender says high with the Priority of its C-STORE. "
                + "Who says it here is a radiologist or an admin.")

        enum Priority: String, CaseIterable, ExpressibleByArgument {
            case low, medium, high

            var value: StudyPriority {
                switch self {
                case .low: .low
                case .medium: .medium
                case .high: .high
                }
            }
        }

        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
        @Argument(help: ArgumentHelp("low, medium or high.", valueName: "PRIORITY")) var priority: Priority
        @OptionGroup var person: PersonArguments

        func run() throws {
            let queue = try common.queue()
            let uid = try queue.studyInstanceUID(for: study)
            try queue.setPriority(study: uid, priority.value, by: try person.authenticate(queue))
            Output.print("priority of \(uid): \(priority.rawValue)")
        }
    }
}

extension StudyState: ExpressibleByArgument {}

/// A study as `--json` gives it. The member names are the JSON's.
struct StudyDocument: Encodable {
    struct Draft: Encodable {
        struct Bundle: Encodable {
            var name: String
            var version: String
            var kind: BundleKind
            var sha256: String
        }

        var text: String
        var findings: [Finding]
        var prompt_findings: String
        @Explicit var flags: [DraftFlag]?
        var bundle: Bundle
        var provenance: DraftProvenance
    }

    var study_instance_uid: String
    var accession_number: String
    var patient_id: String
    var state: StudyState
    @Explicit var no_draft_reason: NoDraftReason?
    @Explicit var detail: String?
    var late_instances: Int
    var instances: Int
    var received_at: Date
    @Explicit var draft: Draft?
    @Explicit var report: StudySummary.Report?

    init(_ study: StudySummary) {
        study_instance_uid = study.studyInstanceUID
        accession_number = study.accessionNumber
        patient_id = study.patientID
        state = study.state
        no_draft_reason = study.noDraftReason
        detail = study.detail
        late_instances = study.lateInstances
        instances = study.instances
        received_at = study.receivedAt
        draft = study.draft.map {
            Draft(
                text: $0.text, findings: $0.findings, prompt_findings: $0.promptFindings, flags: .init(wrappedValue: $0.flags),
                bundle: .init(
                    name: $0.provenance.bundleName, version: $0.provenance.bundleVersion, kind: $0.provenance.bundleKind,
                    sha256: $0.provenance.bundleSHA256), provenance: $0.provenance)
        }
        report = study.report
    }
}

/// Writes `null` where a value is missing: a reader of the JSON need not tell "absent" from "none".
@propertyWrapper
struct Explicit<Value: Encodable>: Encodable {
    var wrappedValue: Value?

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}
