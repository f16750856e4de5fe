import ArgumentParser
import Configuration
import Foundation
import ReportModel
import ReportQueue
import WorklistDaemon

/// `radialogctl`: look, sign, export, administer. Each file beside this one is one group of commands.
@main
struct RadialogCtl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "radialogctl",
        abstract: "Works with radialogd's queue: studies, drafts, signatures, deliveries.",
        discussion: "Exit status: 0 done, 1 audit chain broken, 64 usage, 65 bad input, 66 not found, 73 cannot write, 75 try again, "
            + "76 conflict, 77 not allowed, 78 configuration or bundle. See docs/command-line.md.",
        version: Build.version,
        subcommands: [
            StudyCommands.self, DraftCommand.self, ChatCommand.self, SignCommand.self, RejectCommand.self, ExportCommand.self, DeliveryCommands.self,
            UserCommands.self, AuditCommands.self, ModelCommands.self, LabelCommand.self, BenchCommand.self, ConfigCommands.self,
        ])

    /// Errors are one line that says what to do; the exit status says what kind.
    static func main() {
        do {
            var command = try parseAsRoot()
            do {
                try command.run()
            } catch let failure as Failure {
                complain(failure)
            } catch let error as QueueError {
                complain(Failure(error))
            } catch let error as ConfigurationError {
                complain(Failure("\(error)", Status.configuration))
            } catch let error as StateDirectoryError {
                complain(Failure("\(error)", Status.temporary))
            }
        } catch {
            exit(withError: error)
        }
    }

    private static func complain(_ failure: Failure) -> Never {
        Output.error("radialogctl: \(failure.message)")
        exit(withError: failure.status)
    }
}

/// What every command that looks into the configuration or the queue takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Configuration file.", valueName: "FILE"), completion: .file())
    var config = "/etc/radialogd.conf"

    @Option(name: .long, help: ArgumentHelp("State folder, in place of the configured one.", valueName: "DIR"), completion: .directory)
    var stateDir: String?

    @Option(name: .long, help: ArgumentHelp("A configuration key for this run; may be repeated.", valueName: "section.key=value"))
    var set: [String] = []

    func configuration() throws(ConfigurationError) -> Configuration {
        try Configuration.load(file: config, overrides: set, stateDirectory: stateDir)
    }

    /// The queue in the configured state folder; it must exist already, unless this command may make it.
    func queue(_ configuration: Configuration, mayCreate: Bool = false) throws -> ReportQueue {
        if mayCreate {
            try StateDirectory.make(configuration.stateDirectory)
        } else if !FileManager.default.fileExists(atPath: configuration.stateDirectory) {
            throw Failure(
                "no state folder at \(configuration.stateDirectory): has radialogd run with this configuration? (--config, --state-dir)",
                Status.notFound)
        }
        return try ReportQueue(stateDirectory: configuration.stateDirectory)
    }

    func queue() throws -> ReportQueue { try queue(configuration()) }
}

extension Failure {
    /// Where each trouble of the queue leads.
    init(_ error: QueueError) {
        let status: ExitCode =
            switch error {
            case .busy, .storage: Status.temporary
            case .database, .closed: Status.software
            case .unusable: Status.configuration
            case .notFound: Status.notFound
            case .ambiguous, .invalid: Status.data
            case .leaseLost, .conflict: Status.conflict
            case .authentication, .notPermitted: Status.denied
            }
        self.init("\(error)", status)
    }
}
