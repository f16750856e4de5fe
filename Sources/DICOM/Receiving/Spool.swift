internal import Foundation
import Glibc
import Synchronization

/// Where received objects live, under the state directory:
///
/// - `spool/incoming/<uuid>.part`: being received. Nothing there was acknowledged; removed at start.
/// - `objects/<yyyy>/<mm>/<dd>/<uuid>.dcm`: durable (file and every directory above it fsynced), by day of receipt (UTC).
/// - `quarantine/<uuid>.dcm`: set aside by the handler.
///
/// Names are ours: nothing a peer sends becomes part of a path.
public final class Spool: Sendable {
    public let stateDirectory: String
    /// Bytes that stay free on the file system.
    public let minimumFreeBytes: Int64

    /// Directories that were made and fsynced by this process.
    private let knownDirectories = Mutex<Set<String>>([])

    /// Makes the folders, and removes what an earlier run was receiving when it ended.
    public init(stateDirectory: String, minimumFreeBytes: Int64) throws(ReceivingError) {
        self.stateDirectory = stateDirectory
        self.minimumFreeBytes = minimumFreeBytes
        for folder in ["spool", "spool/incoming", "objects", "quarantine"] { try makeDirectory(folder) }
        for name in try entries(of: "spool/incoming") where name.hasSuffix(".part") {
            try remove("spool/incoming/" + name)
        }
    }

    /// A path of the spool as the system knows it.
    public func absolutePath(_ relativePath: String) -> String { stateDirectory + "/" + relativePath }

    /// - Throws: `belowWatermark`, so that no object is begun that the disk has no room for.
    public func checkFreeSpace() throws(ReceivingError) {
        var status = statvfs()
        guard statvfs(stateDirectory, &status) == 0 else {
            throw .spool(call: "statvfs", path: ".", errno: errno)
        }
        let (free, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int64(clamping: status.f_frsize))
        guard overflow || free >= minimumFreeBytes else { throw .belowWatermark(free: free, minimum: minimumFreeBytes) }
    }

    /// Removes a file; one that is not there is no error.
    public func remove(_ relativePath: String) throws(ReceivingError) {
        guard unlink(absolutePath(relativePath)) == 0 || errno == ENOENT else {
            throw .spool(call: "unlink", path: relativePath, errno: errno)
        }
    }

    /// Sets a durable object aside. Returns its new path, relative to the state directory; durable again.
    public func quarantine(_ relativePath: String) throws(ReceivingError) -> String {
        let name = relativePath.split(separator: "/").last.map(String.init) ?? relativePath
        let target = "quarantine/" + name
        try rename(relativePath, to: target)
        try syncDirectory(of: relativePath)
        return target
    }

    /// Durable objects that `isKnown` does not know, and that are older than `minimumAge`: the process ended between the
    /// file and its row. They were never acknowledged, so the peer still has them.
    public func unknownObjects(
        olderThan minimumAge: Duration = .seconds(3600), isKnown: (_ relativePath: String) throws -> Bool
    ) throws -> [String] {
        let limit = Date().timeIntervalSince1970 - Double(minimumAge.components.seconds)
        var found: [String] = []
        var folders = ["objects"]
        while let folder = folders.popLast() {
            for name in try entries(of: folder) {
                let path = folder + "/" + name
                var status = stat()
                guard lstat(absolutePath(path), &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR {
                    folders.append(path)
                } else if Double(status.st_mtim.tv_sec) < limit, try !isKnown(path) {
                    found.append(path)
                }
            }
        }
        return found.sorted()
    }

    // MARK: - Used by SpoolFile

    /// Moves a complete, synced file to its place among the objects and makes the names durable.
    func publish(_ incoming: String, identifier: String, receivedAt: Date) throws(ReceivingError) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let day = calendar.dateComponents([.year, .month, .day], from: receivedAt)
        func digits(_ number: Int?, _ count: Int) -> String {
            let text = String(number ?? 0)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        var folder = "objects"
        for part in [digits(day.year, 4), digits(day.month, 2), digits(day.day, 2)] {
            folder += "/" + part
            try makeDirectory(folder)
        }
        let target = "\(folder)/\(identifier).dcm"
        try rename(incoming, to: target)
        return target
    }

    /// Renames and makes the new name durable. That the old one is gone need not be: an old `.part` is removed at start.
    private func rename(_ source: String, to target: String) throws(ReceivingError) {
        guard Glibc.rename(absolutePath(source), absolutePath(target)) == 0 else {
            throw .spool(call: "rename", path: target, errno: errno)
        }
        try syncDirectory(of: target)
    }

    private func makeDirectory(_ relativePath: String) throws(ReceivingError) {
        if knownDirectories.withLock({ $0.contains(relativePath) }) {
            var status = stat()
            // Retention may have removed an empty day meanwhile.
            if stat(absolutePath(relativePath), &status) == 0 { return }
        }
        guard mkdir(absolutePath(relativePath), 0o700) == 0 || errno == EEXIST else {
            throw .spool(call: "mkdir", path: relativePath, errno: errno)
        }
        try syncDirectory(of: relativePath)
        knownDirectories.withLock { _ = $0.insert(relativePath) }
    }

    private func syncDirectory(of relativePath: String) throws(ReceivingError) {
        let parent = relativePath.split(separator: "/").dropLast().joined(separator: "/")
        let path = parent.isEmpty ? stateDirectory : absolutePath(parent)
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .spool(call: "open", path: parent, errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .spool(call: "fsync", path: parent, errno: errno) }
    }

    private func entries(of relativePath: String) throws(ReceivingError) -> [String] {
        guard let directory = opendir(absolutePath(relativePath)) else {
            throw .spool(call: "opendir", path: relativePath, errno: errno)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
