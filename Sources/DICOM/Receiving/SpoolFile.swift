import Crypto
internal import Foundation
import Glibc

/// One object while it is received: `spool/incoming/<uuid>.part`. Used by one thread.
///
/// Steps: `append` (checked writes) → `withDataSet` (the scan) → `commit` (length check, fdatasync, rename, fsync of the
/// directories). Whatever fails, or is not committed, leaves no file behind.
final class SpoolFile {
    private let spool: Spool
    private let identifier: String
    private let path: String
    private let headerBytes: Int
    private let receivedAt: Date
    private var descriptor: Int32
    private var hash = SHA256()
    /// Of the data set, so far.
    private(set) var dataSetBytes: Int64 = 0
    private var isCommitted = false

    /// - Parameter header: the Part 10 header (`FileMetaInformation.header`).
    init(in spool: Spool, header: [UInt8], receivedAt: Date) throws(ReceivingError) {
        try spool.checkFreeSpace()
        self.spool = spool
        self.receivedAt = receivedAt
        identifier = UUID().uuidString.lowercased()
        path = "spool/incoming/\(identifier).part"
        headerBytes = header.count
        descriptor = open(spool.absolutePath(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .spool(call: "open", path: path, errno: errno) }
        let written = header.withUnsafeBytes { bytes in Result { () throws(ReceivingError) in try write(bytes) } }
        try written.get()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        // The spool's init removes what cannot be removed now; nobody was told that it is there.
        if !isCommitted { unlink(spool.absolutePath(path)) }
    }

    /// Part of the data set, bit-preserving.
    func append(_ bytes: UnsafeRawBufferPointer) throws(ReceivingError) {
        try write(bytes)
        hash.update(bufferPointer: bytes)
        dataSetBytes += Int64(bytes.count)
    }

    /// The data set as it stands in the file. Mapped: the file is ours, and nobody cuts it.
    func withDataSet<Value>(_ body: (UnsafeRawBufferPointer) -> Value) throws(ReceivingError) -> Value {
        let total = headerBytes + Int(dataSetBytes)
        guard let address = mmap(nil, total, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw .spool(call: "mmap", path: path, errno: errno)
        }
        defer { munmap(address, total) }
        return body(UnsafeRawBufferPointer(start: address + headerBytes, count: Int(dataSetBytes)))
    }

    /// Makes the object durable under its final name.
    ///
    /// - Returns: the path relative to the state directory, the file's size, and the data set's hash in lower-case hex.
    func commit() throws(ReceivingError) -> (path: String, bytes: Int64, dataSetSHA256: String) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .spool(call: "fstat", path: path, errno: errno) }
        let expected = Int64(headerBytes) + dataSetBytes
        guard Int64(status.st_size) == expected else {
            throw .lengthMismatch(path: path, expected: expected, found: Int64(status.st_size))
        }
        guard fdatasync(descriptor) == 0 else { throw .spool(call: "fdatasync", path: path, errno: errno) }
        let closing = descriptor
        descriptor = -1
        // NFS reports a lost write only here.
        guard close(closing) == 0 else { throw .spool(call: "close", path: path, errno: errno) }
        let final = try spool.publish(path, identifier: identifier, receivedAt: receivedAt)
        isCommitted = true
        let digest = hash.finalize().map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        return (final, expected, digest)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(ReceivingError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let written = Glibc.write(descriptor, base, rest.count)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw .spool(call: "write", path: path, errno: written < 0 ? errno : ENOSPC) }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        }
    }
}
