import ArgumentParser
import Foundation
import ReportQueue

struct AuditCommands: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "audit", abstract: "The audit trail.", subcommands: [Verify.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Walks the hash chain: finds what was changed, deleted, moved or cut.",
            discussion: "Prints the head of the chain. Keep heads on another machine and give one back with --anchor SEQUENCE:HASH: "
                + "that also finds a chain that was computed anew. Exit status 1 when the chain is broken.")
        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("A head noted earlier.", valueName: "SEQUENCE:HASH")) var anchor: String?
        @Flag(help: "As JSON.") var json = false

        private struct Result: Encodable {
            var intact: Bool
            var rows: Int64
            var head: String
            var faults: [String]
        }

        func run() throws {
            let verification = try common.queue().verifyAudit(anchor: try parsedAnchor())
            let head = "\(verification.head.sequence):\(verification.head.hash)"
            let result = Result(
                intact: verification.isIntact, rows: verification.rows, head: head, faults: verification.faults.map(\.description))
            if json { try Output.print(json: result) } else if result.intact { Output.print("\(result.rows) rows, intact; head \(head)") }
            guard result.intact else {
                throw Failure(
                    "the audit trail is broken: \(result.faults.joined(separator: "; ")): keep the database as it is and compare it with a backup",
                    Status.broken)
            }
        }

        private func parsedAnchor() throws -> AuditHead? {
            guard let anchor else { return nil }
            let parts = anchor.split(separator: ":")
            guard parts.count == 2, let sequence = Int64(parts[0]), parts[1].count == 64 else {
                throw Failure("--anchor \(anchor): must be SEQUENCE:HASH as audit verify prints it", Status.usage)
            }
            return AuditHead(sequence: sequence, hash: String(parts[1]))
        }
    }
}
