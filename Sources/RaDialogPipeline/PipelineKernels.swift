internal import CKernels
internal import Synchronization

// The Swift face of the C kernels: who owns memory and threads, and what a linear layer is. Every other file of the forward pass
// speaks of layers and activations; the `ck_` functions without an owner (norms, attention) are called where they are used.

/// The threads and the instruction set of one pipeline.
package final class KernelPool: Sendable {
    package enum InstructionSet: UInt32, Sendable, CaseIterable {
        case scalar = 0
        case avx2 = 1
        case avx512 = 2

        package static var best: InstructionSet { InstructionSet(rawValue: ck_best_instruction_set().rawValue) ?? .scalar }
    }

    /// How products with panels are computed (ck_panels.h); the raw values are C's.
    package enum PanelArithmetic: UInt32, Sendable, CaseIterable {
        case fp32 = 0
        case bf16 = 1
        case fp16 = 2
        case int8 = 3

        var native: ck_panel_arithmetic { ck_panel_arithmetic(rawValue) }
    }

    /// How the trunk of an image network is computed: in floats, or in tiles (ck_tiles.h); the raw values of those are C's.
    package enum ImageArithmetic: UInt32, Sendable, CaseIterable {
        case fp32 = 0
        case bf16 = 1
        case fp16 = 2
        /// Numbers as sums of two bfloat16s, three products for one.
        case bf16x3 = 3

        /// For the functions of ck_tiles.h, which fp32 never reaches.
        var native: ck_tile_arithmetic { ck_tile_arithmetic(rawValue) }
    }

    /// Immutable after init; the C side serialises jobs.
    nonisolated(unsafe) let handle: OpaquePointer
    /// Of the rows that the language model reads, and of everything else in panels.
    package let panelArithmetic: PanelArithmetic
    /// Of the rows that it has written itself.
    package let writingArithmetic: PanelArithmetic
    /// Working memory that nobody uses now.
    private let spare = Mutex<[Scratch]>([])

    /// Working memory of one product or trunk.
    private final class Scratch: @unchecked Sendable {  // handed from one user to the next under the lock
        let memory: UnsafeMutableRawPointer
        let count: Int

        init(_ bytes: Int) {
            count = max(bytes, 64)
            memory = .allocate(byteCount: count, alignment: 64)
        }

        deinit { memory.deallocate() }
    }

    /// - Parameters:
    ///   - threads: 0 for one on each processor that the process may run on.
    ///   - instructionSet: cut to what the processor has; nil takes the best.
    ///   - panelArithmetic: cut to what processor and instruction set have; nil takes the best.
    ///   - writingArithmetic: the same; nil takes that of reading.
    ///   - pinned: keeps each thread it starts on a processor of its own.
    ///   - givesWay: lets whatever else the process does go before the threads it starts; `giveWay` does so for a thread of the caller's.
    package init(
        threads: Int, instructionSet: InstructionSet? = nil, panelArithmetic: PanelArithmetic? = nil, writingArithmetic: PanelArithmetic? = nil,
        pinned: Bool = false, givesWay: Bool = false
    ) throws(PipelineError) {
        let set = ck_instruction_set((instructionSet ?? .best).rawValue)
        guard let handle = ck_pool_create_with(Int32(clamping: threads), set, ck_pool_manners(pinned: pinned, gives_way: givesWay)) else {
            throw .outOfResources("no memory or threads for a pool of \(threads)")
        }
        self.handle = handle
        let best = PanelArithmetic(rawValue: ck_best_panel_arithmetic(handle).rawValue) ?? .fp32
        func cut(_ wanted: PanelArithmetic) -> PanelArithmetic { ck_has_panel_arithmetic(handle, wanted.native) ? wanted : best }
        self.panelArithmetic = cut(panelArithmetic ?? best)
        self.writingArithmetic = cut(writingArithmetic ?? self.panelArithmetic)
    }

    /// Of convolutions: tiles, else fp32. Whole numbers are for the language model alone, and give the same draft on every processor: so do fp32's.
    package var imageArithmetic: ImageArithmetic {
        switch panelArithmetic {
        case .bf16: .bf16
        case .fp16: .fp16
        case .fp32, .int8: .fp32
        }
    }

    /// Rows that a product of writing takes in little more time than one: a tile's, or as many as share each load of whole numbers.
    var freeRows: Int {
        switch writingArithmetic {
        case .bf16, .fp16: 16
        case .int8, .fp32: 4
        }
    }

    /// Whether products with panels can be computed so.
    func has(_ arithmetic: PanelArithmetic) -> Bool { ck_has_panel_arithmetic(handle, arithmetic.native) }

    /// All of these, for people: "fp32, bf16, int8".
    var panelArithmetics: String { PanelArithmetic.allCases.filter(has).map { "\($0)" }.joined(separator: ", ") }

    /// Whether trunks can be computed so.
    package func has(_ arithmetic: ImageArithmetic) -> Bool { arithmetic == .fp32 || ck_has_tile_arithmetic(handle, arithmetic.native) }

    /// Lends working memory, aligned to 64. No lock is held meanwhile: a trunk gives way between its layers, and whoever computes then
    /// borrows other memory. So there is one piece for each that is under way at the same time.
    func withScratch<Failure: Error>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) throws(Failure) -> Void) throws(Failure) {
        let found: Scratch? = spare.withLock { spare in
            if let index = spare.firstIndex(where: { $0.count >= bytes }) { return spare.remove(at: index) }
            // One that is too small is given up: memory grows to the largest need.
            _ = spare.popLast()
            return nil
        }
        let scratch = found ?? Scratch(bytes)
        defer { spare.withLock { $0.append(scratch) } }
        try body(scratch.memory)
    }

    deinit { ck_pool_free(handle) }

    package var threads: Int { ck_pool_threads(handle) }
    /// For provenance: "fp32-fma+avx512".
    package var arithmeticName: String { String(cString: ck_arithmetic_name(handle)) }
    /// The same of products with panels: "fp16-amx", "bf16-amx and int8 (writing)".
    package var panelArithmeticName: String {
        let reading = String(cString: ck_panel_arithmetic_name(handle, panelArithmetic.native))
        guard writingArithmetic != panelArithmetic else { return reading }
        return "\(reading) and \(String(cString: ck_panel_arithmetic_name(handle, writingArithmetic.native))) (writing)"
    }
    /// The same of trunks: "bf16x3-amx".
    package func name(of arithmetic: ImageArithmetic) -> String {
        arithmetic == .fp32 ? arithmeticName : String(cString: ck_tile_arithmetic_name(arithmetic.native))
    }
}

