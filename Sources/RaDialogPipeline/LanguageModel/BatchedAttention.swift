internal import CKernels

/// The attention of several conversations' rows, each to the positions of its own cache: what stays the same from layer to layer.
final class BatchedAttention {
    private let pool: KernelPool
    private let shape: ck_kv_shape
    private let heads: Int
    /// `[all counts, keyValueHeads * headDimension]`: of the layer that is computed, written before every `run`.
    let keys, values: Activations
    /// Every conversation's pages, one conversation after the other.
    private let addresses: UnsafeMutableBufferPointer<UnsafeMutableRawPointer>
    private let stored: [ck_kv_rows]
    private let sequences: [ck_attention_sequence]
    private let scratch: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - batch: at least one, with caches of the same shape that have room for their rows.
    ///   - queries: `[all counts, heads * headDimension]`, rotated before every `run`.
    ///   - out: the same shape.
    init(_ pool: KernelPool, _ batch: [LanguageModel.BatchedRows], queries: Activations, out: Activations, heads: Int) {
        self.pool = pool
        self.heads = heads
        let shape = batch[0].cache.shape
        self.shape = shape
        keys = Activations(rows: queries.rows, columns: shape.key_value_heads * shape.head_size)
        values = Activations(rows: queries.rows, columns: keys.columns)
        let pages = batch.map(\.cache.addresses)
        addresses = .allocate(capacity: pages.reduce(0) { $0 + $1.count })
        _ = addresses.initialize(fromContentsOf: pages.joined())
        guard let base = addresses.baseAddress else { preconditionFailure("a cache with room has pages") }
        var stored: [ck_kv_rows] = []
        var sequences: [ck_attention_sequence] = []
        var (row, page) = (0, 0)
        for (part, own) in zip(batch, pages) {
            precondition(part.cache.hasShape(of: batch[0].cache), "caches of one model")
            let first = part.cache.length
            stored.append(.init(pages: base + page, first: first, rows: part.count, keys: keys.row(row), values: values.row(row)))
            sequences.append(
                .init(
                    out: out.row(row), queries: queries.row(row), rows: part.count, first: first,
                    pages: UnsafeRawPointer(base + page).assumingMemoryBound(to: UnsafeRawPointer.self)))
            row += part.count
            page += own.count
        }
        self.stored = stored
        self.sequences = sequences
        scratch = .allocate(byteCount: max(64, ck_attend_scratch_bytes(pool.handle, shape)), alignment: 64)
    }

    deinit {
        addresses.deallocate()
        scratch.deallocate()
    }

    /// Stores the rows' keys and values in their caches, and attends.
    func run(layer: Int) {
        ck_kv_store(pool.handle, shape, layer, stored, stored.count, keys.columns)
        ck_attend_sequences(pool.handle, shape, layer, heads, sequences, sequences.count, scratch)
    }
}
