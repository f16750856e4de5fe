internal import CKernels

/// How a bundle is computed. `arithmetic`, `writing` and `cache` show in a draft's bits and stand in its provenance; threads never do.
public struct ComputeOptions: Sendable {
    /// Of the language model's products, for a bundle in panels. docs/decisions/0003-packed-panels.md says what each rounds.
    public enum Arithmetic: String, Sendable, CaseIterable {
        /// Of reading: the fastest that processor and bundle have. Of writing: the same where reading was chosen by name; else what writes as many texts as
        /// `together` says fastest.
        case auto
        case fp32, bf16, fp16, int8
    }

    /// How keys and values are stored.
    public enum Cache: String, Sendable, CaseIterable {
        /// Halves for a bundle in panels, else floats.
        case auto
        case f32, f16, q8
    }

    /// That work on one study; 0 for one on each processor that the process may run on.
    public var threads: Int
    /// Keeps each thread on a processor of its own.
    public var pinsThreads: Bool
    /// Lets whatever else the process does go first: receiving, answering. What calls the pipeline does so itself (`giveWay`).
    public var givesWay: Bool
    /// Of what is read: prompts, questions.
    public var arithmetic: Arithmetic
    /// Of what is written, token by token. A token that was written is computed so whenever it is computed again.
    public var writing: Arithmetic
    public var cache: Cache
    /// Texts that are written at the same time at most. It bounds nothing: it is what `auto` goes by.
    public var together: Int

    public init(
        threads: Int = 0, pinsThreads: Bool = false, givesWay: Bool = false, arithmetic: Arithmetic = .auto, writing: Arithmetic = .auto, cache: Cache = .auto,
        together: Int = 1
    ) {
        self.threads = threads
        self.pinsThreads = pinsThreads
        self.givesWay = givesWay
        self.arithmetic = arithmetic
        self.writing = writing
        self.cache = cache
        self.together = together
    }
}

extension ComputeOptions {
    /// Lowers the calling thread's priority for the rest of its life, as `givesWay` does for those that compute beside it.
    public static func giveWay() { ck_give_way() }

    /// The pool they describe.
    ///
    /// - Throws: `PipelineError.unsupported` where the processor, or what it is cut to, has not what was asked for.
    package func pool(instructionSet: KernelPool.InstructionSet? = nil) throws(PipelineError) -> KernelPool {
        let tiles = try KernelPool(threads: 1, instructionSet: instructionSet)
        // Without tiles whole numbers are the fastest. With them they still are where up to four texts are written, rows that share each load of weights:
        // these are multiplied as they are stored, so that nothing but memory bounds them.
        let reading = arithmetic.panels ?? (tiles.panelArithmetic == .fp32 ? .int8 : tiles.panelArithmetic)
        let written = writing.panels ?? (arithmetic == .auto && together <= 4 ? .int8 : reading)
        for (wanted, key) in [(reading, "arithmetic"), (written, "writing_arithmetic")] where !tiles.has(wanted) {
            throw .unsupported(
                "the arithmetic \(wanted) wants what this processor does not have; here there are auto, \(tiles.panelArithmetics): choose one with [model] \(key) "
                    + "of the configuration, or --\(key.replacing("_", with: "-"))")
        }
        return try KernelPool(
            threads: threads, instructionSet: instructionSet, panelArithmetic: reading, writingArithmetic: written, pinned: pinsThreads, givesWay: givesWay)
    }
}

extension ComputeOptions.Arithmetic {
    /// nil: not chosen.
    package var panels: KernelPool.PanelArithmetic? {
        switch self {
        case .auto: nil
        case .fp32: .fp32
        case .bf16: .bf16
        case .fp16: .fp16
        case .int8: .int8
        }
    }
}

extension ComputeOptions.Cache {
    /// nil: what suits the weights.
    package var type: KeyValueType? {
        switch self {
        case .auto: nil
        case .f32: .f32
        case .f16: .f16
        case .q8: .q8
        }
    }
}
