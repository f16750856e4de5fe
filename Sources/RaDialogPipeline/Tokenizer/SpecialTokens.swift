/// Finds the names of special tokens in bytes, the longest at each place: a trie, so that the time is that of the text times the
/// longest name, whatever the names are.
struct SpecialTokens: Sendable {
    /// No published vocabulary has a special token of more than 60 bytes.
    static let maximumBytes = 512
    /// Bytes of all names, those that names begin with alike counted once. A node costs some thirty bytes of memory; a thousand names of 60 bytes have
    /// 60,000.
    static let maximumNodes = 1 << 18

    /// A child by `node << 8 | byte`; node 0 is the root.
    private var children: [UInt64: Int32] = [:]
    /// Per node: the token whose name ends here, or -1.
    private var tokens: [Int32] = [-1]
    private var startsName = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { tokens.count == 1 }

    /// A name that is there already keeps its first token. Precondition: not empty, at most `maximumBytes`.
    /// - Returns: false where the names have become too many: see `maximumNodes`.
    mutating func insert(_ name: some Sequence<UInt8>, token: Int32) -> Bool {
        var node: Int32 = 0
        for byte in name {
            if node == 0 { startsName[Int(byte)] = true }
            let key = UInt64(node) << 8 | UInt64(byte)
            if let child = children[key] {
                node = child
            } else {
                guard tokens.count < Self.maximumNodes else { return false }
                children[key] = Int32(tokens.count)
                node = Int32(tokens.count)
                tokens.append(-1)
            }
        }
        precondition(node != 0, "a special token has a name")
        if tokens[Int(node)] < 0 { tokens[Int(node)] = token }
        return true
    }

    /// The longest name that starts at `offset`.
    func longest(in text: UnsafeBufferPointer<UInt8>, at offset: Int) -> (token: Int32, count: Int)? {
        guard startsName[Int(text[offset])] else { return nil }
        var found: (Int32, Int)?
        var node: Int32 = 0
        for index in offset..<text.count {
            guard let child = children[UInt64(node) << 8 | UInt64(text[index])] else { break }
            node = child
            if tokens[Int(node)] >= 0 { found = (tokens[Int(node)], index + 1 - offset) }
        }
        return found
    }

    /// The token with exactly this name.
    func token(named name: String) -> Int32? {
        var name = name
        return name.withUTF8 { bytes in
            guard let found = bytes.isEmpty ? nil : longest(in: bytes, at: 0), found.count == bytes.count else { return nil }
            return found.token
        }
    }

    /// Cuts `text` at the special tokens, leftmost first; parts without bytes are left out.
    func split(_ text: UnsafeBufferPointer<UInt8>, part: (UnsafeBufferPointer<UInt8>) -> Void, token: (Int32) -> Void) {
        var start = 0, offset = 0
        while offset < text.count {
            guard let match = longest(in: text, at: offset) else {
                offset += 1
                continue
            }
            if start < offset { part(UnsafeBufferPointer(rebasing: text[start..<offset])) }
            token(match.token)
            offset += match.count
            start = offset
        }
        if start < text.count { part(UnsafeBufferPointer(rebasing: text[start...])) }
    }
}
