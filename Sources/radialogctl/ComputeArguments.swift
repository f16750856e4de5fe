public import ArgumentParser
import RaDialogPipeline

/// How a bundle is computed, for every command that runs one. The defaults are the daemon's.
struct ComputeArguments: ParsableArguments {
    @Option(help: "Threads; 0 for all cores. No text and no figure but times depends on it.") var threads = 0
    @Option(help: ArgumentHelp("The language model's products, for a bundle in panels.", valueName: "A")) var arithmetic = ComputeOptions.Arithmetic.auto
    @Option(help: ArgumentHelp("The same where it writes, token by token.", valueName: "A")) var writingArithmetic = ComputeOptions.Arithmetic.auto
    @Option(name: .customLong("kv-cache"), help: ArgumentHelp("How keys and values are stored.", valueName: "T")) var cache = ComputeOptions.Cache.auto

    var options: ComputeOptions { options(together: 1) }

    /// - Parameter together: texts that are written at the same time.
    func options(together: Int) -> ComputeOptions {
        ComputeOptions(threads: threads, arithmetic: arithmetic, writing: writingArithmetic, cache: cache, together: together)
    }

    func validate() throws {
        guard threads >= 0 else { throw ValidationError("--threads is 0 or more") }
    }
}

extension ComputeOptions.Arithmetic: ExpressibleByArgument {}
extension ComputeOptions.Cache: ExpressibleByArgument {}
