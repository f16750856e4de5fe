import Dispatch
import Foundation
import Glibc
import Synchronization

/// The files of a bundle's folder. Opens by name inside the folder only: no link is followed, nothing but a regular file is read.
final class BundleFolder {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(BundleError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .cannotRead(path: path, reason: "\(Self.text(errno)); a model bundle is a folder with a manifest.json")
        }
    }

    deinit { close(descriptor) }

    /// Maps one file of the folder.
    func map(_ name: String, maximumBytes: Int = .max) throws(BundleError) -> MappedFile {
        let filePath = "\(path)/\(name)"
        // O_NONBLOCK: a FIFO of that name must not hold us up; it is refused as not regular.
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT: throw .missingFile(directory: path, file: name)
            case ELOOP: throw .cannotRead(path: filePath, reason: "it is a symbolic link; a bundle holds its files itself: copy the file")
            default: throw .cannotRead(path: filePath, reason: Self.text(errno))
            }
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .cannotRead(path: filePath, reason: Self.text(errno)) }
        guard status.st_size <= maximumBytes else {
            throw .cannotRead(path: filePath, reason: "it has \(status.st_size) bytes, more than the \(maximumBytes) it may have")
        }
        do throws(WeightsError) {
            return try MappedFile(descriptor: file, path: filePath)
        } catch {
            throw .badWeights(error)
        }
    }

    /// Maps all files that `expected` names, after comparing the folder's listing, and each file's size and SHA-256.
    func verified(_ expected: [String: BundleManifest.File]) throws(BundleError) -> [String: MappedFile] {
        let present = try list()
        for name in present.sorted() where name != ModelBundle.manifestName && expected[name] == nil {
            throw .unexpectedFile(directory: path, file: name)
        }
        var files: [(name: String, file: MappedFile, entry: BundleManifest.File)] = []
        for (name, entry) in expected.sorted(by: { $0.value.bytes > $1.value.bytes || ($0.value.bytes == $1.value.bytes && $0.key < $1.key) }) {
            let file = try map(name)
            guard file.count == entry.bytes else { throw .wrongSize(path: file.path, found: file.count, expected: entry.bytes) }
            files.append((name, file, entry))
        }
        let pieces = files.flatMap { Piece.all(of: $0.file, $0.entry) }
        for (piece, found) in zip(pieces, Self.sha256(pieces)) where found != piece.expected {
            throw .wrongHash(path: piece.file.path, found: found, expected: piece.expected)
        }
        return Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.file) })
    }

    /// Bytes with a hash of their own.
    private struct Piece: Sendable {
        var file: MappedFile
        var range: Range<Int>
        var expected: String

        static func all(of file: MappedFile, _ entry: BundleManifest.File) -> [Piece] {
            guard !entry.pieces.isEmpty else { return [Piece(file: file, range: 0..<entry.bytes, expected: entry.sha256)] }
            return entry.pieces.enumerated().map { index, sha256 in
                let first = index * BundleManifest.File.pieceBytes
                return Piece(file: file, range: first..<min(first + BundleManifest.File.pieceBytes, entry.bytes), expected: sha256)
            }
        }
    }

    /// A few threads take the pieces in the order given; those of the largest files come first, so that none waits long.
    private static func sha256(_ pieces: [Piece]) -> [String] {
        let next = Atomic(0)
        let results = Mutex([String](repeating: "", count: pieces.count))
        DispatchQueue.concurrentPerform(iterations: min(ProcessInfo.processInfo.activeProcessorCount, 8, pieces.count)) { _ in
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < pieces.count else { return }
                let hash = pieces[index].file.sha256(of: pieces[index].range)
                results.withLock { $0[index] = hash }
            }
        }
        return results.withLock { $0 }
    }

    /// Names in the folder, without "." and "..".
    private func list() throws(BundleError) -> [String] {
        // fdopendir takes the descriptor over: give it one of its own.
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw .cannotRead(path: path, reason: Self.text(errno)) }
        guard let directory = fdopendir(copy) else {
            close(copy)
            throw .cannotRead(path: path, reason: Self.text(errno))
        }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .cannotRead(path: path, reason: Self.text(errno)) }
        return names
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
