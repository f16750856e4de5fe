// BioViL-T for one image, or an image and a prior (docs/model-bundle.md, model.md section 2).
// Input: one grey plane, or two. Steps: trunk, 1x1 `backbone_to_vit`; beside its output the learned `missing_previous_emb`, or what the
// pooler (PriorPooler.swift) makes of both images; projector where the bundle has one.

/// The image encoder.
package struct ImageEncoder: Sendable {
    let trunk: Trunk
    /// 1x1, no bias: a linear layer over the pixels.
    private let toPatches: Linear
    /// [patchChannels]: the same for every patch.
    private let missingPrevious: FloatTensor
    private let pooler: PriorPooler?
    private let projector: Projector?
    private let patchChannels: Int

    /// - Parameters:
    ///   - prefix: before the state dict's keys; "" or "biovil_encoder.".
    ///   - arithmetic: of the trunk. Other than fp32, a pool that computes with this encoder must have it.
    package init(
        _ source: any TensorSource, prefix: String = "", _ manifest: BundleManifest.ImageEncoder, arithmetic: KernelPool.ImageArithmetic = .fp32
    ) throws {
        let channels = manifest.patchChannels
        trunk = try Trunk(source, prefix: prefix + "encoder.encoder.", manifest, arithmetic: arithmetic)
        let weight = try source.floats(
            prefix + "encoder.backbone_to_vit.weight", shape: [channels, manifest.trunkChannels, 1, 1])
        toPatches = try Linear(outputs: channels, inputs: manifest.trunkChannels, bias: nil) { output, row in
            row.update(from: weight.pointer + output * manifest.trunkChannels, count: manifest.trunkChannels)
        }
        missingPrevious = try source.floats(prefix + "encoder.missing_previous_emb", shape: [1, channels, 1, 1])
        pooler = try manifest.prior.map { try PriorPooler(source, prefix: prefix + "encoder.vit_pooler.", channels: channels, $0) }
        projector = try manifest.projection.map {
            try Projector(source, prefix: prefix + "projector.model.", inputs: 2 * channels, outputs: $0, epsilon: manifest.batchNormEpsilon)
        }
        patchChannels = channels
    }

    /// Whether the bundle asks for the pooler, so that `patchFeatures` may be given a prior.
    package var readsPrior: Bool { pooler != nil }

    /// Patch features `[grid * grid, 2 * patchChannels]` of each plane, row-major over the grid: the image's half, then the missing prior's.
    /// - Parameter planes: `[side, side]` each, 0...1. What one gives does not depend on the others.
    package func patchFeatures(_ pool: KernelPool, planes: [[Float]], side: Int, check: () throws -> Void = {}) throws -> [Activations] {
        let features = try trunk(pool, planes: planes, side: side, check: check)  // [planes * patches, trunkChannels]
        let patches = grid(side) * grid(side)
        return planes.indices.map { plane in
            let fused = Activations(rows: patches, columns: 2 * patchChannels)
            toPatches.apply(pool, into: fused.pointer, stride: fused.columns, from: features.row(plane * patches), rows: patches)
            for patch in 0..<patches { (fused.row(patch) + patchChannels).update(from: missingPrevious.pointer, count: patchChannels) }
            return fused
        }
    }

    /// As above, of one image; where it has a prior, the second half is what the pooler makes of both.
    /// - Parameters:
    ///   - plane: `[side, side]`, 0...1.
    ///   - prior: the same of an earlier image; nil where there is none, and always where `readsPrior` is false.
    package func patchFeatures(
        _ pool: KernelPool, plane: [Float], side: Int, prior: [Float]? = nil, check: () throws -> Void = {}
    ) throws -> Activations {
        guard let prior else { return try patchFeatures(pool, planes: [plane], side: side, check: check)[0] }
        guard let pooler else { preconditionFailure("this bundle's encoder has no pooler for a prior image") }
        let features = try trunk(pool, planes: [plane, prior], side: side, check: check)  // [2 * patches, trunkChannels]
        let tokens = Activations(rows: features.rows, columns: patchChannels)  // the image's patches, then the prior's
        toPatches.apply(pool, into: tokens.pointer, from: features.pointer, rows: tokens.rows)
        let fused = Activations(rows: features.rows / 2, columns: 2 * patchChannels)
        for patch in 0..<fused.rows { fused.row(patch).update(from: tokens.row(patch), count: patchChannels) }
        let pooled = try pooler(pool, tokens, grid: grid(side), check: check)  // [patches, patchChannels]; writes over the tokens
        for patch in 0..<fused.rows { (fused.row(patch) + patchChannels).update(from: pooled.row(patch), count: patchChannels) }
        return fused
    }

    private func grid(_ side: Int) -> Int { (side + BundleManifest.ImageEncoder.stride - 1) / BundleManifest.ImageEncoder.stride }

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
