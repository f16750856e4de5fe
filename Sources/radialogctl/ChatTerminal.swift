import Dispatch
import Foundation
import RaDialogPipeline
import ReportModel
import Synchronization

/// The dialogue with a person: lines in, the answer as it is written out.
struct ChatTerminal {
    let studies: ChatStudies
    /// Films by what the person called them; nil for a dialogue without image.
    let names: [String?]
    let limits: GenerationLimits

    private enum Line {
        case question(String)
        case film(Int)
        case restart, report, help, quit
        case unknown(String)
    }

    func run() throws {
        let interrupt = Interrupt()
        var current = 0
        guard try show(current, interrupt) else { return }
        while true {
            if isatty(0) == 1 { Output.prompt(names.count > 1 ? "[\(current + 1)/\(names.count)] > " : "> ") }
            guard let text = readLine() else { return }
            switch Self.parse(text) {
            case nil: continue
            case .quit?: return
            case .help?: Output.error(Self.help)
            case .unknown(let why)?: Output.error("\(why); /help lists what can be said")
            case .film(let number)?:
                guard names.indices.contains(number - 1) else {
                    Output.error("there are films 1 to \(names.count)")
                    continue
                }
                if try show(number - 1, interrupt) { current = number - 1 }
            case .restart?:
                try studies.open(names[current]).dialogue.restart()
                Output.error("(the conversation begins again after the report)")
            case .report?: Output.print(try studies.open(names[current]).draft?.text ?? "(no image, no report)")
            case .question(let question)?: try ask(question, about: names[current], interrupt)
            }
        }
    }

    /// Opens a film and shows its report, as it is written where it is new.
    /// - Returns: false where the person stopped it.
    private func show(_ index: Int, _ interrupt: Interrupt) throws -> Bool {
        guard let name = names[index] else { return true }
        Output.error("\(name): drafting ...")
        let stream = Stream()
        do {
            let opened = try interrupt.during { isCancelled in try studies.open(name, isCancelled: isCancelled, onText: stream.show) }
            if let draft = opened.draft { stream.show(draft.text) }
            stream.end()
            Output.error("(\(MachineText.unreviewedMark))")
            return true
        } catch PipelineError.cancelled {
            stream.end()
            Output.error("(stopped)")
            return false
        }
    }

    private func ask(_ question: String, about name: String?, _ interrupt: Interrupt) throws {
        let opened = try studies.open(name)
        let stream = Stream()
        do {
            let turn = try interrupt.during { isCancelled in
                try opened.dialogue.ask(question, limits: limits, isCancelled: isCancelled, onText: stream.show)
            }
            stream.show(turn.answer)
            stream.end()
            if turn.forgottenTurns > 0 { Output.error("(the model's context was full: the \(turn.forgottenTurns) oldest question(s) are forgotten)") }
            switch turn.finishReason {
            case .stop: break
            case .length: Output.error("(cut off at the token limit)")
            case .time: Output.error("(cut off at the time limit)")
            }
            studies.settle()
        } catch PipelineError.cancelled {
            stream.end()
            Output.error("(stopped; the question is not part of the conversation)")
        } catch let error as PipelineError {
            stream.end()
            Output.error("\(error)")
        }
    }

    // MARK: What is said

    private static let help = """
        A line is a question. Tasks that the model was taught:
          /findings                    all findings of the report
          /finding FINDING             whether it is there
          /reasoning FINDING           why the model thinks so
          /region lungs|heart|mediastinum|pleura|bones
          /explain                     in easy language
          /summarise
          /correct +FINDING -FINDING   the report again, with findings added and removed
          /impression
          /view                        from which view the image was taken
        And: /report (again), /film N (another film), /restart (forget the questions), /quit.
        """

    /// nil for an empty line.
    private static func parse(_ text: String) -> Line? {
        let text = text.trimmingCharacters(in: .whitespaces)
        guard !text.isEmpty else { return nil }
        guard text.hasPrefix("/") else { return .question(text) }
        let parts = text.dropFirst().split(separator: " ", maxSplits: 1).map(String.init)
        let (command, rest) = (parts.first ?? "", parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        switch command {
        case "quit", "exit": return .quit
        case "help": return .help
        case "restart": return .restart
        case "report": return .report
        case "film": return Int(rest).map { .film($0) } ?? .unknown("/film takes a number")
        default: break
        }
        guard let name = DialogueTask.Name(rawValue: command) else { return .unknown("/\(command) is not known") }
        let changes = corrections(rest)
        do throws(DialogueTask.Incomplete) {
            return .question(
                try DialogueTask(
                    name, finding: name == .finding || name == .reasoning ? rest : nil, region: DialogueTask.Region(rawValue: rest),
                    add: name == .correct ? changes.add : [], remove: name == .correct ? changes.remove : []
                ).question)
        } catch {
            return .unknown("/\(command) \(error.description)")
        }
    }

    /// "+pleural effusion -edema"
    private static func corrections(_ text: String) -> (add: [String], remove: [String]) {
        var (add, remove): ([String], [String]) = ([], [])
        var isAdded: Bool?
        for word in text.split(separator: " ") {
            if word.hasPrefix("+") || word.hasPrefix("-") {
                isAdded = word.hasPrefix("+")
                if isAdded == true { add.append(String(word.dropFirst())) } else { remove.append(String(word.dropFirst())) }
            } else if isAdded == true {
                add[add.count - 1] += " " + word
            } else if isAdded == false {
                remove[remove.count - 1] += " " + word
            }
        }
        return (add, remove)
    }
}

/// A text that grows on the screen.
private final class Stream {
    private var shown = ""

    func show(_ text: String) {
        // Text only grows, but for white space at its end that comes back with what follows it.
        guard text.hasPrefix(shown) else { return }
        Output.stream(String(text.dropFirst(shown.count)))
        shown = text
    }

    func end() {
        if !shown.isEmpty { Output.print("") }
    }
}

/// Ctrl-C: stops what the model is doing, or ends the program where it is doing nothing.
private final class Interrupt {
    private enum State {
        static let idle = 0
        static let working = 1
        static let stopping = 2
    }

    private final class Shared: Sendable {
        let state = Atomic(State.idle)
    }

    private let shared = Shared()
    private let source: any DispatchSourceSignal

    init() {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { [shared] in
            let (stopped, _) = shared.state.compareExchange(expected: State.working, desired: State.stopping, ordering: .sequentiallyConsistent)
            if !stopped { exit(130) }
        }
        source.activate()
    }

    func during<Result>(_ body: (() -> Bool) throws -> Result) rethrows -> Result {
        shared.state.store(State.working, ordering: .sequentiallyConsistent)
        defer { shared.state.store(State.idle, ordering: .sequentiallyConsistent) }
        return try body { [shared] in shared.state.load(ordering: .sequentiallyConsistent) == State.stopping }
    }
}
