/// Image features into the language model's embedding space: v2's MLP or v1's Q-Former, as the bundle says.
package enum Alignment: Sendable {
    case mlp(MLPAlignment)
    case qFormer(QFormer)

    package init(_ source: any TensorSource, _ manifest: BundleManifest.Alignment) throws {
        switch manifest.architecture {
        case .mlp(let hidden):
            self = .mlp(try MLPAlignment(source, input: manifest.input, hidden: hidden, output: manifest.output))
        case .qFormer(let shape):
            self = .qFormer(try QFormer(source, input: manifest.input, output: manifest.output, shape))
        }
    }

    /// - Parameter features: `[patches, input]`, row-major over the grid: patch features, or the encoder's projection of them where the
    ///   manifest's `alignment.readsProjection` says so.
    /// - Returns: `[tokens, output]`, what stands in the prompt for the image.
    package func callAsFunction(_ pool: KernelPool, _ features: Activations) -> Activations {
        switch self {
        case .mlp(let mlp): mlp(pool, features)
        case .qFormer(let qFormer): qFormer(pool, features)
        }
    }
}
