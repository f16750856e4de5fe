public import ArgumentParser
import Configuration
import Foundation
public import RaDialogPipeline
import ReportModel

/// A dialogue about drafts: for a person at a terminal, with the answers as they are written, or for scripts.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talks with the model about a film: correct, ask, summarise, explain.",
        discussion: """
            Each FILE is a DICOM file of one film; a STUDY is one of the queue's that has a draft. The report is drafted first, then questions are \
            answered in one conversation. Without FILE and STUDY the model talks without an image.

            With --task or --ask the answers go to standard output and everything else to standard error. Otherwise questions are read from standard \
            input, a line each; /help lists what else may be said, Ctrl-C stops an answer. Nothing is written into the queue: a corrected report \
            becomes one by "radialogctl sign --text-file".
            """)
    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("DICOM files, or studies by Study Instance UID or accession number.", valueName: "FILE|STUDY"), completion: .file())
    var films: [String] = []
    @Option(help: ArgumentHelp("The model bundle's folder. Default: the configured one.", valueName: "DIR"), completion: .directory) var bundle: String?
    @OptionGroup var compute: ComputeArguments
    @OptionGroup(title: "Tasks") var task: TaskOptions
    @Option(help: ArgumentHelp("A question; may be repeated, in one conversation.", valueName: "QUESTION")) var ask: [String] = []
    @Option(help: ArgumentHelp("At most so many tokens an answer.", valueName: "N")) var maxTokens: Int?
    @Option(help: ArgumentHelp("At most so many seconds an answer.", valueName: "S")) var maxSeconds: Double?
    @Flag(help: "With --task or --ask: as a JSON array, one object a film.") var json = false

    private var isScript: Bool { task.task != nil || !ask.isEmpty }
    private var limits: GenerationLimits { GenerationLimits(tokens: maxTokens, seconds: maxSeconds) }

    func validate() throws {
        guard maxTokens ?? 1 > 0, maxSeconds ?? 1 > 0 else { throw ValidationError("--max-tokens and --max-seconds are more than 0") }
        guard isScript || !json else { throw ValidationError("--json goes with --task or --ask") }
        _ = try task.dialogueTask()
    }

    func run() throws {
        let pipeline = try Bundles.load(Bundles.open(bundle ?? common.configuration().model.bundle), compute.options)
        guard pipeline.readsImages || films.isEmpty else {
            throw Failure("\(PipelineError.readsNoImages(bundle: pipeline.bundle.name))", Status.configuration)
        }
        let studies = ChatStudies(pipeline: pipeline, common: common)
        let names: [String?] = films.isEmpty ? [nil] : films
        if isScript {
            try answer(try task.dialogueTask().map { [$0.question] + ask } ?? ask, about: names, in: studies)
        } else {
            try ChatTerminal(studies: studies, names: names, limits: limits).run()
        }
    }

    /// What became of one film. The member names are the JSON's.
    private struct Result: Encodable {
        var film: String?
        var draft: DraftReport?
        var dialogue: [DialogueTurn]
    }

    private func answer(_ questions: [String], about names: [String?], in studies: ChatStudies) throws {
        var results: [Result] = []
        for name in names {
            let opened = try studies.open(name)
            if let draft = opened.draft { Output.error("\(name ?? ""): \(draft.promptFindings)\n\(draft.text)\n") }
            var turns: [DialogueTurn] = []
            for question in questions {
                Output.error("> \(question)")
                let turn = try Failure.ofPipeline { try opened.dialogue.ask(question, limits: limits) }
                if !json { Output.print(turn.answer) }
                turns.append(turn)
            }
            studies.close(name)
            results.append(Result(film: name, draft: opened.draft, dialogue: turns))
        }
        if json { try Output.print(json: results) }
    }
}

/// `--task` and what it is about.
struct TaskOptions: ParsableArguments {
    @Option(help: "findings, finding, reasoning, region, explain, summarise, correct, impression or view.") var task: DialogueTask.Name?
    @Option(help: ArgumentHelp("finding, reasoning: which.", valueName: "FINDING")) var finding: String?
    @Option(help: "region: lungs, heart, mediastinum, pleura or bones.") var region: DialogueTask.Region?
    @Option(help: ArgumentHelp("correct: the patient has it too; may be repeated.", valueName: "FINDING")) var add: [String] = []
    @Option(help: ArgumentHelp("correct: the patient does not have it; may be repeated.", valueName: "FINDING")) var remove: [String] = []

    /// nil without `--task`.
    func dialogueTask() throws(ValidationError) -> DialogueTask? {
        guard let task else {
            guard finding == nil, region == nil, add.isEmpty, remove.isEmpty else { throw ValidationError("--finding, --region, --add and --remove go with --task") }
            return nil
        }
        do throws(DialogueTask.Incomplete) {
            return try DialogueTask(task, finding: finding, region: region, add: add, remove: remove)
        } catch {
            throw ValidationError("--task \(task.rawValue) \(error.description)")
        }
    }
}

extension DialogueTask.Name: ExpressibleByArgument {}
extension DialogueTask.Region: ExpressibleByArgument {}
