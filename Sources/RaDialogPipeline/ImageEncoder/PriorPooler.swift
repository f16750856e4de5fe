import Glibc

// BioViL-T's transformer pooler (`vit_pooler`, model.md section 2; Bannur et al. 2023, arXiv:2301.04558): what has changed since a prior film.
// Input: the patches of both films after `backbone_to_vit`, on the same grid. Output: one row per patch of the current film, which stands
// where `missing_previous_emb` stands without a prior.
// Only the place of a patch and the film it is from tell tokens apart: those embeddings are added to the normalised tokens of every block.

/// The pooler over the patches of two films.
package struct PriorPooler: Sendable {
    private let blocks: [Block]
    private let finalNorm: LayerNorm
    /// [2, channels]: the current film's, then the prior's.
    private let types: FloatTensor
    private let channels: Int

    private struct Block: Sendable {
        let attentionNorm: LayerNorm
        let attention: FullAttention
        let feedForwardNorm: LayerNorm
        let feedForward: FeedForward
    }

    /// - Parameters:
    ///   - prefix: of the state dict's keys, "encoder.vit_pooler.".
    ///   - channels: of a patch, a multiple of 4 that `heads` divides.
    package init(_ source: any TensorSource, prefix: String, channels: Int, _ manifest: BundleManifest.ImageEncoder.Prior) throws {
        guard manifest.heads > 0, channels % manifest.heads == 0, channels % Self.channelsPerPair == 0 else {
            throw PipelineError.inconsistent("image_encoder.prior: \(channels) channels with \(manifest.heads) heads")
        }
        self.channels = channels
        blocks = try (0..<manifest.blocks).map { index in
            let name = "\(prefix)blocks.\(index)."
            func projection(_ part: String) throws -> Linear {
                try Linear(source, name + "attn." + part, outputs: channels, inputs: channels)
            }
            return Block(
                attentionNorm: try LayerNorm(source, name + "norm1", width: channels, epsilon: manifest.layerNormEpsilon),
                attention: FullAttention(
                    heads: manifest.heads, query: try projection("proj_q"), key: try projection("proj_k"), value: try projection("proj_v"),
                    output: try Linear(source, name + "attn.proj", outputs: channels, inputs: channels, hasBias: true)),
                feedForwardNorm: try LayerNorm(source, name + "norm2", width: channels, epsilon: manifest.layerNormEpsilon),
                feedForward: FeedForward(
                    widen: try Linear(source, name + "mlp.fc1", outputs: manifest.feedForward, inputs: channels, hasBias: true),
                    narrow: try Linear(source, name + "mlp.fc2", outputs: channels, inputs: manifest.feedForward, hasBias: true)))
        }
        finalNorm = try LayerNorm(source, prefix + "norm_post", width: channels, epsilon: manifest.layerNormEpsilon)
        types = try source.floats(prefix + "type_embed", shape: [Self.films, 1, channels])
    }

    /// - Parameters:
    ///   - tokens: `[2 * grid * grid, channels]`: the current film's patches, then the prior's, each row-major over the grid. Overwritten.
    ///   - check: asked before every block; throws to stop.
    /// - Returns: `[grid * grid, channels]`
    package func callAsFunction(
        _ pool: KernelPool, _ tokens: Activations, grid: Int, check: () throws -> Void = {}
    ) throws -> Activations {
        let patches = grid * grid
        precondition(tokens.rows == Self.films * patches && tokens.columns == channels, "two films of \(patches) patches are pooled")
        let places = embeddings(grid: grid)
        for block in blocks {
            try check()
            let placed = block.attentionNorm(pool, tokens)
            for index in 0..<placed.rows * channels { placed.pointer[index] += places.pointer[index] }
            block.attention.add(to: tokens, pool, from: placed, context: placed)
            block.feedForward.add(to: tokens, pool, from: block.feedForwardNorm(pool, tokens))
        }
        let pooled = Activations(rows: patches, columns: channels)
        finalNorm.apply(pool, into: pooled.pointer, from: tokens.pointer, rows: patches)
        return pooled
    }

    // MARK: Where a token is from

    private static let films = 2
    /// A sine and a cosine for each axis.
    private static let channelsPerPair = 4
    /// Of `SinePositionEmbedding` in microsoft/hi-ml: constants of the architecture, in no checkpoint.
    private static let temperature: Float = 10_000
    private static let normalisation: Float = 1e-6

    /// `[2 * grid * grid, channels]`: position and type. The upper half of the channels is the row's, the lower the column's; sines and
    /// cosines alternate. In single precision as in the implementation that the weights were trained with.
    private func embeddings(grid: Int) -> Activations {
        let axis = channels / 2
        let wavelengths = (0..<axis).map { pow(Self.temperature, Float(2 * ($0 / 2)) / Float(axis)) }
        /// [grid][axis]: 1 ... grid, scaled to a full turn.
        let waves = (1...grid).map { place in
            let angle = Float(place) / (Float(grid) + Self.normalisation) * (2 * Float.pi)
            return wavelengths.enumerated().map { channel, wavelength in
                let turn = Double(angle / wavelength)
                return Float(channel % 2 == 0 ? sin(turn) : cos(turn))
            }
        }
        let result = Activations(rows: Self.films * grid * grid, columns: channels)
        for row in 0..<result.rows {
            let type = types.pointer + row / (grid * grid) * channels
            let (y, x) = (waves[row / grid % grid], waves[row % grid])
            for channel in 0..<axis {
                result.row(row)[channel] = y[channel] + type[channel]
                result.row(row)[axis + channel] = x[channel] + type[axis + channel]
            }
        }
        return result
    }
}
