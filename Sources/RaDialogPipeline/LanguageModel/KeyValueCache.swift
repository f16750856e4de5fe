internal import CKernels
internal import Glibc

/// How the numbers of a key-value cache are stored; the raw values are C's (ck_attention_pages.h).
package enum KeyValueType: UInt32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    /// Signed bytes, with a scale for each position and head.
    case q8 = 2

    /// For provenance.
    package var name: String { "\(self)" }
}

/// Keys and values of the positions read so far, for every layer, in pages of `CK_PAGE_POSITIONS` positions. Caches that were forked
/// from each other share the pages of their common beginning. One conversation's: no two threads use it at the same time.
package final class KeyValueCache: @unchecked Sendable {  // handed from thread to thread with the turn at the processor
    /// Positions that are valid. Lowering it forgets the rest; nothing is moved.
    package var length = 0 {
        didSet { precondition(length >= 0 && length <= pages.count * Self.pagePositions, "a cache's length is within what it holds") }
    }
    let shape: ck_kv_shape
    private let pageBytes: Int
    /// Page i holds positions i * `pagePositions` and on.
    private var pages: [Page] = []

    static let pagePositions = Int(CK_PAGE_POSITIONS)

    /// Written by one cache alone, or no longer written.
    private final class Page {
        let memory: UnsafeMutableRawPointer

        init(bytes: Int) {
            // Large pages: a 7B model's page of positions is 32 MB, and would be 8192 faults.
            memory = .allocate(byteCount: bytes, alignment: bytes >= Self.large ? Self.large : 64)
            if bytes >= Self.large { madvise(memory, bytes, MADV_HUGEPAGE) }  // a hint: nothing is lost where it is refused
        }

        deinit { memory.deallocate() }

        private static let large = 2 << 20
    }

    package init(_ manifest: BundleManifest.LanguageModel, type: KeyValueType = .f32) {
        shape = ck_kv_shape(
            type: ck_kv_type(type.rawValue), layers: manifest.layers, key_value_heads: manifest.keyValueHeads, head_size: manifest.headDimension)
        pageBytes = ck_kv_page_bytes(shape)
        precondition(pageBytes > 0, "a model whose sizes were checked when it was loaded")
    }

    private init(sharing other: KeyValueCache) {
        shape = other.shape
        pageBytes = other.pageBytes
        pages = Array(other.pages.prefix((other.length + Self.pagePositions - 1) / Self.pagePositions))
        length = other.length
    }

    /// A cache of the same positions. Memory is shared until one of the two writes to it.
    package func fork() -> KeyValueCache { KeyValueCache(sharing: self) }

    /// Makes room for `positions` altogether: pages that will be written are this cache's alone.
    package func reserve(_ positions: Int) {
        let first = length / Self.pagePositions
        if positions > length, first < pages.count, length % Self.pagePositions > 0, !isKnownUniquelyReferenced(&pages[first]) {
            let copy = Page(bytes: pageBytes)
            copy.memory.copyMemory(from: pages[first].memory, byteCount: pageBytes)
            pages[first] = copy
        }
        // Behind the length nothing is kept that somebody else may read.
        for index in stride(from: (length + Self.pagePositions - 1) / Self.pagePositions, to: pages.count, by: 1)
        where !isKnownUniquelyReferenced(&pages[index]) { pages[index] = Page(bytes: pageBytes) }
        while pages.count * Self.pagePositions < positions { pages.append(Page(bytes: pageBytes)) }
    }

    /// The pages' addresses, in order. They stay valid while nothing is reserved or released.
    var addresses: [UnsafeMutableRawPointer] { pages.map(\.memory) }

    func hasShape(of other: KeyValueCache) -> Bool {
        shape.type == other.shape.type && shape.layers == other.shape.layers && shape.key_value_heads == other.shape.key_value_heads
            && shape.head_size == other.shape.head_size
    }

    /// Bytes it holds, shared ones included.
    package var byteCount: Int { pages.count * pageBytes }

    /// Forgets everything and gives the memory back.
    package func release() {
        length = 0
        pages = []
    }
}
