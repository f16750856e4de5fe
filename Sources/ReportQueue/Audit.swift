internal import Crypto
public import Foundation
internal import GRDB

/// The audit trail as a hash chain: each row holds SHA-256(hash of the row before + this row), and `audit_head` holds
/// the last sequence number and hash.
///
/// What it shows: a row that was changed, deleted, inserted or moved, and a trail that was cut. What it cannot show by
/// itself: somebody who may write the file and knows this code can compute a whole new chain and head. Keep heads
/// elsewhere (`auditHead()` into the system log, for example) and give one to `verifyAudit` as the anchor.
extension ReportQueue {
    /// Records what happened outside the queue's own changes: start and stop, rejected associations, exports, queries.
    public func recordAudit(_ event: AuditEvent) throws(QueueError) {
        try write("writing the audit trail") { try $0.audit(event) }
    }

    /// Where the trail ends now.
    public func auditHead() throws(QueueError) -> AuditHead {
        try read("reading the audit trail") { try $0.auditHead() }
    }

    /// Walks the whole trail in one consistent view.
    ///
    /// - Parameter anchor: a head noted earlier, outside this machine: the trail must still pass through it.
    public func verifyAudit(anchor: AuditHead? = nil) throws(QueueError) -> AuditVerification {
        try read("verifying the audit trail") { transaction in
            let head = try transaction.auditHead()
            var verification = AuditVerification(rows: 0, head: head, faults: [])
            var previous = AuditHead.start
            let rows = try Row.fetchCursor(transaction.db, sql: "SELECT * FROM audit ORDER BY sequence")
            while let row = try rows.next() {
                let record = AuditRecord(row)
                if record.sequence != previous.sequence + 1 {
                    verification.note(.rowsMissing(after: previous.sequence, before: record.sequence))
                }
                if record.previousHash != previous.hash { verification.note(.chainBroken(at: record.sequence)) }
                if AuditRecord.hash(record, after: record.previousHash) != record.hash { verification.note(.rowChanged(record.sequence)) }
                previous = AuditHead(sequence: record.sequence, hash: record.hash)
                if let anchor, anchor.sequence == record.sequence, anchor.hash != record.hash { verification.note(.anchorDiffers(anchor.sequence)) }
                verification.rows += 1
            }
            if previous != head { verification.note(.truncated(last: previous.sequence, head: head.sequence)) }
            if let anchor, anchor.sequence > previous.sequence { verification.note(.truncated(last: previous.sequence, head: anchor.sequence)) }
            return verification
        }
    }

    /// The newest `limit` rows, newest first.
    public func auditRecords(limit: Int = 100, study: String? = nil) throws(QueueError) -> [AuditRecord] {
        try read("reading the audit trail") { transaction in
            try transaction.rows(
                "SELECT * FROM audit WHERE :study IS NULL OR study_instance_uid = :study ORDER BY sequence DESC LIMIT :limit",
                ["study": study, "limit": limit]
            ).map(AuditRecord.init)
        }
    }
}

/// The end of the trail at some moment.
public struct AuditHead: Sendable, Codable, Equatable {
    public var sequence: Int64
    /// SHA-256, lower-case hex.
    public var hash: String

    public init(sequence: Int64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }

    static let start = AuditHead(sequence: 0, hash: String(repeating: "0", count: 64))
}

/// One row of the trail.
public struct AuditRecord: Sendable, Equatable {
    public var sequence: Int64
    public var at: Date
    public var code: String
    public var type: String
    public var action: String
    public var outcome: Int
    public var actor: String
    public var studyInstanceUID: String
    public var object: String
    public var detail: String
    public var previousHash: String
    public var hash: String
    /// As stored: the hash is over this, not over a rounded date.
    let milliseconds: Int64

    init(_ row: Row) {
        sequence = row["sequence"]
        milliseconds = row["at"]
        at = Date(milliseconds: milliseconds)
        code = row["code"]
        type = row["type"]
        action = row["action"]
        outcome = row["outcome"]
        actor = row["actor"]
        studyInstanceUID = row["study_instance_uid"]
        object = row["object"]
        detail = row["detail"]
        previousHash = row["previous_hash"]
        hash = row["hash"]
    }

    init(_ event: AuditEvent, sequence: Int64, milliseconds: Int64, previousHash: String) {
        self.sequence = sequence
        self.milliseconds = milliseconds
        at = Date(milliseconds: milliseconds)
        code = event.code.rawValue
        type = event.type
        action = event.action.rawValue
        outcome = event.outcome.rawValue
        actor = event.actor
        studyInstanceUID = event.studyInstanceUID
        object = event.object
        detail = event.detail
        self.previousHash = previousHash
        hash = ""
        hash = Self.hash(self, after: previousHash)
    }

    /// Every field but the hash itself, each with its length in front, so that no two rows share one encoding.
    static func hash(_ record: AuditRecord, after previous: String) -> String {
        let fields = [
            previous, String(record.sequence), String(record.milliseconds), record.code, record.type, record.action, String(record.outcome),
            record.actor, record.studyInstanceUID, record.object, record.detail,
        ]
        var bytes: [UInt8] = []
        for field in fields {
            withUnsafeBytes(of: UInt64(field.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: field.utf8)
        }
        return SHA256Text.of(bytes)
    }
}

extension Transaction {
    func auditHead() throws -> AuditHead {
        guard let row = try row("SELECT sequence, hash FROM audit_head") else { return AuditHead(sequence: -1, hash: "") }
        return AuditHead(sequence: row["sequence"], hash: row["hash"])
    }

    /// Appends to the trail, in the transaction of the change it tells of.
    func audit(_ event: AuditEvent) throws {
        let head = try auditHead()
        let record = AuditRecord(event, sequence: head.sequence + 1, milliseconds: now, previousHash: head.hash)
        try run(
            """
            INSERT INTO audit (sequence, at, code, type, action, outcome, actor, study_instance_uid, object, detail, previous_hash, hash)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                record.sequence, now, record.code, record.type, record.action, record.outcome, record.actor, record.studyInstanceUID,
                record.object, record.detail, record.previousHash, record.hash,
            ])
    }
}

/// SHA-256 as lower-case hex.
public enum SHA256Text {
    public static func of(_ bytes: some Sequence<UInt8>) -> String {
        SHA256.hash(data: Array(bytes)).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }

    /// Of the text's UTF-8: what a signature is given under.
    public static func of(_ text: String) -> String { of(text.utf8) }
}
