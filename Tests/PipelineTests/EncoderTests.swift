import Foundation
import RaDialogPipeline
import Testing

/// The image encoder at toy width against PyTorch's order of operations, unfolded, in double precision, channel-first.
struct EncoderTests {
    @Test(arguments: [33, 64, 95])
    func `patch features are right for sides that are no multiple of 32`(_ side: Int) throws {
        let toy = try ToyEncoder(seed: UInt64(side))
        var numbers = SeededNumbers(UInt64(side))
        let plane = numbers.floats(side * side, in: 0...1)
        let encoder = try ImageEncoder(toy.weights.open(), toy.manifest)
        let expected = toy.patchFeatures(plane, side: side)
        let grid = toy.manifest.grid(side: side)
        var first: [Float]?
        for pool in [try KernelPool(threads: 2), try KernelPool(threads: 1), try KernelPool(threads: 1, instructionSet: .scalar)] {
            let features = try encoder.patchFeatures(pool, plane: plane, side: side)
            #expect(features.rows == grid * grid)
            #expect(relativeError(features.array, expected) < fp32Budget)
            #expect(sameBits(features.array, first ?? features.array))
            first = features.array
        }
    }

    @Test func `the half of a prior image is the learned embedding, everywhere`() throws {
        let toy = try ToyEncoder(seed: 3)
        let features = try ImageEncoder(toy.weights.open(), toy.manifest)
            .patchFeatures(KernelPool(threads: 1), plane: [Float](repeating: 0.5, count: 64 * 64), side: 64)
        for patch in 0..<features.rows {
            let half = (0..<toy.manifest.patchChannels).map { features.row(patch)[toy.manifest.patchChannels + $0] }
            #expect(half == toy.weights["encoder.missing_previous_emb"])
        }
    }

    @Test func `the encoder stops between blocks when asked to`() throws {
        let toy = try ToyEncoder(seed: 4)
        let encoder = try ImageEncoder(toy.weights.open(), toy.manifest)
        var asked = 0
        #expect(throws: PipelineError.cancelled) {
            try encoder.patchFeatures(KernelPool(threads: 1), plane: [Float](repeating: 0, count: 64 * 64), side: 64) {
                asked += 1
                if asked == 3 { throw PipelineError.cancelled }
            }
        }
        #expect(asked == 3)
    }

    @Test func `a batch norm with a variance below zero is refused by name`() throws {
        let toy = try ToyEncoder(seed: 5)
        toy.weights.set("encoder.encoder.layer2.0.bn2.running_var", 1, to: -1)
        #expect { try ImageEncoder(toy.weights.open(), toy.manifest) } throws: { "\($0)".contains("encoder.encoder.layer2.0.bn2") }
    }
}

/// An encoder of four stages with one or two narrow blocks, and its forward pass once more.
final class ToyEncoder {
    let manifest: BundleManifest.ImageEncoder
    let weights: RandomWeights
    private let prefix: String

    init(
        seed: UInt64, prefix: String = "", projection: Int? = nil, patchChannels: Int = 7, prior: BundleManifest.ImageEncoder.Prior? = nil
    ) throws {
        manifest = BundleManifest.ImageEncoder(
            weights: "toy", stemChannels: 6, stageBlocks: [2, 1, 1, 2], stageChannels: [3, 4, 5, 6], expansion: 2,
            patchChannels: patchChannels, projection: projection, batchNormEpsilon: 1e-5, prior: prior)
        self.prefix = prefix
        weights = try RandomWeights(seed: seed)
        let name = prefix + "encoder.encoder."
        weights.add(name + "conv1.weight", [6, 3, 7, 7])
        weights.addBatchNorm(name + "bn1", 6)
        var channels = 6
        for stage in 0..<4 {
            let inner = manifest.stageChannels[stage]
            for block in 0..<manifest.stageBlocks[stage] {
                let at = "\(name)layer\(stage + 1).\(block)."
                for (part, shape) in [("1", [inner, channels, 1, 1]), ("2", [inner, inner, 3, 3]), ("3", [inner * 2, inner, 1, 1])] {
                    weights.add(at + "conv\(part).weight", shape)
                    weights.addBatchNorm(at + "bn\(part)", shape[0])
                }
                // The first stage keeps its width, 6 = 2 x 3, and its side: no projection there.
                if block == 0 && stage > 0 {
                    weights.add(at + "downsample.0.weight", [inner * 2, channels, 1, 1])
                    weights.addBatchNorm(at + "downsample.1", inner * 2)
                }
                channels = inner * 2
            }
        }
        weights.add(prefix + "encoder.backbone_to_vit.weight", [patchChannels, 12, 1, 1])
        weights.add(prefix + "encoder.missing_previous_emb", [1, patchChannels, 1, 1])
        if let projection {
            weights.add(prefix + "projector.model.0.weight", [projection, 2 * patchChannels, 1, 1])
            weights.addBatchNorm(prefix + "projector.model.1", projection)
            weights.add(prefix + "projector.model.3.weight", [projection, projection, 1, 1])
            weights.add(prefix + "projector.model.3.bias", [projection], in: -0.5...0.5)
        }
        if let prior { addPooler(prior) }
    }

