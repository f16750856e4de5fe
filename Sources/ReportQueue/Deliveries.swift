public import Foundation
internal import GRDB
public import ReportModel

/// One version on its way to one destination, held until the lease ends. The value is the proof.
public struct ClaimedDelivery: Sendable, Equatable {
    public var id: Int64
    public var owner: String
    public var destination: String
    /// 1 at the first try, and again after a human retried.
    public var attempt: Int
    public var reportID: Int64
    public var report: OutgoingReport
}

/// A delivery as listings show it.
public struct DeliverySummary: Sendable, Codable, Equatable {
    public var id: Int64
    public var studyInstanceUID: String
    public var version: Int
    /// "draft", "final" or "corrected".
    public var kind: String
    public var destination: String
    public var state: DeliveryState
    public var attempt: Int
    /// The earliest next try.
    public var notBefore: Date
    /// The receiver's text, or ours when there was no answer.
    public var lastError: String?
    public var createdAt: Date
    public var changedAt: Date

    enum CodingKeys: String, CodingKey {
        case id
        case studyInstanceUID = "study_instance_uid"
        case version, kind, destination, state, attempt
        case notBefore = "not_before"
        case lastError = "last_error"
        case createdAt = "created_at"
        case changedAt = "changed_at"
    }
}

/// Order: per study and destination a version is taken only when every earlier one is through. "Through" is delivered,
/// or, of a draft, dead: a lost draft must not hold back what a human signed. A dead signed version does hold back its
/// correction, which would make no sense to a receiver that never had what it corrects. Other studies never wait.
/// A draft whose patient came in doubt after it was offered waits for the release.
extension ReportQueue {
    /// Takes the delivery to `destination` that is due longest.
    ///
    /// - Returns: nil when nothing is due.
    public func claimDelivery(destination: String, owner: String, lease: Duration) throws(QueueError) -> ClaimedDelivery? {
        let isDue = """
            d.destination = :destination AND d.state = 'pending' AND d.not_before <= :now AND NOT EXISTS (
                SELECT 1 FROM delivery e JOIN report r ON r.id = e.report_id
                WHERE e.study_id = d.study_id AND e.destination = d.destination AND e.version < d.version
                    AND (e.state IN ('pending', 'sending') OR (e.state = 'dead' AND r.kind <> 'draft')))
                AND NOT EXISTS (
                    SELECT 1 FROM study s JOIN report r ON r.study_id = s.id
                    WHERE r.id = d.report_id AND r.kind = 'draft' AND s.identity_conflict IS NOT NULL)
            """
        let something = try read("looking for deliveries") { transaction in
            try transaction.row("SELECT 1 FROM delivery d WHERE \(isDue) LIMIT 1", ["destination": destination, "now": transaction.now]) != nil
        }
        guard something else { return nil }
        return try write("claiming a delivery to \(destination)") { transaction in
            guard
                let row = try transaction.row(
                    "SELECT d.* FROM delivery d WHERE \(isDue) ORDER BY d.not_before, d.id LIMIT 1",
                    ["destination": destination, "now": transaction.now])
            else { return nil }
            let delivery = try DeliveryRow(row)
            try transaction.move(
                delivery, .claimed, set: "owner = :owner, lease_until = :lease, attempt = attempt + 1",
                ["owner": owner, "lease": transaction.after(lease)])
            return ClaimedDelivery(
                id: delivery.id, owner: owner, destination: destination, attempt: delivery.attempt + 1, reportID: delivery.reportID,
                report: try transaction.outgoing(reportID: delivery.reportID))
        }
    }

    /// The receiver has it: for HL7, MSA-2 was ours and MSA-1 AA or CA; for DICOM, status 0x0000 or a warning.
    ///
    /// - Parameter detail: for the audit trail; no patient data.
    /// - Throws: `.leaseLost`: it will be sent again, with the same bytes.
    public func complete(_ delivery: ClaimedDelivery, detail: String = "") throws(QueueError) {
        try write("noting a delivery") { transaction in
            let row = try transaction.held(delivery)
            try transaction.move(row, .acknowledged, set: "last_error = NULL")
            try transaction.audit(delivery, "report-delivered", .success, detail: detail)
        }
    }

