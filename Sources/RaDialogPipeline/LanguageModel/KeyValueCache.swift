/// Keys and values of the positions read so far, for every layer. One conversation's; not Sendable.
package final class KeyValueCache {
    /// Positions that are valid. Lowering it forgets the rest; nothing is moved.
    package var length = 0 {
        didSet { precondition(length >= 0 && length <= capacity, "a cache's length is within what it holds") }
    }
    /// Floats per position: key-value heads times head dimension.
    package let width: Int
    private let layers: Int
    private var capacity = 0
    /// [layers][keys, values][capacity, width]
    private var storage: UnsafeMutablePointer<Float>

    /// Positions are added by so many: a conversation grows in few steps.
    private static let step = 256

    package init(_ manifest: BundleManifest.LanguageModel) {
        layers = manifest.layers
        width = manifest.keyValueHeads * manifest.headDimension
        storage = .allocate(capacity: 1)
    }

    deinit { storage.deallocate() }

    package func keys(layer: Int) -> UnsafeMutablePointer<Float> { storage + layer * 2 * capacity * width }
    package func values(layer: Int) -> UnsafeMutablePointer<Float> { storage + (layer * 2 + 1) * capacity * width }

    /// Makes room for `positions` altogether and keeps what is there.
    package func reserve(_ positions: Int) {
        guard positions > capacity else { return }
        let wider = (positions + Self.step - 1) / Self.step * Self.step
        let moved = UnsafeMutablePointer<Float>.allocate(capacity: layers * 2 * wider * width)
        for part in 0..<layers * 2 {
            (moved + part * wider * width).update(from: storage + part * capacity * width, count: length * width)
        }
        storage.deallocate()
        storage = moved
        capacity = wider
    }

    /// Bytes it holds.
    package var byteCount: Int { layers * 2 * capacity * width * MemoryLayout<Float>.stride }

    /// Forgets everything and gives the memory back.
    package func release() {
        length = 0
        storage.deallocate()
        storage = .allocate(capacity: 1)
        capacity = 0
    }
}