    private func addPooler(_ prior: BundleManifest.ImageEncoder.Prior) {
        let (name, width) = (prefix + "encoder.vit_pooler.", manifest.patchChannels)
        func addLinear(_ name: String, _ outputs: Int, _ inputs: Int) {
            weights.add(name + ".weight", [outputs, inputs])
            weights.add(name + ".bias", [outputs], in: -0.2...0.2)
        }
        for index in 0..<prior.blocks {
            let at = "\(name)blocks.\(index)."
            for norm in ["norm1", "norm2"] { addNorm(at + norm, width) }
            for part in ["q", "k", "v"] { weights.add("\(at)attn.proj_\(part).weight", [width, width]) }
            addLinear(at + "attn.proj", width, width)
            addLinear(at + "mlp.fc1", prior.feedForward, width)
            addLinear(at + "mlp.fc2", width, prior.feedForward)
        }
        addNorm(name + "norm_post", width)
        weights.add(name + "type_embed", [2, 1, width], in: -0.5...0.5)
    }

    private func addNorm(_ name: String, _ width: Int) {
        weights.add(name + ".weight", [width], in: 0.5...1.5)
        weights.add(name + ".bias", [width], in: -0.2...0.2)
    }

    /// [channels][side * side]
    private typealias Image = [[Double]]

    /// `[grid * grid, 14]`
    func patchFeatures(_ plane: [Float], side: Int) -> [Float] {
        var side = side
        let name = prefix + "encoder.encoder."
        var x: Image = Array(repeating: plane.map(Double.init), count: 3)
        x = relu(norm(convolve(x, side, name + "conv1.weight", kernel: 7, stride: 2, padding: 3), name + "bn1"))
        side = (side + 1) / 2
        x = maxPool(x, side)
        side = (side + 1) / 2
        for stage in 0..<4 {
            for block in 0..<manifest.stageBlocks[stage] {
                let at = "\(name)layer\(stage + 1).\(block)."
                let stride = stage > 0 && block == 0 ? 2 : 1
                var y = relu(norm(convolve(x, side, at + "conv1.weight"), at + "bn1"))
                y = relu(norm(convolve(y, side, at + "conv2.weight", kernel: 3, stride: stride, padding: 1), at + "bn2"))
                let shortcut = block == 0 && stage > 0 ? norm(convolve(x, side, at + "downsample.0.weight", stride: stride), at + "downsample.1") : x
                side = (side + stride - 1) / stride
                y = norm(convolve(y, side, at + "conv3.weight"), at + "bn3")
                x = relu(zip(y, shortcut).map { zip($0, $1).map(+) })
            }
        }
        let patches = convolve(x, side, prefix + "encoder.backbone_to_vit.weight")
        let missing = weights[prefix + "encoder.missing_previous_emb"]
        return (0..<side * side).flatMap { patch in patches.map { Float($0[patch]) } + missing }
    }

    private func convolve(_ x: Image, _ side: Int, _ name: String, kernel: Int = 1, stride: Int = 1, padding: Int = 0) -> Image {
        let matrix = weights[name]
        let out = (side + 2 * padding - kernel) / stride + 1
        return (0..<matrix.count / (x.count * kernel * kernel)).map { filter in
            (0..<out * out).map { pixel in
                var sum = 0.0
                for channel in x.indices {
                    for i in 0..<kernel {
                        for j in 0..<kernel {
                            let (row, column) = (pixel / out * stride + i - padding, pixel % out * stride + j - padding)
                            guard (0..<side).contains(row), (0..<side).contains(column) else { continue }
                            sum += x[channel][row * side + column] * Double(matrix[((filter * x.count + channel) * kernel + i) * kernel + j])
                        }
                    }
                }
                return sum
            }
        }
    }

    private func norm(_ x: Image, _ name: String) -> Image {
        let (weight, bias) = (weights[name + ".weight"], weights[name + ".bias"])
        let (mean, variance) = (weights[name + ".running_mean"], weights[name + ".running_var"])
        return x.enumerated().map { channel, values in
            values.map { ($0 - Double(mean[channel])) / (Double(variance[channel]) + 1e-5).squareRoot() * Double(weight[channel]) + Double(bias[channel]) }
        }
    }

    private func relu(_ x: Image) -> Image { x.map { $0.map { max(0, $0) } } }

    private func maxPool(_ x: Image, _ side: Int) -> Image {
        let out = (side + 1) / 2
        return x.map { channel in
            (0..<out * out).map { pixel in
                var largest = -Double.infinity
                for i in max(0, pixel / out * 2 - 1)...min(side - 1, pixel / out * 2 + 1) {
                    for j in max(0, pixel % out * 2 - 1)...min(side - 1, pixel % out * 2 + 1) { largest = max(largest, channel[i * side + j]) }
                }
                return largest
            }
        }
    }
}
