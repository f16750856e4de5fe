internal import Glibc

/// Files that hold, or guard, patient data: only their owner opens them.
enum PrivateFile {
    static let mode: mode_t = 0o600

    /// Makes the file if it is not there, readable to its owner only. An existing file is not opened: closing any
    /// descriptor of a database drops this process' fcntl locks on it (sqlite.org/howtocorrupt.html 2.2), and another
    /// opening may hold some. SQLite gives `-wal` and `-shm` the database's mode and owner.
    static func make(_ path: String) throws(QueueError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        if descriptor >= 0 {
            defer { close(descriptor) }
            return try giveToDirectoryOwner(descriptor, path)
        }
        var found = stat()
        guard errno == EEXIST, lstat(path, &found) == 0 else { throw failure("making", path) }
        if found.st_mode & 0o077 != 0, chmod(path, mode) != 0 { throw failure("closing to others", path) }
    }

    /// root, who runs radialogctl before the daemon ever ran, must not leave files that the daemon cannot open.
    private static func giveToDirectoryOwner(_ descriptor: Int32, _ path: String) throws(QueueError) {
        guard geteuid() == 0, let slash = path.lastIndex(of: "/") else { return }
        var directory = stat()
        guard stat(String(path[...slash]), &directory) == 0, fchown(descriptor, directory.st_uid, directory.st_gid) == 0 else {
            throw failure("giving to the owner of state_dir", path)
        }
    }

    static func failure(_ doing: String, _ path: String) -> QueueError {
        .storage(doing: "\(doing) \(path)", found: String(cString: strerror(errno)))
    }
}
