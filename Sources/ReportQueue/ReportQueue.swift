internal import GRDB
internal import Synchronization

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
    /// nil once closed. A call in flight keeps its connections until it is done.
    private let connections: Mutex<Connections?>

    /// Opens or makes `radialog.db` and `writer.lock` in `stateDirectory`, which must exist, and brings the schema up to
    /// date.
    ///
    /// - Throws: `.unusable` for another program's database, a newer schema, or a connection that will not be durable;
    ///   `.storage`, `.busy`.
    public init(stateDirectory: String, options: Options = Options()) throws(QueueError) {
        path = stateDirectory + "/radialog.db"
        self.options = options
        connections = Mutex(try Connections(path: path, lockPath: stateDirectory + "/writer.lock", patience: options.patience))
    }

    /// Closes the file as soon as the calls in flight are done; later calls throw `.closed`. The last one of all processes
    /// to close checkpoints the log.
    public func close() {
        // Taken out under the mutex, closed outside it: closing may wait for another process' writer.
        let last = connections.withLock { connections in
            defer { connections = nil }
            return connections
        }
        withExtendedLifetime(last) {}
    }

    // MARK: - Transactions

    /// One writing transaction under the writer's lock; what `body` throws rolls it back.
    func write<T>(_ doing: String, _ body: (Transaction) throws -> T) throws(QueueError) -> T {
        let connections = try open()
        do {
            return try connections.write(body)
        } catch {
            throw QueueError.translate(error, doing: doing)
        }
    }

    /// One consistent view, beside whatever is being written.
    func read<T>(_ doing: String, _ body: (Transaction) throws -> T) throws(QueueError) -> T {
        let connections = try open()
        do {
            return try connections.reader.read { db in try body(Transaction(db)) }
        } catch {
            throw QueueError.translate(error, doing: doing)
        }
    }

    private func open() throws(QueueError) -> Connections {
        guard let connections = connections.withLock({ $0 }) else { throw .closed }
        return connections
    }

    /// What SQLite itself finds wrong with the file: damaged pages, rows that refer to nothing. Reads everything.
    public func integrityProblems() throws(QueueError) -> [String] {
        try read("checking \(path)") { transaction in
            let pages = try String.fetchAll(transaction.db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
            let references = try transaction.rows("PRAGMA foreign_key_check").map { "a row of \($0["table"] as String) refers to nothing" }
            return pages + references
        }
    }

    /// For tests: a pragma's value on the writing connection.
    package func writerPragma(_ name: String) throws(QueueError) -> String? {
        let connections = try open()
        do {
            return try connections.writer.writeWithoutTransaction { try DatabaseValue.fetchOne($0, sql: "PRAGMA \(name)").map { "\($0)" } }
        } catch {
            throw QueueError.translate(error, doing: "reading PRAGMA \(name)")
        }
    }

    /// For tests: SQL as anybody with the file could run it, on the writing connection and under the lock.
    package func executeRaw(_ sql: String) throws(QueueError) {
        try write("running raw SQL") { try $0.db.execute(sql: sql) }
    }

    /// For tests: makes the file at `path` from the SQL of another program's dump.
    package static func restore(_ dump: String, to path: String) throws(QueueError) {
        do {
            var configuration = Configuration()
            // A dump is ordered by name, not by reference.
            configuration.foreignKeysEnabled = false
            let file = try DatabaseQueue(path: path, configuration: configuration)
            try file.write { try $0.execute(sql: dump) }
            try file.close()
        } catch {
            throw QueueError.translate(error, doing: "restoring \(path)")
        }
    }
}
