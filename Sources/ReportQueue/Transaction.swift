internal import Foundation
internal import GRDB
internal import ReportModel

/// One transaction's view of the database: the connection, and the one moment at which everything in it happens.
struct Transaction {
    let db: Database
    /// Milliseconds since 1970 UTC, by the database's clock.
    let now: Int64

    init(_ db: Database) throws {
        self.db = db
        // strftime's %f rounds to milliseconds; julianday alone would do, but loses them to rounding in a Double.
        now = try Int64.fetchOne(
            db, sql: "SELECT CAST(strftime('%s', t) AS INTEGER) * 1000 + CAST(substr(strftime('%f', t), 4) AS INTEGER) FROM (SELECT strftime('%Y-%m-%d %H:%M:%f', 'now') AS t)") ?? 0
    }

    /// Runs one statement and says how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Int {
        try db.execute(sql: sql, arguments: arguments)
        return db.changesCount
    }

    /// Runs a guarded UPDATE that must change exactly one row: the row was read in this same transaction.
    func runOne(_ what: String, _ sql: String, _ arguments: StatementArguments) throws {
        let changed = try run(sql, arguments)
        guard changed == 1 else { throw QueueError.Conflict.state(what: what, found: "not in the expected state") }
    }

    func row(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Row? {
        try Row.fetchOne(db, sql: sql, arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Row] {
        try Row.fetchAll(db, sql: sql, arguments: arguments)
    }

    func after(_ duration: Duration) -> Int64 { now + duration.milliseconds }
}

extension Duration {
    /// Rounded towards zero; saturates far beyond any lease.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let limit: Int64 = 1 << 40
        return min(max(seconds, -limit), limit) * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

extension Date {
    /// From the database's milliseconds.
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }
}

/// Values that are stored as JSON: sorted keys, so that the same value is the same text.
enum JSON {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func value<T: Decodable>(_ type: T.Type, _ text: String, of what: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw QueueError.database(doing: "reading \(what)", code: 11, found: "a stored value that is not a \(type)")
        }
    }

    /// nil where a draft was not compared.
    static func flags(_ text: String?, of what: String) throws -> [DraftFlag]? {
        try text.map { try value([DraftFlag].self, $0, of: what) }
    }
}
