/// Token ids by the bytes of their pieces: open addressing over one block of memory, so that a look-up of a part of the text
/// makes no String and no copy.
struct PieceTable: Sendable {
    /// All pieces' bytes, one after another; piece `entry` is `starts[entry]..<starts[entry + 1]`.
    private var storage: [UInt8] = []
    private var starts: [Int] = [0]
    private var ids: [Int32] = []
    /// Index into `ids`, or -1. The count is a power of two, at least twice the number of pieces.
    private var slots: [Int32]
    private(set) var longestPiece = 0

    /// `capacity`: how many pieces will be inserted at most.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: -1, count: size)
    }

    /// False where a piece with these bytes is there already.
    mutating func insert(_ bytes: [UInt8], id: Int32) -> Bool {
        precondition(ids.count * 2 < slots.count, "more pieces than the table was made for")
        let slot = bytes.withUnsafeBufferPointer { self.slot(of: $0) }
        guard slots[slot] < 0 else { return false }
        slots[slot] = Int32(ids.count)
        ids.append(id)
        storage.append(contentsOf: bytes)
        starts.append(storage.count)
        longestPiece = max(longestPiece, bytes.count)
        return true
    }

    func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
        guard bytes.count <= longestPiece else { return nil }
        let entry = slots[slot(of: bytes)]
        return entry < 0 ? nil : ids[Int(entry)]
    }

    /// The slot that holds these bytes, or the free one where they belong.
    private func slot(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
        // Seeded per process: a file cannot be made so that its pieces collide.
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        let mask = slots.count - 1
        var slot = hasher.finalize() & mask
        while slots[slot] >= 0, !isEqual(Int(slots[slot]), bytes) { slot = (slot + 1) & mask }
        return slot
    }

    private func isEqual(_ entry: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = starts[entry]
        guard starts[entry + 1] - start == bytes.count else { return false }
        for index in 0..<bytes.count where storage[start + index] != bytes[index] { return false }
        return true
    }
}
