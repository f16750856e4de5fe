internal import CKernels

// ResNet-50's topology (torchvision layout: the stride on the 3x3) at any width and depth, without its final pooling.
// Input: grey planes [side, side]. Output: [planes * grid * grid, trunkChannels], grid = ceil(side / 32).
// Here in fp32, one plane after the other; Trunk+tiles.swift has several at once in AMX tiles.

/// The convolutional trunk of BioViL-T. Source: He et al. 2015; torchvision's `resnet50`.
struct Trunk: Sendable {
    let stem: Convolution
    let blocks: [Bottleneck]
    let arithmetic: KernelPool.ImageArithmetic

    /// Zeros around the image: half of the stem's 7x7.
    static let border = 3

    /// 1x1 narrow, 3x3 (strided), 1x1 widen, plus the shortcut.
    struct Bottleneck: Sendable {
        let narrow: Convolution
        let middle: Convolution
        let widen: Convolution
        /// nil where the shortcut is the input itself.
        let shortcut: Convolution?
    }

    /// - Parameters:
    ///   - prefix: of the state dict's keys, "encoder.encoder.".
    ///   - arithmetic: what the weights are loaded for, once and for all.
    init(
        _ source: any TensorSource, prefix: String, _ manifest: BundleManifest.ImageEncoder, arithmetic: KernelPool.ImageArithmetic = .fp32
    ) throws {
        let epsilon = manifest.batchNormEpsilon
        self.arithmetic = arithmetic
        stem = try Convolution(
            source, prefix + "conv1.weight", channels: 3, filters: manifest.stemChannels, kernel: 7, stride: 2, padding: Self.border,
            norm: .batchNorm(prefix + "bn1", epsilon: epsilon), summingChannels: true, arithmetic: arithmetic)

        var blocks: [Bottleneck] = []
        var channels = manifest.stemChannels
        for (stage, (count, inner)) in zip(manifest.stageBlocks, manifest.stageChannels).enumerated() {
            let outer = inner * manifest.expansion
            for index in 0..<count {
                let name = "\(prefix)layer\(stage + 1).\(index)."
                let stride = stage > 0 && index == 0 ? 2 : 1
                // torchvision adds a projection to the first block of every stage whose shape changes.
                let needsProjection = index == 0 && (stride != 1 || channels != outer)
                blocks.append(Bottleneck(
                    narrow: try Convolution(
                        source, name + "conv1.weight", channels: channels, filters: inner, norm: .batchNorm(name + "bn1", epsilon: epsilon),
                        arithmetic: arithmetic),
                    middle: try Convolution(
                        source, name + "conv2.weight", channels: inner, filters: inner, kernel: 3, stride: stride, padding: 1,
                        norm: .batchNorm(name + "bn2", epsilon: epsilon),
                        arithmetic: arithmetic),
                    widen: try Convolution(
                        source, name + "conv3.weight", channels: inner, filters: outer, norm: .batchNorm(name + "bn3", epsilon: epsilon),
                        arithmetic: arithmetic),
                    shortcut: needsProjection
                        ? try Convolution(
                            source, name + "downsample.0.weight", channels: channels, filters: outer, stride: stride,
                            norm: .batchNorm(name + "downsample.1", epsilon: epsilon), arithmetic: arithmetic)
                        : nil))
                channels = outer
            }
        }
        self.blocks = blocks
    }

    /// - Parameters:
    ///   - planes: `[side, side]` each, row-major, 0...1. A plane's features do not depend on the others.
    ///   - check: asked before every block; throws to stop.
    func callAsFunction(_ pool: KernelPool, planes: [[Float]], side: Int, check: () throws -> Void) throws -> Activations {
        precondition(!planes.isEmpty && planes.allSatisfy { $0.count == side * side }, "planes, each of side x side pixels")
        let together = imagesTogether(side: side)
        func part(_ planes: ArraySlice<[Float]>) throws -> Activations {
            guard arithmetic == .fp32, let plane = planes.first else { return try inTiles(pool, planes: Array(planes), side: side, check: check) }
            return try inFloats(pool, plane: plane, side: side, check: check)
        }
        if planes.count <= together { return try part(planes[...]) }
        let parts = try stride(from: 0, to: planes.count, by: together).map { try part(planes[$0..<min($0 + together, planes.count)]) }
        let result = Activations(rows: parts.reduce(0) { $0 + $1.rows }, columns: outputChannels)
        var row = 0
        for part in parts {
            result.row(row).update(from: part.pointer, count: part.rows * part.columns)
            row += part.rows
        }
        return result
    }

    var outputChannels: Int { blocks.last?.widen.filters ?? stem.filters }

    private func inFloats(_ pool: KernelPool, plane: [Float], side: Int, check: () throws -> Void) throws -> Activations {
        let size = workingSize(side)
        var x = Activations(rows: 1, columns: size.outer)  // what the block reads
        var y = Activations(rows: 1, columns: size.outer)  // what it writes
        let narrowed = Activations(rows: 1, columns: size.inner)
        let filtered = Activations(rows: 1, columns: size.inner)

        try check()
        let bordered = Self.bordered(plane, side: side)
        var side = stem.outputSide(side + 2 * Self.border)
        stem.apply(pool, into: y.pointer, from: bordered.pointer, side: bordered.rows, activation: .relu)
        ck_max_pool(pool.handle, x.pointer, y.pointer, side, side, stem.filters)
        side = (side + 1) / 2

        for block in blocks {
            try check()
            let outputSide = block.middle.outputSide(side)
            block.narrow.apply(pool, into: narrowed.pointer, from: x.pointer, side: side, activation: .relu)
            block.middle.apply(pool, into: filtered.pointer, from: narrowed.pointer, side: side, activation: .relu)
            if let shortcut = block.shortcut {
                shortcut.apply(pool, into: y.pointer, from: x.pointer, side: side)
                swap(&x, &y)
            }
            // The sum is made where the shortcut lies.
            block.widen.apply(pool, into: x.pointer, from: filtered.pointer, side: outputSide, residual: x.pointer, activation: .relu)
            side = outputSide
        }

        let output = Activations(rows: side * side, columns: outputChannels)
        output.pointer.update(from: x.pointer, count: output.rows * output.columns)
        return output
    }

    /// The most floats that a block's input or output has, and one of its inner images.
    private func workingSize(_ side: Int) -> (outer: Int, inner: Int) {
        let stemSide = stem.outputSide(side + 2 * Self.border)
        var outer = stemSide * stemSide * stem.filters
        var inner = 0
        var side = (stemSide + 1) / 2
        for block in blocks {
            inner = max(inner, side * side * block.narrow.filters)
            side = block.middle.outputSide(side)
            outer = max(outer, side * side * block.widen.filters)
        }
        return (outer, inner)
    }

    /// The plane with zeros around it.
    private static func bordered(_ plane: [Float], side: Int) -> Activations {
        let wide = side + 2 * border
        let result = Activations(rows: wide, columns: wide)
        result.buffer.initialize(repeating: 0)
        plane.withUnsafeBufferPointer { plane in
            guard let base = plane.baseAddress else { return }
            for row in 0..<side { (result.row(row + border) + border).update(from: base + row * side, count: side) }
        }
        return result
    }
}
