import Foundation
import Glibc
import RaDialogPipeline

/// Writes a bundle beside its place and moves it there when it is complete: a bundle is there whole, or not at all.
final class BundleFolderWriter {
    private let output: String
    private let staging: String
    private var names: [String] = []
    private var isPublished = false

    /// - Throws: `.cannotWrite` where `output` exists already, or its folder cannot be written.
    init(output: String) throws(ImportError) {
        let path = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .cannotWrite(path: path, reason: "it exists already: a bundle is never written over; name another folder")
        }
        self.output = path
        // One name for all runs: what an interrupted import left is replaced by the next.
        staging = path + ".partial"
        try? FileManager.default.removeItem(atPath: staging)  // absent is right; anything else shows in mkdir
        guard mkdir(staging, 0o755) == 0 else { throw .cannotWrite(path: staging, reason: String(cString: strerror(errno))) }
    }

    deinit {
        if !isPublished { try? FileManager.default.removeItem(atPath: staging) }  // nothing more can be done about it here
    }

    /// Creates a file, which `body` fills through the descriptor; flushed to the disk before this returns.
    func file(_ name: String, _ body: (Int32, String) throws -> Void) throws {
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
    func publish(_ manifest: [String: Any]) throws {
        var entries: [String: Any] = [:]
        for name in names {
            let (sha256, bytes) = try hashFile(staging + "/" + name)
            entries[name] = ["bytes": bytes, "sha256": sha256] as [String: Any]
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