    /// No good answer: try again after `wait`. A draft that was rejected or withdrawn meanwhile is not tried again.
    ///
    /// - Parameter error: the receiver's text, or ours. Receivers quote patient data, so it stays with the delivery and does
    ///   not go into the audit trail.
    public func retry(_ delivery: ClaimedDelivery, after wait: Duration, error: String) throws(QueueError) {
        try write("noting a failed delivery") { transaction in
            let row = try transaction.held(delivery)
            try transaction.putBack(row, .failed, at: transaction.after(wait), error: error)
            try transaction.audit(delivery, "delivery-failed", .minorFailure, detail: "attempt \(delivery.attempt)")
        }
    }

    /// Gives up until a human looks.
    ///
    /// - Parameter reason: as `retry`'s error.
    public func bury(_ delivery: ClaimedDelivery, reason: String) throws(QueueError) {
        let reason = reason.isEmpty ? "no reason given" : reason
        try write("burying a delivery") { transaction in
            try transaction.move(try transaction.held(delivery), .givenUp, set: "last_error = :error", ["error": reason])
            try transaction.audit(delivery, "delivery-dead", .seriousFailure, detail: "attempt \(delivery.attempt)")
        }
    }

    /// Sends a dead delivery again.
    ///
    /// - Throws: `.notFound`; `.conflict(.overtaken)` when a later version went to this destination already;
    ///   `.conflict(.state)` when it is not dead, or its draft was rejected or withdrawn.
    public func retryDelivery(_ id: Int64, by actor: String) throws(QueueError) {
        try write("retrying delivery \(id)") { transaction in
            guard let row = try transaction.row("SELECT * FROM delivery WHERE id = ?", [id]).map(DeliveryRow.init) else {
                throw QueueError.notFound(what: "delivery \(id)")
            }
            let later = try Int.fetchOne(
                transaction.db,
                sql: "SELECT max(version) FROM delivery WHERE study_id = ? AND destination = ? AND version > ? AND state IN ('sending', 'delivered')",
                arguments: [row.studyID, row.destination, row.version])
            if let later { throw QueueError.Conflict.overtaken(byVersion: later) }
            if let gone = try transaction.takenBack(reportID: row.reportID) {
                throw QueueError.Conflict.state(what: "the draft of delivery \(id)", found: gone.rawValue)
            }
            try transaction.move(row, .retriedByHuman, set: "attempt = 0, not_before = :now, last_error = NULL")
            try transaction.audit(
                AuditEvent(
                    code: .export, type: "delivery-retried", action: .update, actor: actor, studyInstanceUID: try transaction.uid(ofStudy: row.studyID),
                    object: "version \(row.version) to \(row.destination)"))
        }
    }

    /// Newest first.
    public func deliveries(
        study: String? = nil, destination: String? = nil, states: Set<DeliveryState> = Set(DeliveryState.allCases), limit: Int = 1000
    ) throws(QueueError) -> [DeliverySummary] {
        try read("listing deliveries") { transaction in
            try transaction.rows(
                """
                SELECT d.*, s.study_instance_uid, r.kind FROM delivery d JOIN study s ON s.id = d.study_id JOIN report r ON r.id = d.report_id
                WHERE (:study IS NULL OR s.study_instance_uid = :study) AND (:destination IS NULL OR d.destination = :destination)
                    AND instr(:states, '|' || d.state || '|') > 0
                ORDER BY d.id DESC LIMIT :limit
                """,
                ["study": study, "destination": destination, "states": "|" + states.map(\.rawValue).joined(separator: "|") + "|", "limit": limit]
            ).map(DeliverySummary.init)
        }
    }
}

extension DeliverySummary {
    init(_ row: Row) throws {
        let dates: [Int64] = [row["not_before"], row["created_at"], row["changed_at"]]
        self.init(
            id: row["id"], studyInstanceUID: row["study_instance_uid"], version: row["version"], kind: row["kind"],
            destination: row["destination"], state: try stateValue(row["state"], of: "delivery"), attempt: row["attempt"],
            notBefore: Date(milliseconds: dates[0]), lastError: row["last_error"], createdAt: Date(milliseconds: dates[1]),
            changedAt: Date(milliseconds: dates[2]))
    }
}
