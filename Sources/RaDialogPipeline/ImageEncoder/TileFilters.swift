internal import CKernels

/// The filters of one convolution, packed for AMX tiles (ck_tiles.h) in one arithmetic, biases included.
struct TileFilters: Sendable {
    private let filters: Int
    private let kernel: Int
    private let channels: Int
    /// Bytes, as floats: aligned and owned like other weights that are made at load.
    private let packed: FloatTensor

    /// `row` fills the kernel * kernel * channels weights of the given filter, channels changing fastest.
    init(
        _ arithmetic: KernelPool.ImageArithmetic, filters: Int, kernel: Int, channels: Int, bias: FloatTensor?,
        row: (Int, UnsafeMutablePointer<Float>) -> Void
    ) throws {
        let bytes = ck_tile_filters_bytes(arithmetic.native, filters, kernel, channels)
        guard bytes > 0 else {
            throw PipelineError.inconsistent("a convolution of \(filters) filters, side \(kernel), over \(channels) channels cannot be held in tiles")
        }
        let weights = Activations(rows: 1, columns: kernel * kernel * channels)
        packed = try FloatTensor(shape: [bytes / MemoryLayout<Float>.stride]) { storage in
            guard let base = storage.baseAddress else { return }
            for filter in 0..<filters {
                row(filter, weights.pointer)
                ck_pack_tile_filter(arithmetic.native, base, weights.pointer, bias?.pointer[filter] ?? 0, filter, kernel, channels)
            }
        }
        self.filters = filters
        self.kernel = kernel
        self.channels = channels
    }

    /// Valid while `self` lives.
    var native: ck_tile_filters { ck_tile_filters(data: packed.pointer, filters: filters, kernel: kernel, channels: channels) }
}
