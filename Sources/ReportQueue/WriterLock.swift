internal import Glibc

/// The right to write: an exclusive flock(2) on `writer.lock`, so that over all processes one connection at a time
/// writes or checkpoints. Reason: docs/decisions/0001-sqlite-wal-one-writer.md.
///
/// Not re-entrant. flock belongs to the open file, so two instances in one process exclude each other too; within one
/// instance the writer's serial queue does. The kernel lets go when the process dies.
struct WriterLock: ~Copyable {
    private let descriptor: Int32
    private let path: String

    /// - Throws: `.storage` when the file cannot be made.
    init(path: String) throws(QueueError) {
        try PrivateFile.make(path)
        let opened = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard opened >= 0 else { throw PrivateFile.failure("opening", path) }
        descriptor = opened
        self.path = path
    }

    deinit { close(descriptor) }

    /// Runs `body` as the only writer.
    ///
    /// - Throws: `.busy` when another holds the lock for longer than `patience`.
    func holding<T>(patience: Duration, _ body: () throws -> T) throws -> T {
        let deadline = ContinuousClock.now + patience
        // flock has no deadline of its own. Writers hold the lock for milliseconds, so a short nap between tries is enough.
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw PrivateFile.failure("locking", path)
            }
            guard ContinuousClock.now < deadline else { throw QueueError.busy(doing: "waiting for the writer's lock") }
            usleep(1000)
        }
        defer { flock(descriptor, LOCK_UN) }
        return try body()
    }
}
