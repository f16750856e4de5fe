/// How a bundle is computed. `arithmetic` and `cache` show in a draft's bits and stand in its provenance; threads never do.
public struct ComputeOptions: Sendable {
    /// Of the language model's products, for a bundle in panels. docs/decisions/0003-packed-panels.md says what each rounds.
    public enum Arithmetic: String, Sendable, CaseIterable {
        /// The fastest that processor and bundle have.
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
    public var arithmetic: Arithmetic
    public var cache: Cache

    public init(threads: Int = 0, pinsThreads: Bool = false, arithmetic: Arithmetic = .auto, cache: Cache = .auto) {
        self.threads = threads
        self.pinsThreads = pinsThreads
        self.arithmetic = arithmetic
        self.cache = cache
    }
}

extension ComputeOptions {
    /// The pool they describe.
    ///
    /// - Throws: `PipelineError.unsupported` where the processor, or what it is cut to, has not what was asked for.
    package func pool(instructionSet: KernelPool.InstructionSet? = nil) throws(PipelineError) -> KernelPool {
        guard let wanted = arithmetic.panels else { return try KernelPool(fastest: threads, instructionSet: instructionSet, pinned: pinsThreads) }
        let pool = try KernelPool(threads: threads, instructionSet: instructionSet, panelArithmetic: wanted, pinned: pinsThreads)
        guard pool.panelArithmetic == wanted else { throw .unsupported("this processor does not have the arithmetic \(arithmetic.rawValue)") }
        return pool
    }
}

extension ComputeOptions.Arithmetic {
    /// nil: whatever is fastest.
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
