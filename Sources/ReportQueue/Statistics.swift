internal import GRDB

/// The queue in numbers, for `status` and for alarms.
public struct QueueStatistics: Sendable, Codable, Equatable {
    public struct Backlog: Sendable, Codable, Equatable {
        public var destination: String
        public var pending: Int
        public var sending: Int
        public var delivered: Int
        public var dead: Int
        /// How long the oldest delivery that is neither delivered nor dead has waited; nil: nothing waits.
        public var oldestUndeliveredSeconds: Double?

        enum CodingKeys: String, CodingKey {
            case destination, pending, sending, delivered, dead
            case oldestUndeliveredSeconds = "oldest_undelivered_seconds"
        }
    }

    /// By `StudyState`'s words; states without studies are missing.
    public var studies: [String: Int]
    public var instances: Int
    public var quarantined: Int
    public var deliveries: [Backlog]
    /// How long the study that has waited longest for a worker has been ready.
    public var oldestReadySeconds: Double?
    public var identityConflicts: Int
    /// Drafts that wait for a person and have at least one flag.
    public var flaggedDrafts: Int

    enum CodingKeys: String, CodingKey {
        case studies, instances, quarantined, deliveries
        case oldestReadySeconds = "oldest_ready_seconds"
        case identityConflicts = "identity_conflicts"
        case flaggedDrafts = "flagged_drafts"
    }
}

extension ReportQueue {
    public func statistics() throws(QueueError) -> QueueStatistics {
        try read("counting") { transaction in
            func count(_ sql: String) throws -> Int { try Int.fetchOne(transaction.db, sql: sql) ?? 0 }
            func age(_ since: Int64?) -> Double? { since.map { Double(max(transaction.now - $0, 0)) / 1000 } }
            var studies: [String: Int] = [:]
            for row in try transaction.rows("SELECT state, count(*) AS n FROM study_state GROUP BY state") { studies[row["state"]] = row["n"] }
            let deliveries = try transaction.rows(
                """
                SELECT destination, sum(state = 'pending') AS pending, sum(state = 'sending') AS sending, sum(state = 'delivered') AS delivered,
                    sum(state = 'dead') AS dead, min(CASE WHEN state IN ('pending', 'sending') THEN created_at END) AS oldest
                FROM delivery GROUP BY destination ORDER BY destination
                """
            ).map { row in
                QueueStatistics.Backlog(
                    destination: row["destination"], pending: row["pending"], sending: row["sending"], delivered: row["delivered"],
                    dead: row["dead"], oldestUndeliveredSeconds: age(row["oldest"]))
            }
            return QueueStatistics(
                studies: studies, instances: try count("SELECT count(*) FROM instance"), quarantined: try count("SELECT count(*) FROM quarantine"),
                deliveries: deliveries,
                oldestReadySeconds: age(try Int64.fetchOne(transaction.db, sql: "SELECT min(changed_at) FROM job WHERE state = 'ready'")),
                identityConflicts: try count("SELECT count(*) FROM study WHERE identity_conflict IS NOT NULL"),
                flaggedDrafts: try count(
                    "SELECT count(*) FROM report r JOIN draft d ON d.id = r.draft_id WHERE r.state = 'preliminary' AND d.flags <> '[]'"))
        }
    }
}
