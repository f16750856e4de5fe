internal import CKernels

/// Linear, exact GELU, Linear (model.md section 4a).
package struct MLPAlignment: Sendable {
    private let first: Linear
    private let second: Linear

    init(_ source: any TensorSource, input: Int, hidden: Int, output: Int) throws {
        first = try Linear(source, "mm_projector.0", outputs: hidden, inputs: input, hasBias: true)
        second = try Linear(source, "mm_projector.2", outputs: output, inputs: hidden, hasBias: true)
    }

    /// One token per patch: `[patches, input]` to `[patches, output]`.
    func callAsFunction(_ pool: KernelPool, _ features: Activations) -> Activations {
        let hidden = first(pool, features)
        ck_gelu(pool.handle, hidden.pointer, hidden.rows * hidden.columns)
        return second(pool, hidden)
    }
}
