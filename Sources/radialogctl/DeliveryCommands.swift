public import ArgumentParser
import Foundation
public import ReportQueue

struct DeliveryCommands: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delivery", abstract: "What was sent, and what waits.", subcommands: [List.self, Retry.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists deliveries, newest first.")
        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("Only this study: UID or accession number.", valueName: "STUDY")) var study: String?
        @Option(help: ArgumentHelp("Only this destination.", valueName: "NAME")) var destination: String?
        @Option(help: ArgumentHelp("Only this state; may be repeated.", valueName: "STATE")) var state: [DeliveryState] = []
        @Option(help: "At most so many.") var limit = 1000
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let queue = try common.queue()
            let uid = try study.map { try queue.studyInstanceUID(for: $0) }
            let states = state.isEmpty ? Set(DeliveryState.allCases) : Set(state)
            let found = try queue.deliveries(study: uid, destination: destination, states: states, limit: limit)
            if json { return try Output.print(json: found) }
            Output.print(
                table: found.map {
                    [String($0.id), $0.destination, $0.state.rawValue, "v\($0.version) \($0.kind)", String($0.attempt), $0.studyInstanceUID,
                     ($0.lastError ?? "").replacingOccurrences(of: "\n", with: " ")]
                }, header: ["ID", "DESTINATION", "STATE", "VERSION", "ATTEMPT", "STUDY INSTANCE UID", "LAST ERROR"])
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sends a dead delivery again, after its cause was mended.")
        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("From delivery list.", valueName: "ID")) var id: Int64

        func run() throws {
            try common.queue().retryDelivery(id, by: "radialogctl uid \(getuid())")
            Output.print("delivery \(id) is pending again")
        }
    }
}

extension DeliveryState: ExpressibleByArgument {}
