internal import CKernels

/// A convolution with its batch norm folded in. Images are channels-last: `[height * width, channels]`.
struct Convolution: Sendable {
    let channels: Int
    let filters: Int
    let kernel: Int
    let stride: Int
    let padding: Int
    let weights: Weights

    /// In the arithmetic that they were loaded for.
    enum Weights: Sendable {
        case linear(Linear)
        case tiles(TileFilters)
    }

    /// For `apply` and `pixelwise`.
    private var linear: Linear {
        guard case .linear(let linear) = weights else { preconditionFailure("a convolution in tiles is computed with its block") }
        return linear
    }

    /// For the functions of ck_tiles.h.
    var tiles: TileFilters {
        guard case .tiles(let tiles) = weights else { preconditionFailure("a convolution in fp32 has no tiles") }
        return tiles
    }

    /// The side of what comes out of a square image.
    func outputSide(_ side: Int) -> Int { ck_convolved(side, kernel, stride, padding) }

    /// `y` must not overlap `x`; `residual` may be `y` itself.
    func apply(
        _ pool: KernelPool, into y: UnsafeMutablePointer<Float>, from x: UnsafePointer<Float>, side: Int,
        residual: UnsafePointer<Float>? = nil, activation: Linear.Activation = .none
    ) {
        let shape = ck_convolution(
            height: side, width: side, channels: channels, filters: filters, kernel: kernel, stride: stride, padding: padding)
        linear.convolve(pool, into: y, from: x, shape: shape, residual: residual, activation: activation)
    }

    /// What is folded into the weights.
    enum Norm {
        /// `name`.{weight,bias,running_mean,running_var}
        case batchNorm(String, epsilon: Double)
        /// `name`
        case bias(String)
        case none
    }

    /// Reads `name` [filters, channels, kernel, kernel] and folds `norm`: w' = w * g / sqrt(var + eps), b' = b - mean * g / sqrt(var + eps).
    ///
    /// - Parameters:
    ///   - summingChannels: the input's channels are equal (a grey image): one input channel with the sum of their weights. It comes with
    ///     `padding` rows and columns of zeros around it, so that the kernels read along its rows.
    ///   - arithmetic: other than fp32, the convolution is one of `ck_tiles.h`, and the grey image comes without zeros.
    init(
        _ source: any TensorSource, _ name: String, channels: Int, filters: Int, kernel: Int = 1, stride: Int = 1, padding: Int = 0,
        norm: Norm, summingChannels: Bool = false, arithmetic: KernelPool.ImageArithmetic = .fp32
    ) throws {
        guard channels <= CK_MAXIMUM_CHANNELS, kernel <= CK_MAXIMUM_KERNEL else {
            throw PipelineError.inconsistent("convolution \"\(name)\" of \(channels) channels and side \(kernel) is larger than supported")
        }
        let weight = try source.floats(name, shape: [filters, channels, kernel, kernel])
        let (scale, bias) = try Self.fold(source, norm, filters: filters)
        let inputChannels = summingChannels ? 1 : channels
        let area = kernel * kernel
        self.channels = inputChannels
        self.filters = filters
        self.kernel = kernel
        self.stride = stride
        self.padding = summingChannels ? 0 : padding
        func fill(_ filter: Int, _ row: UnsafeMutablePointer<Float>) {
            // [channels][kernel * kernel] -> [kernel * kernel][channels]
            let from = weight.pointer + filter * channels * area
            for position in 0..<area {
                if summingChannels {
                    var sum: Double = 0
                    for channel in 0..<channels { sum += Double(from[channel * area + position]) }
                    row[position] = Float(sum * scale[filter])
                } else {
                    for channel in 0..<channels {
                        row[position * channels + channel] = Float(Double(from[channel * area + position]) * scale[filter])
                    }
                }
            }
        }
        weights =
            arithmetic == .fp32
            ? .linear(try Linear(outputs: filters, inputs: area * inputChannels, bias: bias, row: fill))
            : .tiles(try TileFilters(arithmetic, filters: filters, kernel: kernel, channels: inputChannels, bias: bias, row: fill))
    }

    /// A 1x1 convolution over pixels in any arrangement.
    func pixelwise(_ pool: KernelPool, _ x: Activations, activation: Linear.Activation = .none) -> Activations {
        precondition(kernel == 1 && stride == 1, "only a 1x1 convolution is pixelwise")
        return linear(pool, x, activation: activation)
    }

    private static func fold(_ source: any TensorSource, _ norm: Norm, filters: Int) throws -> (scale: [Double], bias: FloatTensor?) {
        switch norm {
        case .none:
            return (Array(repeating: 1, count: filters), nil)
        case .bias(let name):
            return (Array(repeating: 1, count: filters), try source.floats(name, shape: [filters]))
        case .batchNorm(let name, let epsilon):
            let weight = try source.floats(name + ".weight", shape: [filters]).array
            let bias = try source.floats(name + ".bias", shape: [filters]).array
            let mean = try source.floats(name + ".running_mean", shape: [filters]).array
            let variance = try source.floats(name + ".running_var", shape: [filters]).array
            let scale = (0..<filters).map { Double(weight[$0]) / (Double(variance[$0]) + epsilon).squareRoot() }
            guard scale.allSatisfy({ $0.isFinite }) else {
                throw PipelineError.inconsistent("batch norm \"\(name)\" has a variance that is negative or not finite")
            }
            let folded = (0..<filters).map { Float(Double(bias[$0]) - Double(mean[$0]) * scale[$0]) }
            return (scale, try FloatTensor(shape: [filters], values: folded))
        }
    }
}
