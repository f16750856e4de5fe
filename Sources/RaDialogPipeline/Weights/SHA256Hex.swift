internal import Crypto

/// SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
package func sha256Hex(_ bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    return hex(hash.finalize())
}

extension MappedFile {
    /// SHA-256 of the whole file.
    func sha256() -> String { sha256(of: 0..<count) }

    /// SHA-256 of some of the bytes, which are given back as they are read: a language model that is only verified does not become resident.
    func sha256(of range: Range<Int>) -> String {
        let step = 16 << 20
        var hash = SHA256()
        withBytes { bytes in
            for first in stride(from: range.lowerBound, to: range.upperBound, by: step) {
                let part = UnsafeRawBufferPointer(rebasing: bytes[first..<min(first + step, range.upperBound)])
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
