internal import CDCMTK
import Crypto
internal import Foundation
import Glibc
public import ReportModel

/// A file from outside the network: with or without Part 10 header, any uncompressed or encapsulated transfer syntax,
/// big endian and deflated included.
public enum DICOMFile {
    /// What a file says of itself.
    public struct Description: Sendable {
        public var study: StudyDescription
        public var instance: InstanceDescription
        public var flags: Set<DataSetFlag>
        public var bytes: Int64
        /// Of the whole file, lower-case hex.
        public var sha256: String
        /// Of the data set as it stands in the file, lower-case hex: equal to `ReceivedObject.dataSetSHA256` when
        /// the same file is sent as it is.
        public var dataSetSHA256: String
    }

    /// Reads and checks a file. The pixels are not looked at.
    ///
    /// - Parameter maximumBytes: of the file, and of an inflated data set.
    public static func describe(path: String, maximumBytes: Int64 = 1 << 30) throws(DataSetError) -> Description {
        let contents = try read(path, maximumBytes: maximumBytes)
        return try contents.withUnsafeBytes { bytes in
            Result { () throws(DataSetError) in try describe(bytes, maximumBytes: maximumBytes) }
        }.get()
    }

    package static func describe(_ bytes: UnsafeRawBufferPointer, maximumBytes: Int64) throws(DataSetError) -> Description {
        let envelope = try Envelope(bytes)
        let dataSet = UnsafeRawBufferPointer(rebasing: bytes[envelope.dataSetOffset...])
        guard let encoding = TransferSyntax.elementEncoding(of: envelope.transferSyntaxUID) else {
            throw .unsupportedTransferSyntax(envelope.transferSyntaxUID)
        }
        let description: DataSetDescription
        if envelope.transferSyntaxUID == TransferSyntax.deflatedExplicitVRLittleEndian {
            let inflated = try inflate(dataSet, limit: Int(maximumBytes))
            defer { cdcmtk_bytes_free(inflated) }
            let scan = try DataSetScan(
                UnsafeRawBufferPointer(start: inflated.bytes, count: inflated.count), encoding: encoding)
            description = DataSetDescription(scan, transferSyntaxUID: envelope.transferSyntaxUID)
        } else {
            let scan = try DataSetScan(dataSet, encoding: encoding)
            description = DataSetDescription(scan, transferSyntaxUID: envelope.transferSyntaxUID)
        }
        guard !description.instance.sopClassUID.isEmpty || description.instance.rows > 0
            || !description.study.studyInstanceUID.isEmpty
        else { throw .notDICOM(what: "it has no SOP Class UID, no Study Instance UID and no Rows") }
        return Description(
            study: description.study, instance: description.instance,
            flags: description.flags.union(envelope.hasMeta ? [] : [.noFileMeta]), bytes: Int64(bytes.count),
            sha256: hex(bytes), dataSetSHA256: hex(dataSet))
    }

    private static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hash.finalize().map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    private static func inflate(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(DataSetError) -> cdcmtk_bytes {
        var result = cdcmtk_bytes(bytes: nil, count: 0)
        var error = cdcmtk_error()
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { throw .truncated(offset: 0) }
        guard cdcmtk_inflate(start, bytes.count, limit, &result, &error) == CDCMTK_OK else {
            throw .cannotInflate(withUnsafeBytes(of: &error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return result
    }

    /// Read, not mapped: a mapped file that somebody cuts meanwhile ends the process.
    private static func read(_ path: String, maximumBytes: Int64) throws(DataSetError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, call: "open", errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(path: path, call: "fstat", errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notDICOM(what: "it is not a regular file") }
        let size = Int64(status.st_size)
        guard size <= maximumBytes else { throw .fileTooLarge(bytes: size, limit: maximumBytes) }
        var failure: Int32 = 0
        let contents = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            while count < buffer.count, let base = buffer.baseAddress {
                let got = Glibc.read(descriptor, base + count, buffer.count - count)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                count += got
            }
        }
        guard failure == 0 else { throw .unreadable(path: path, call: "read", errno: failure) }
        return contents
    }
}
