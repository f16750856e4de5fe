internal import GRDB

/// The two connections of one opening: one that writes, under the writer's lock, and one that only reads.
///
/// A connection checkpoints when it closes, so the two are closed as a writer is: under the lock.
final class Connections: Sendable {
    let writer: DatabaseQueue
    let reader: DatabaseQueue
    private let lock: WriterLock
    private let patience: Duration

    init(path: String, lockPath: String, patience: Duration) throws(QueueError) {
        lock = try WriterLock(path: lockPath)
        self.patience = patience
        do {
            (writer, reader) = try lock.holding(patience: patience) {
                try PrivateFile.make(path)
                let writer = try Self.openWriter(path)
                return (writer, try Self.openReader(path))
            }
        } catch {
            throw QueueError.translate(error, doing: "opening \(path)")
        }
    }

    deinit {
        do {
            try lock.holding(patience: patience) {
                try reader.close()
                try writer.close()
            }
        } catch {
            // Nobody is left to tell. Nothing that was committed depends on this: the next opening recovers the log.
        }
    }

    /// One writing transaction. The writer's serial queue is the lock within this opening, the flock the one between
    /// openings; the automatic checkpoint runs inside COMMIT, so it too happens under both.
    func write<T>(_ body: (Transaction) throws -> T) throws -> T {
        try writer.writeWithoutTransaction { db in
            try lock.holding(patience: patience) {
                var result: T?
                try db.inTransaction(.immediate) {
                    result = try body(Transaction(db))
                    return .commit
                }
                guard let result else { throw QueueError.closed }
                return result
            }
        }
    }

    private static func openWriter(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "queue.writer"
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(5)  // for recovery by a reader; writers wait at the lock
        let writer = try DatabaseQueue(path: path, configuration: configuration)
        try writer.writeWithoutTransaction { db in
            try Schema.checkOwner(db, path: path)
            // After opening, so that nothing can put NORMAL back: under WAL a committed row would not survive a power cut.
            try db.execute(sql: """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                PRAGMA mmap_size = 0;
                PRAGMA recursive_triggers = ON;
                PRAGMA trusted_schema = OFF;
                """)
            try Schema.migrate(db)
            try requireDurable(db, path: path)
        }
        return writer
    }

    private static func openReader(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "queue.reader"
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        try reader.inDatabase { try $0.execute(sql: "PRAGMA mmap_size = 0") }
        return reader
    }

    private static func requireDurable(_ db: Database, path: String) throws {
        let wanted = ["journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "mmap_size": "0", "recursive_triggers": "1"]
        for (pragma, value) in wanted.sorted(by: { $0.key < $1.key }) {
            let found = try Row.fetchOne(db, sql: "PRAGMA \(pragma)").map { String.fromDatabaseValue($0[0]) ?? "\($0[0] as Int64? ?? -1)" }
            // A build without memory mapping answers mmap_size with no row at all.
            guard found == value || (found == nil && pragma == "mmap_size") else {
                throw QueueError.unusable(
                    path: path, found: "PRAGMA \(pragma) is \(found ?? "unknown"), not \(value)",
                    todo: "put state_dir on a local disk with a file system that has locks and shared memory")
            }
        }
    }
}
