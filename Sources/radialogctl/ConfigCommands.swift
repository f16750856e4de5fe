import ArgumentParser
import Configuration

struct ConfigCommands: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "config", abstract: "The configuration.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Checks the configuration and prints what is in force, and where each value comes from.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let configuration = try common.configuration()
            if json { return Output.print(try configuration.json()) }
            Output.print(configuration.describe())
        }
    }
}
