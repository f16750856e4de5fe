internal import GRDB
internal import ReportModel

/// Which database this is and which migrations it has seen. Migrations are append-only: one file each, never edited
/// once released; `user_version` counts those applied.
enum Schema {
    /// "RaDq", in the file's header at offset 68.
    static let applicationID: Int64 = 0x5261_4471
    static let migrations = [schema1Tables + schema1Rules, schema2Flags]
    static var version: Int64 { Int64(migrations.count) }

    /// Refuses a file that another program or a newer version wrote, before anything in it is changed.
    static func checkOwner(_ db: Database, path: String) throws {
        let owner = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let found = try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int64.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        guard owner == applicationID || (owner == 0 && found == 0 && tables == 0) else {
            throw QueueError.unusable(
                path: path, found: "not a radialogd database (application_id \(owner))", todo: "point state_dir at an empty folder")
        }
        guard found <= version else {
            throw QueueError.unusable(
                path: path, found: "schema version \(found); this program (\(Build.version)) knows up to \(version)",
                todo: "run the newer program that wrote it, or restore the backup made before the upgrade")
        }
    }

    /// Applies what is missing, each migration in a transaction of its own. Called under the writer's lock.
    static func migrate(_ db: Database) throws {
        let found = Int(try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0)
        for number in found..<migrations.count {
            try db.inTransaction(.immediate) {
                try db.execute(sql: migrations[number])
                try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(number + 1)")
                let transaction = try Transaction(db)
                try transaction.run(
                    "INSERT INTO meta (key, value) VALUES (?, ?)", ["schema-\(number + 1)", "\(Build.version) at \(transaction.now)"])
                return .commit
            }
        }
    }
}
