// BioViL-T for one image (docs/model-bundle.md, model.md section 2).
// Input: one grey plane. Steps: trunk, 1x1 `backbone_to_vit`, the learned `missing_previous_emb` where a prior image's features
// would stand; projector where the bundle has one. The pooler for a prior image is not here.

/// The image encoder.
package struct ImageEncoder: Sendable {
    private let trunk: Trunk
    /// 1x1, no bias: a linear layer over the pixels.
    private let toPatches: Linear
    /// [patchChannels]: the same for every patch.
    private let missingPrevious: FloatTensor
    private let projector: Projector?
    private let patchChannels: Int

    /// - Parameter prefix: before the state dict's keys; "" or "biovil_encoder.".
    package init(_ source: any TensorSource, prefix: String = "", _ manifest: BundleManifest.ImageEncoder) throws {
        let channels = manifest.patchChannels
        trunk = try Trunk(source, prefix: prefix + "encoder.encoder.", manifest)
        let weight = try source.floats(
            prefix + "encoder.backbone_to_vit.weight", shape: [channels, manifest.trunkChannels, 1, 1])
        toPatches = try Linear(outputs: channels, inputs: manifest.trunkChannels, bias: nil) { output, row in
            row.update(from: weight.pointer + output * manifest.trunkChannels, count: manifest.trunkChannels)
        }
        missingPrevious = try source.floats(prefix + "encoder.missing_previous_emb", shape: [1, channels, 1, 1])
        projector = try manifest.projection.map {
            try Projector(source, prefix: prefix + "projector.model.", inputs: 2 * channels, outputs: $0, epsilon: manifest.batchNormEpsilon)
        }
        patchChannels = channels
    }

    /// Patch features `[grid * grid, 2 * patchChannels]`, row-major over the grid: the image's half, then the missing prior's.
    /// - Parameter plane: `[side, side]`, 0...1.
    package func patchFeatures(
        _ pool: KernelPool, plane: [Float], side: Int, check: () throws -> Void = {}
    ) throws -> Activations {
        let features = try trunk(pool, plane: plane, side: side, check: check)  // [patches, trunkChannels]
        let fused = Activations(rows: features.rows, columns: 2 * patchChannels)
        toPatches.apply(pool, into: fused.pointer, stride: fused.columns, from: features.pointer, rows: features.rows)
        for patch in 0..<fused.rows {
            (fused.row(patch) + patchChannels).update(from: missingPrevious.pointer, count: patchChannels)
        }
        return fused
    }

    /// `[grid * grid, projection]`.
    package func project(_ pool: KernelPool, _ features: Activations) -> Activations {
        guard let projector else { preconditionFailure("this bundle's encoder has no projector") }
        return projector(pool, features)
    }
}

/// 1x1 convolution, batch norm, ReLU, 1x1 convolution with bias: patch features into the joint space.
struct Projector: Sendable {
    private let first: Convolution
    private let second: Convolution

    init(_ source: any TensorSource, prefix: String, inputs: Int, outputs: Int, epsilon: Double) throws {
        first = try Convolution(
            source, prefix + "0.weight", channels: inputs, filters: outputs, norm: .batchNorm(prefix + "1", epsilon: epsilon))
        second = try Convolution(source, prefix + "3.weight", channels: outputs, filters: outputs, norm: .bias(prefix + "3.bias"))
    }

    /// A 1x1 convolution does not care how the pixels lie: one row of them is a line.
    func callAsFunction(_ pool: KernelPool, _ features: Activations) -> Activations {
        let hidden = first.pixelwise(pool, features, activation: .relu)
        return second.pixelwise(pool, hidden)
    }
}

extension Convolution {
    /// A 1x1 convolution over pixels in any arrangement.
    func pixelwise(_ pool: KernelPool, _ x: Activations, activation: Linear.Activation = .none) -> Activations {
        precondition(kernel == 1 && stride == 1, "only a 1x1 convolution is pixelwise")
        return weights(pool, x, activation: activation)
    }
}
