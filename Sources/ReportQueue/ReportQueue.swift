internal import GRDB
internal import Glibc

/// The queue of studies, drafts, signatures and deliveries: one SQLite file, opened by the daemon, its workers and
/// `radialogctl` alike. The only place with SQL.
///
/// Every call is one transaction, synchronous, and safe on any thread; it blocks for the disk, so keep it off the
/// cooperative pool. Time is the database's clock. Each change and its audit row are one transaction.
/// What the states mean: docs/report-lifecycle.md.
public final class ReportQueue: Sendable {
    /// How old an `AuthenticatedUser` may be when it signs.
    public static let authenticationValidity = Duration.seconds(300)

    public struct Options: Sendable {
        /// How long a call waits for another process' writer.
        public var patience = Duration.seconds(15)
        /// The cost of a password. Only what is written from now on; each user keeps the cost of the day.
        public var passwordCost = PasswordCost.standard

        public init() {}
    }

    /// The database's file.
    public let path: String
    let options: Options
    private let lock: WriterLock
    private let writer: DatabaseQueue
    private let reader: DatabaseQueue

    /// Opens or makes `radialog.db` and `writer.lock` in `stateDirectory`, which must exist, and brings the schema up to
    /// date.
    ///
    /// - Throws: `.unusable` for another program's database, a newer schema, or a connection that will not be durable;
    ///   `.storage`, `.busy`.
    public init(stateDirectory: String, options: Options = Options()) throws(QueueError) {
        path = stateDirectory + "/radialog.db"
        self.options = options
        lock = try WriterLock(path: stateDirectory + "/writer.lock")
        do {
            (writer, reader) = try lock.holding(patience: options.patience) { [path] in
                try Self.makePrivateFile(path)
                let writer = try Self.openWriter(path)
                return (writer, try Self.openReader(path))
            }
        } catch {
            throw QueueError.translate(error, doing: "opening \(path)")
        }
    }

    deinit {
        // A connection checkpoints when it closes, so it closes as a writer: under the lock. If the lock cannot be had
        // the connections close without it when they are released; nothing that was committed depends on this.
        try? close()
    }

    /// Closes both connections, and with the last one of all processes checkpoints the log. Later calls throw `.closed`.
    public func close() throws(QueueError) {
        do {
            try lock.holding(patience: options.patience) {
                try reader.close()
                try writer.close()
            }
        } catch {
            throw QueueError.translate(error, doing: "closing \(path)")
        }
    }

    // MARK: - Transactions

    /// One writing transaction under the writer's lock; what `body` throws rolls it back.
    func write<T>(_ doing: String, _ body: (Transaction) throws -> T) throws(QueueError) -> T {
        do {
            // The serial queue is the lock within the process; the automatic checkpoint runs inside COMMIT, under the flock.
            return try writer.writeWithoutTransaction { db in
                try lock.holding(patience: options.patience) {
                    var result: T?
                    try db.inTransaction(.immediate) {
                        result = try body(Transaction(db))
                        return .commit
                    }
                    guard let result else { throw QueueError.closed }
                    return result
                }
            }
        } catch {
            throw Self.closedOr(error, doing: doing)
        }
    }

    /// One consistent view, beside whatever is being written.
    func read<T>(_ doing: String, _ body: (Transaction) throws -> T) throws(QueueError) -> T {
        do {
            return try reader.read { db in try body(Transaction(db)) }
        } catch {
            throw Self.closedOr(error, doing: doing)
        }
    }

    private static func closedOr(_ error: any Error, doing: String) -> QueueError {
        // GRDB answers SQLITE_MISUSE for a connection that was closed.
        if let error = error as? DatabaseError, error.resultCode == .SQLITE_MISUSE { return .closed }
        return .translate(error, doing: doing)
    }

    // MARK: - Opening

    /// The file holds patient data: only its owner reads it. SQLite gives `-wal` and `-shm` the same mode.
    private static func makePrivateFile(_ path: String) throws {
        // An existing file is never opened here: closing any descriptor of it would drop this process' fcntl locks on it
        // (sqlite.org/howtocorrupt.html 2.2), and another instance may hold some.
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
        guard descriptor >= 0 || errno == EEXIST, chmod(path, 0o600) == 0 else {
            throw QueueError.storage(doing: "making \(path) readable to its owner only", found: String(cString: strerror(errno)))
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

    /// For tests: a pragma's value on the writing connection.
    package func writerPragma(_ name: String) throws(QueueError) -> String? {
        do {
            return try writer.writeWithoutTransaction { try DatabaseValue.fetchOne($0, sql: "PRAGMA \(name)").map { "\($0)" } }
        } catch {
            throw Self.closedOr(error, doing: "reading PRAGMA \(name)")
        }
    }

    /// For tests: SQL as anybody with the file could run it, on the writing connection and under the lock.
    package func executeRaw(_ sql: String) throws(QueueError) {
        try write("running raw SQL") { try $0.db.execute(sql: sql) }
    }
}
