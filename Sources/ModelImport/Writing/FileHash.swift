internal import Crypto
import Glibc

/// SHA-256 and size of a file that may be larger than memory: read in pieces, so that no page of it stays resident.
func hashFile(_ path: String) throws(ImportError) -> (sha256: String, bytes: Int) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotRead(path: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
    defer { piece.deallocate() }
    var hash = SHA256()
    var total = 0
    while true {
        let count = read(descriptor, piece.baseAddress, piece.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw .cannotRead(path: path, reason: String(cString: strerror(errno))) }
        if count == 0 { break }
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: piece[..<count]))
        total += count
    }
    return (hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(), total)
}
