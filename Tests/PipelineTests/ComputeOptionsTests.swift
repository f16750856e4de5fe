import RaDialogPipeline
import Testing

/// How a bundle is computed, as it was asked for.
struct ComputeOptionsTests {
    @Test(arguments: ComputeOptions.Arithmetic.allCases, ComputeOptions.Arithmetic.allCases)
    func `a pool computes as it was asked to, or is refused with what there is`(_ arithmetic: ComputeOptions.Arithmetic, _ writing: ComputeOptions.Arithmetic) throws {
        let options = ComputeOptions(threads: 1, arithmetic: arithmetic, writing: writing)
        let result: Result<KernelPool, any Error> = Result { try options.pool() }
        switch result {
        case .success(let pool):
            #expect(arithmetic.panels == nil || pool.panelArithmetic == arithmetic.panels)
            #expect(pool.panelArithmetic != .fp32 || arithmetic == .fp32, "the specification is never what is fastest")
            #expect(pool.writingArithmetic == writing.panels ?? (arithmetic == .auto ? .int8 : pool.panelArithmetic))
        case .failure(let error):
            let wanted = [arithmetic, writing].compactMap(\.panels)
            #expect(wanted.contains { $0 == .bf16 || $0 == .fp16 }, "fp32 and int8 are everywhere")
            let message = "\(error)"
            #expect(message.contains("auto, fp32") && message.contains("[model]") && wanted.contains { message.contains("\($0)") })
        }
    }

    @Test func `few texts at once are written in whole numbers, many as they are read`() throws {
        for together in [1, 4, 5, 16] {
            let pool = try ComputeOptions(threads: 1, together: together).pool()
            #expect(pool.writingArithmetic == (together <= 4 ? .int8 : pool.panelArithmetic))
            #expect(try ComputeOptions(threads: 1, writing: .int8, together: together).pool().writingArithmetic == .int8)
        }
    }

    @Test func `without tiles whole numbers read and write`() throws {
        let pool = try ComputeOptions(threads: 1).pool(instructionSet: .avx2)
        #expect(pool.panelArithmetic == .int8 && pool.writingArithmetic == .int8 && pool.panelArithmeticName == "int8")
        #expect(throws: PipelineError.self) { try ComputeOptions(threads: 1, arithmetic: .bf16).pool(instructionSet: .avx2) }
        #expect(throws: PipelineError.self) { try ComputeOptions(threads: 1, writing: .bf16).pool(instructionSet: .avx2) }
    }
}
