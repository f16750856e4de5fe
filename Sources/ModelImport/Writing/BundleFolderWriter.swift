import Foundation
import Glibc
import RaDialogPipeline

/// Writes a bundle beside its place and moves it there when it is complete: a bundle is there whole, or not at all.
///
/// The folder beside it has one name for all runs, and a lock that ends with the process: what an interrupted run left is replaced, and a second run to the
/// same place is refused while the first one lives.
package final class BundleFolderWriter {
    private let output: String
    private let staging: String
    /// The staging folder, locked.
    private let folder: Int32
    private var names: [String] = []
    private var isPublished = false

    /// - Throws: `.cannotWrite` where `output` exists already, its folder cannot be written, or another run is writing it.
    package init(output: String) throws(ImportError) {
        let path = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
        self.output = path
        staging = path + ".partial"
        folder = try Self.lock(staging, for: path)
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: staging) { try FileManager.default.removeItem(atPath: staging + "/" + name) }
        } catch {
            close(folder)
            throw .cannotWrite(path: staging, reason: "what an interrupted import left there cannot be removed: \(error.localizedDescription)")
        }
    }

    deinit {
        if !isPublished { try? FileManager.default.removeItem(atPath: staging) }  // nothing more can be done about it here
        close(folder)
    }

    /// The staging folder, made where it is not there, as a descriptor that holds its lock.
    private static func lock(_ staging: String, for output: String) throws(ImportError) -> Int32 {
        func refused(_ path: String, _ reason: String) -> ImportError { .cannotWrite(path: path, reason: reason) }
        while true {
            guard !FileManager.default.fileExists(atPath: output) else {
                throw refused(output, "it exists already: a bundle is never written over; name another folder")
            }
            guard mkdir(staging, 0o755) == 0 || errno == EEXIST else { throw refused(staging, String(cString: strerror(errno))) }
            let folder = open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if folder < 0, errno == ENOENT { continue }
            guard folder >= 0 else { throw refused(staging, "\(String(cString: strerror(errno))); the import needs a folder of that name for itself") }
            guard flock(folder, LOCK_EX | LOCK_NB) == 0 else {
                let reason = errno == EWOULDBLOCK ? "another import is writing it: wait for its end, or name another output" : String(cString: strerror(errno))
                close(folder)
                throw refused(staging, reason)
            }
            // Between `open` and `flock` another run may have ended and taken the folder away: then the lock is on something else.
            var locked = stat(), named = stat()
            if fstat(folder, &locked) == 0, lstat(staging, &named) == 0, locked.st_dev == named.st_dev, locked.st_ino == named.st_ino { return folder }
            close(folder)
        }
    }

    /// Creates a file, which `body` fills through the descriptor; flushed to the disk before this returns.
    package func file(_ name: String, _ body: (Int32, String) throws -> Void) throws {
        let path = staging + "/" + name
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ImportError.cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        try body(descriptor, path)
        guard fsync(descriptor) == 0 else { throw ImportError.cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        names.append(name)
    }

    /// Copies a small file as it is.
    func copy(_ source: String, as name: String, maximumBytes: Int) throws {
        let file: MappedFile
        do throws(WeightsError) { file = try MappedFile(path: source) } catch { throw ImportError(error) }
        guard file.bytes.count <= maximumBytes else {
            throw ImportError.unsupported(path: source, reason: "it has \(file.bytes.count) bytes, more than the \(maximumBytes) such a file may have")
        }
        try self.file(name) { descriptor, path in try writeAll(descriptor, path, file.bytes) }
    }

    /// Writes manifest.json, with size and hash of every file, and moves the bundle to its place.
    package func publish(_ manifest: [String: Any]) throws {
        var entries: [String: Any] = [:]
        for name in names {
            let file = try hashFile(staging + "/" + name, inPieces: true)
            var entry: [String: Any] = ["bytes": file.bytes, "sha256": file.sha256]
            if !file.pieces.isEmpty { entry["pieces"] = file.pieces }
            entries[name] = entry
        }
        var complete = manifest
        complete["files"] = entries
        let text = try JSONSerialization.data(withJSONObject: complete, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try file("manifest.json") { descriptor, path in
            try text.withUnsafeBytes { try writeAll(descriptor, path, $0) }
        }
        try sync(staging)
        guard rename(staging, output) == 0 else { throw ImportError.cannotWrite(path: output, reason: String(cString: strerror(errno))) }
        isPublished = true
        try sync((output as NSString).deletingLastPathComponent)
    }

    private func sync(_ folder: String) throws(ImportError) {
        let path = folder.isEmpty ? "." : folder
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
    }
}

/// Writes every byte.
func writeAll(_ descriptor: Int32, _ path: String, _ bytes: UnsafeRawBufferPointer) throws(ImportError) {
    var left = bytes
    while !left.isEmpty {
        let count = write(descriptor, left.baseAddress, left.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        left = UnsafeRawBufferPointer(rebasing: left[count...])
    }
}
