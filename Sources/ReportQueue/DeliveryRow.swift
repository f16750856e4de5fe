internal import GRDB
internal import ReportModel

struct DeliveryRow {
    let id: Int64
    let reportID: Int64
    let studyID: Int64
    let version: Int
    let destination: String
    let state: DeliveryState
    let attempt: Int

    init(_ row: Row) throws {
        id = row["id"]
        reportID = row["report_id"]
        studyID = row["study_id"]
        version = row["version"]
        destination = row["destination"]
        state = try stateValue(row["state"], of: "delivery")
        attempt = row["attempt"]
    }
}

extension Transaction {
    func insertDeliveries(of version: WrittenVersion, to destinations: [DestinationRule]) throws {
        for destination in destinations {
            try run(
                """
                INSERT INTO delivery (report_id, study_id, version, destination, state, not_before, created_at, changed_at)
                VALUES (?, ?, ?, ?, 'pending', ?, ?, ?)
                """, [version.id, version.studyID, version.number, destination.name, now, now, now])
        }
    }

    /// The delivery's row, if the sender still has it: same owner, same attempt, and the lease not ended.
    func held(_ delivery: ClaimedDelivery) throws -> DeliveryRow {
        let found = try row(
            "SELECT * FROM delivery WHERE id = ? AND state = 'sending' AND owner = ? AND attempt = ? AND lease_until > ?",
            [delivery.id, delivery.owner, delivery.attempt, now])
        guard let found else { throw QueueError.leaseLost(what: "delivery \(delivery.id) to \(delivery.destination)") }
        return try DeliveryRow(found)
    }

    /// Moves a delivery by the machine's table, guarded by the state it was read in.
    func move(_ delivery: DeliveryRow, _ event: DeliveryState.Event, set assignments: String, _ arguments: StatementArguments = [:]) throws {
        var state = delivery.state
        guard state.handle(event) else {
            throw QueueError.Conflict.state(what: "delivery \(delivery.id)", found: delivery.state.rawValue)
        }
        let lease = state == .sending ? "" : ", owner = NULL, lease_until = NULL"
        let all: StatementArguments = ["to": state.rawValue, "now": now, "id": delivery.id, "from": delivery.state.rawValue]
        try runOne(
            "delivery \(delivery.id)",
            "UPDATE delivery SET state = :to, changed_at = :now\(lease), \(assignments) WHERE id = :id AND state = :from", all &+ arguments)
    }

    /// Back to pending, or to dead where the draft was taken back while it was being sent: it must not block what follows.
    func putBack(_ delivery: DeliveryRow, _ event: DeliveryState.Event, at time: Int64, error: String) throws {
        if let gone = try takenBack(reportID: delivery.reportID) {
            return try move(delivery, .givenUp, set: "last_error = :error", ["error": "the draft was \(gone.rawValue)"])
        }
        try move(delivery, event, set: "last_error = :error, not_before = :time", ["error": error, "time": time])
    }

    /// What is not on its way yet stays here.
    func cancelDeliveries(reportID: Int64, reason: String) throws {
        for row in try rows("SELECT * FROM delivery WHERE report_id = ? AND state = 'pending'", [reportID]) {
            try move(try DeliveryRow(row), .cancelled, set: "last_error = :reason", ["reason": reason])
        }
    }

    /// The state of a draft that may not be sent any more; nil for every other version.
    func takenBack(reportID: Int64) throws -> ReportState? {
        let text = try String.fetchOne(db, sql: "SELECT state FROM report WHERE id = ? AND state IN ('rejected', 'withdrawn')", arguments: [reportID])
        return text.flatMap(ReportState.init(rawValue:))
    }

    func uid(ofStudy id: Int64) throws -> String {
        try String.fetchOne(db, sql: "SELECT study_instance_uid FROM study WHERE id = ?", arguments: [id]) ?? ""
    }

    func audit(_ delivery: ClaimedDelivery, _ type: String, _ outcome: AuditEvent.Outcome, detail: String) throws {
        try audit(
            AuditEvent(
                code: .export, type: type, action: .read, outcome: outcome, actor: delivery.owner,
                studyInstanceUID: delivery.report.study.studyInstanceUID, object: "version \(delivery.report.version) to \(delivery.destination)",
                detail: detail))
    }
}