/// `[rows, columns]` floats of working memory, row-major, uninitialised at first. For an image, a row is a pixel and the columns are
/// its channels (channels-last). Not Sendable: it belongs to one forward pass.
package final class Activations {
    package let rows: Int
    package let columns: Int
    package let pointer: UnsafeMutablePointer<Float>

    package init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        pointer = .allocate(capacity: max(1, rows * columns))
    }

    package convenience init(rows: Int, columns: Int, values: [Float]) {
        precondition(values.count == rows * columns, "activations have rows x columns values")
        self.init(rows: rows, columns: columns)
        pointer.initialize(from: values, count: values.count)
    }

    deinit { pointer.deallocate() }

    package var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: rows * columns) }
    package var array: [Float] { Array(buffer) }
    package func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * columns }

    /// False where a number is infinite or not a number.
    package var isFinite: Bool { buffer.isFinite }

    /// The column of a row's largest number, the first of equals.
    package func largest(ofRow index: Int) -> Int32 { Int32(ck_argmax(row(index), columns)) }
}

extension UnsafeMutableBufferPointer<Float> {
    /// False where a number is infinite or not a number.
    var isFinite: Bool {
        // A sum of x * 0 is 0, or NaN where any x is not finite.
        reduce(Float(0)) { $0 + $1 * 0 } == 0
    }
}
