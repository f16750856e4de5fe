import ArgumentParser
import RaDialogPipeline
import ReportModel

struct ModelCommands: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "model", abstract: "Model bundles.", subcommands: [Verify.self, Import.self, Evaluate.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Checks every byte of a bundle against its manifest, and loads it.")
        @Argument(help: ArgumentHelp("The bundle's folder.", valueName: "DIR"), completion: .directory) var directory: String
        @Flag(help: "As JSON.") var json = false

        func run() throws {
            let bundle = try Bundles.open(directory)
            _ = try Bundles.load(bundle)
            if bundle.manifest.labeler != nil { _ = try Bundles.labeler(bundle, threads: 0) }
            if json {
                return try Output.print(json: ["name": bundle.name, "version": bundle.version, "kind": bundle.kind.rawValue, "sha256": bundle.sha256])
            }
            Output.print("\(bundle.name) \(bundle.version) (\(bundle.kind.rawValue)), SHA-256 \(bundle.sha256): complete and sound")
            if bundle.kind == .demo { Output.print(MachineText.demonstrationMark) }
        }
    }
}

/// Bundles with errors as the command line tells them.
enum Bundles {
    static func open(_ directory: String) throws -> ModelBundle {
        do {
            return try ModelBundle.open(directory)
        } catch {
            throw Failure("\(error)", Status.configuration)
        }
    }

    /// - Parameters:
    ///   - instructionSet: nil for the best.
    ///   - phrases: nil to write each text as if it were the first.
    static func load(
        _ bundle: ModelBundle, _ options: ComputeOptions = ComputeOptions(), instructionSet: KernelPool.InstructionSet? = nil,
        phrases: PhraseMemory? = PhraseMemory()
    ) throws -> RaDialogPipeline {
        do {
            return try RaDialogPipeline(bundle: bundle, pool: options.pool(instructionSet: instructionSet), cache: options.cache.type, phrases: phrases)
        } catch {
            throw Failure("\(error)", Status.configuration)
        }
    }
}
