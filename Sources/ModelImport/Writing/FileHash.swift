internal import Crypto
import Glibc
import RaDialogPipeline

/// What a manifest says of a file that may be larger than memory, which is read piece by piece, so that no page of it stays resident. One of
/// more than a piece has its pieces' hashes, too, where they are wanted.
func hashFile(_ path: String, inPieces: Bool = false) throws(ImportError) -> BundleManifest.File {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotRead(path: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
    defer { piece.deallocate() }
    var (hash, ofPiece) = (SHA256(), SHA256())
    var total = 0
    var pieces: [String] = []
    while true {
        // A read never goes beyond a piece of the manifest's.
        let count = read(descriptor, piece.baseAddress, min(piece.count, BundleManifest.File.pieceBytes - total % BundleManifest.File.pieceBytes))
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw .cannotRead(path: path, reason: String(cString: strerror(errno))) }
        if count == 0 { break }
        let bytes = UnsafeRawBufferPointer(rebasing: piece[..<count])
        hash.update(bufferPointer: bytes)
        if inPieces { ofPiece.update(bufferPointer: bytes) }
        total += count
        if total % BundleManifest.File.pieceBytes == 0 {
            pieces.append(text(ofPiece.finalize()))
            ofPiece = SHA256()
        }
    }
    if total % BundleManifest.File.pieceBytes > 0 { pieces.append(text(ofPiece.finalize())) }
    return .init(bytes: total, sha256: text(hash.finalize()), pieces: inPieces && pieces.count > 1 ? pieces : [])
}

private func text(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
