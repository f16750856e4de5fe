import ArgumentParser
import Configuration
import Foundation
import ReportModel
import ReportQueue
import WorklistDaemon

struct SignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Signs a study's report as a named human; of a signed report, makes a correction.",
        discussion: "Without --text-file the text is signed as it is now. On a terminal it is shown before the password is asked, and "
            + "with it the flags of a draft: where the machine's text and the classifier's scores disagree. With --password-stdin only their number is shown.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
    @OptionGroup var person: PersonArguments
    @Option(help: ArgumentHelp("The text to sign, UTF-8; \"-\" is refused, the password may come that way.", valueName: "F"), completion: .file())
    var textFile: String?
    @Option(help: ArgumentHelp("The version that was read; another one is a conflict. Default: the one shown now.", valueName: "N"))
    var expectVersion: Int?

    func run() throws {
        let configuration = try common.configuration()
        let queue = try common.queue(configuration)
        let uid = try queue.studyInstanceUID(for: study)
        let shown = try queue.study(uid)
        guard let report = shown.report else {
            throw Failure("study \(uid) has no draft to sign: radialogctl study show \(uid)", Status.conflict)
        }
        let text = try textFile.map(Self.read)
        if !person.passwordStdin { Output.error("\(text ?? report.text)\n") }
        if report.status == .preliminary, let draft = shown.draft { showFlags(of: draft, study: uid) }
        let signer = try person.authenticate(queue, purpose: " to sign this text")
        let version = try queue.sign(
            study: uid, by: signer, text: text, shownTextSHA256: text.map(SHA256Text.of) ?? report.textSHA256,
            expectedVersion: expectVersion ?? report.version, destinations: configuration.destinations.rules)
        let signed = try queue.outgoingReport(study: uid, version: .number(version))
        Output.print("signed by \(signer.personName) (\(person.user)): version \(version), \(signed.status.rawValue), SHA-256 \(signed.signature?.textSHA256 ?? "")")
    }

    /// Before the signature, and about the machine's text, whatever text is signed. A program that gives the password has no
    /// terminal to read them on: it is told where they are.
    private func showFlags(of draft: DraftReport, study uid: String) {
        guard let flags = draft.flags, !flags.isEmpty else { return }
        let note = "flags on the draft: \(flags.summary)"
        if person.passwordStdin { return Output.error("\(note): radialogctl study show \(uid)") }
        Output.error("\(note)\n" + flags.map { "  - \($0)\n" }.joined())
    }

    /// Line ends of any platform become LF; a final one is not part of the text.
    private static func read(_ path: String) throws -> String {
        guard path != "-" else { throw Failure("--text-file: give a file; standard input is for the password", Status.usage) }
        guard let data = FileManager.default.contents(atPath: path) else { throw Failure("cannot read \(path)", Status.data) }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure("\(path) is not UTF-8: convert it first (iconv -t UTF-8)", Status.data)
        }
        return text.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "\n")
            .trimmingCharacters(in: .newlines)
    }
}

struct RejectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reject", abstract: "Refuses a draft as a named human.")

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
    @OptionGroup var person: PersonArguments
    @Option(help: ArgumentHelp("Why, for colleagues.", valueName: "R")) var reason: String
    @Option(help: ArgumentHelp("The version that was read; another one is a conflict.", valueName: "N")) var expectVersion: Int?

    func run() throws {
        let queue = try common.queue()
        let uid = try queue.studyInstanceUID(for: study)
        let refusing = try person.authenticate(queue)
        try queue.reject(study: uid, by: refusing, reason: reason, expectedVersion: expectVersion)
        Output.print("rejected by \(refusing.personName) (\(person.user))")
    }
}
