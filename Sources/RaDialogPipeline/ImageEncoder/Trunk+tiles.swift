internal import CKernels

// The trunk in AMX tiles: images of 16 bits or of twice 16, f32 sums (ck_tiles.h). All planes go through a block together, so that its
// weights are read once for all of them.

extension Trunk {
    /// Bytes of images that a block reads and writes, which the processor's caches hold: more images at once than that are slower than one after
    /// the other (448 wide at full width, eight together: 57 to 65 ms an image, alone 34 to 37), fewer leave tiles empty.
    private static let cachedBytes = 16 << 20
    private static let mostTogether = 8

    /// How many images it computes at once, where there are as many. In fp32, one has no use for another.
    func imagesTogether(side: Int) -> Int {
        guard arithmetic != .fp32, side > 0 else { return 1 }
        let shapes = shapes(side)
        let fitting = (1...Self.mostTogether).last { count in
            let images = shapes.map { ck_tile_images_bytes(arithmetic.native, count, $0) }
            return !images.contains(0) && (images.max() ?? 0) <= Self.cachedBytes / 2
        }
        return fitting ?? 1
    }

    /// As `callAsFunction`, with all planes at once.
    func inTiles(_ pool: KernelPool, planes: [[Float]], side: Int, check: () throws -> Void) throws -> Activations {
        precondition(pool.has(arithmetic), "the pool has the arithmetic that the weights were loaded for")
        let shapes = shapes(side)
        guard let memory = memory(pool, count: planes.count, side: side, shapes) else {
            throw PipelineError.outOfResources("\(planes.count) images of side \(side) cannot be held in tiles")
        }
        let stacked = Activations(rows: planes.count * side, columns: side)
        for (index, plane) in planes.enumerated() { stacked.row(index * side).update(from: plane, count: plane.count) }
        let last = shapes[shapes.count - 1]
        let features = Activations(rows: planes.count * last.height * last.width, columns: last.channels)

        try pool.withScratch(2 * memory.image + memory.scratch) { base in
            let scratch = base + 2 * memory.image
            var (x, y) = (shapes[0], last)
            (x.data, y.data) = (base, base + memory.image)
            try check()
            ck_stem_tiles(pool.handle, arithmetic.native, planes.count, x, stacked.pointer, side, side, stem.tiles.native, scratch)
            for (index, block) in blocks.enumerated() {
                try check()
                let written = y.data
                y = shapes[index + 1]
                y.data = written
                block.withTiles {
                    ck_bottleneck_tiles(
                        pool.handle, arithmetic.native, planes.count, y, x, $0, index + 1 == blocks.count ? features.pointer : nil, scratch)
                }
                swap(&x, &y)
            }
        }
        withExtendedLifetime(self) {}
        return features
    }

    /// What the stem and each block write, without their memory.
    private func shapes(_ side: Int) -> [ck_tile_images] {
        var side = ((side + 1) / 2 + 1) / 2
        var shapes = [Self.shape(side, stem.filters)]
        for block in blocks {
            side = block.middle.outputSide(side)
            shapes.append(Self.shape(side, block.widen.filters))
        }
        return shapes
    }

    /// The address stands for none.
    private static func shape(_ side: Int, _ channels: Int) -> ck_tile_images {
        ck_tile_images(data: UnsafeMutableRawPointer(bitPattern: 64)!, height: side, width: side, channels: channels, border: 0)
    }

    /// Bytes of the largest images, and of the kernels' scratch; nil where they cannot be.
    private func memory(_ pool: KernelPool, count: Int, side: Int, _ shapes: [ck_tile_images]) -> (image: Int, scratch: Int)? {
        let images = shapes.map { ck_tile_images_bytes(arithmetic.native, count, $0) }
        var scratch = [ck_stem_scratch_bytes(pool.handle, arithmetic.native, side, side, stem.filters)]
        for (index, block) in blocks.enumerated() {
            block.withTiles { scratch.append(ck_bottleneck_scratch_bytes(pool.handle, arithmetic.native, count, shapes[index], $0)) }
        }
        guard let image = images.max(), let most = scratch.max(), !images.contains(0), !scratch.contains(0) else { return nil }
        let aligned = (image + 63) / 64 * 64
        guard aligned <= (Int.max - most) / 2 else { return nil }
        return (aligned, most)
    }
}

extension Trunk.Bottleneck {
    fileprivate func withTiles(_ body: (ck_tile_bottleneck) -> Void) {
        let stride = middle.stride
        guard let shortcut else {
            body(ck_tile_bottleneck(narrow: narrow.tiles.native, middle: middle.tiles.native, widen: widen.tiles.native, shortcut: nil, stride: stride))
            return
        }
        withUnsafePointer(to: shortcut.tiles.native) {
            body(ck_tile_bottleneck(narrow: narrow.tiles.native, middle: middle.tiles.native, widen: widen.tiles.native, shortcut: $0, stride: stride))
        }
    }
}
