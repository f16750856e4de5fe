public import ArgumentParser
import Configuration
import Foundation
public import ReportQueue

struct UserCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "The people who may sign.", subcommands: [Add.self, Passwd.self, List.self, Disable.self, Enable.self])

    /// Who administers: whoever may write the state folder, by the system's account.
    static var actor: String { "radialogctl uid \(getuid())" }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds a user.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Login name: a-z, 0-9, '.', '_', '-'.", valueName: "NAME")) var login: String
        @Option(help: "radiologist (may sign), admin, or service (a program; never signs).") var role: UserRole = .radiologist
        @Option(help: ArgumentHelp("As it stands in signed documents: Family^Given.", valueName: "PN")) var name = ""
        @Option(help: ArgumentHelp("Verifying Organization; default: [report] organization.", valueName: "TEXT")) var organization: String?
        @Flag(help: "Read the password from standard input, one line.") var passwordStdin = false

        func run() throws {
            let configuration = try common.configuration()
            let queue = try common.queue(configuration, mayCreate: true)
            let password = try Password.read(fromStandardInput: passwordStdin, prompt: "Password for \(login): ", twice: true)
            try queue.addUser(
                name: login, role: role, personName: name, organization: organization ?? configuration.report.organization, password: password,
                by: UserCommands.actor)
            Output.print("user \(login) added as \(role.rawValue)")
        }
    }

    struct Passwd: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sets a user's password and ends a lock-out.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Login name.", valueName: "NAME")) var login: String
        @Flag(help: "Read the password from standard input, one line.") var passwordStdin = false

        func run() throws {
            let queue = try common.queue()
            let password = try Password.read(fromStandardInput: passwordStdin, prompt: "New password for \(login): ", twice: true)
            try queue.setPassword(password, of: login, by: UserCommands.actor)
            Output.print("password of \(login) set")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists users.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let users = try common.queue().users()
            if json { return try Output.print(json: users) }
            Output.print(
                table: users.map {
                    [$0.name, $0.role.rawValue, $0.personName, $0.organization, $0.isDisabled ? "disabled" : $0.isLockedOut ? "locked out" : ""]
                }, header: ["NAME", "ROLE", "PERSON", "ORGANIZATION", ""])
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Disables a user; the name stays taken, because signatures carry it.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Login name.", valueName: "NAME")) var login: String

        func run() throws {
            try common.queue().setUser(login, disabled: true, by: UserCommands.actor)
            Output.print("user \(login) disabled")
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Enables a disabled user.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("Login name.", valueName: "NAME")) var login: String

        func run() throws {
            try common.queue().setUser(login, disabled: false, by: UserCommands.actor)
            Output.print("user \(login) enabled")
        }
    }
}

extension UserRole: ExpressibleByArgument {}
