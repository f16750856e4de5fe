internal import CKernels

/// Patch features into the language model's embedding space: Linear, exact GELU, Linear (model.md section 4a).
package struct Alignment: Sendable {
    private let first: Linear
    private let second: Linear

    package init(_ source: any TensorSource, _ manifest: BundleManifest.Alignment) throws {
        first = try Linear(source, "mm_projector.0", outputs: manifest.hidden, inputs: manifest.input, hasBias: true)
        second = try Linear(source, "mm_projector.2", outputs: manifest.output, inputs: manifest.hidden, hasBias: true)
    }

    /// One token per patch: `[patches, input]` to `[patches, output]`.
    package func callAsFunction(_ pool: KernelPool, _ features: Activations) -> Activations {
        let hidden = first(pool, features)
        ck_gelu(pool.handle, hidden.pointer, hidden.rows * hidden.columns)
        return second(pool, hidden)
    }
}
