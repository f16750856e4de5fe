import Glibc

/// A whole file, mapped read-only and private. The mapping lives as long as the object.
///
/// A file that shrinks while it is mapped ends the process with SIGBUS: a bundle is replaced by renaming a folder, never
/// by writing into one.
package final class MappedFile: Sendable {
    /// What the file is called in messages: its path as it was opened.
    package let path: String
    /// Length in bytes; may be 0.
    package let count: Int
    /// Start of the mapping. Immutable memory, unmapped in deinit and nowhere else.
    private nonisolated(unsafe) let base: UnsafeRawPointer?
    private let origin: Origin

    private enum Origin {
        case file
        /// Pages of our own, which have no file to come back from.
        case memory
        /// The caller's.
        case borrowed
    }

    /// Every byte of the file. Valid while `self` lives: whoever keeps the pointer keeps the file.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Calls `body` with every byte of the file, which stays mapped meanwhile.
    package func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// Maps the regular file at `path`.
    /// - Throws: `WeightsError.cannotRead` where it is not a regular file or the system refuses.
    package convenience init(path: String) throws(WeightsError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotRead(path: path, reason: "open: " + Self.text(errno)) }
        defer { close(descriptor) }
        try self.init(descriptor: descriptor, path: path)
    }

    /// Maps the regular file behind `descriptor`, which stays the caller's.
    package init(descriptor: Int32, path: String) throws(WeightsError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .cannotRead(path: path, reason: "fstat: " + Self.text(errno))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .cannotRead(path: path, reason: "it is not a regular file") }
        self.path = path
        origin = .file
        count = Int(status.st_size)
        guard count > 0 else {
            base = nil
            return
        }
        let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw .cannotRead(path: path, reason: "mmap of \(count) bytes: " + Self.text(errno))
        }
        base = UnsafeRawPointer(address)
    }

    /// `count` bytes of its own memory instead of a file's, filled by `fill`, which gets them zeroed: for a tensor that does not lie in one
    /// piece in the file at `path`.
    package init(path: String, count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) throws(WeightsError) {
        self.path = path
        self.count = count
        origin = .memory
        guard count > 0 else {
            base = nil
            return
        }
        let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, address != MAP_FAILED else {
            throw .cannotRead(path: path, reason: "\(count) bytes of memory: " + Self.text(errno))
        }
        base = UnsafeRawPointer(address)
        fill(UnsafeMutableRawBufferPointer(start: address, count: count))
    }

    /// A file that is in the caller's memory: `bytes` have to outlive the object and everything that keeps it.
    package init(path: String, borrowing bytes: UnsafeRawBufferPointer) {
        self.path = path
        origin = .borrowed
        count = bytes.count
        base = bytes.baseAddress
    }

    /// Tells the system that `part` of `bytes` will not be read soon, so that it stops counting as resident. Reading it again is allowed and
    /// reads the file again.
    package func discard(_ part: UnsafeRawBufferPointer) { advise(part, MADV_DONTNEED) }

    /// Tells the system that `part` of `bytes` will be read next, so that it reads ahead.
    package func prefetch(_ part: UnsafeRawBufferPointer) { advise(part, MADV_WILLNEED) }

    /// Advice is about whole pages: those that hold any byte of `part` (a neighbour's page that goes comes back when it is read).
    private func advise(_ part: UnsafeRawBufferPointer, _ advice: Int32) {
        guard origin == .file, let base, let start = part.baseAddress, start >= base, part.count > 0, start + part.count <= base + count else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = Int(bitPattern: start) / page * page
        guard let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
        // Advice may be ignored; so may its refusal.
        _ = madvise(address, Int(bitPattern: start) + part.count - first, advice)
    }

    deinit {
        guard let base, origin != .borrowed else { return }
        munmap(UnsafeMutableRawPointer(mutating: base), count)
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
