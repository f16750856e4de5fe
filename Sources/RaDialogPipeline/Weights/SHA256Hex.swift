internal import Crypto

/// SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
package func sha256Hex(_ bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    return hex(hash.finalize())
}

extension MappedFile {
    /// SHA-256 of the whole file, read in pieces that are given back: a language model that is only verified does not become resident.
    func sha256() -> String {
        let piece = 64 << 20
        var hash = SHA256()
        withBytes { bytes in
            for first in stride(from: 0, to: bytes.count, by: piece) {
                let part = UnsafeRawBufferPointer(rebasing: bytes[first..<min(first + piece, bytes.count)])
                hash.update(bufferPointer: part)
                discard(part)
            }
        }
        return hex(hash.finalize())
    }
}

private func hex(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
