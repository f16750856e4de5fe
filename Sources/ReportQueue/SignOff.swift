internal import Foundation
internal import GRDB
internal import ReportModel

/// A human decides. Every call names the version that was shown: what changed since is a conflict, nothing is overwritten.
extension ReportQueue {
    /// Notes that somebody looked at the newest version; from then on a new draft does not take its place.
    ///
    /// - Returns: the version, to be given back when signing.
    /// - Throws: `.notFound`, `.conflict(.noReport)`.
    @discardableResult
    public func markOpened(_ uid: String, by userName: String) throws(QueueError) -> Int {
        try write("opening study \(uid)") { transaction in
            let head = try transaction.requireHead(uid)
            var state = head.state
            if state.handle(.opened, opened: head.openedBy != nil) == [.noteOpened] {
                try transaction.runOne(
                    "version \(head.version) of study \(uid)",
                    "UPDATE report SET opened_by = ?, opened_at = ? WHERE id = ? AND state = 'preliminary' AND opened_by IS NULL",
                    [userName, transaction.now, head.id])
            }
            try transaction.audit(
                AuditEvent(
                    code: .procedureRecord, type: "report-opened", action: .read, actor: userName, studyInstanceUID: uid,
                    object: "version \(head.version)"))
            return head.version
        }
    }

    /// Signs: of a draft this makes the final version, of a signed version (with another text) a corrected one.
    ///
    /// - Parameters:
    ///   - text: nil to sign the text of the version that was shown, unchanged.
    ///   - shownTextSHA256: of the UTF-8 text that the person had before their eyes when they signed.
    ///   - expectedVersion: the version that was shown.
    ///   - destinations: every configured destination; those that receive signed versions get a delivery.
    /// - Returns: the new version's number.
    /// - Throws: `.conflict`, `.notPermitted`, `.authentication(.expired)`, `.invalid` for an empty or unfit text, `.notFound`.
    public func sign(
        study uid: String, by user: AuthenticatedUser, text: String?, shownTextSHA256: String, expectedVersion: Int, destinations: [DestinationRule]
    ) throws(QueueError) -> Int {
        if let text { try ReportText.check(text) }
        return try decided("signing", study: uid, by: user) { transaction in
            let signer = try transaction.requireCurrent(user, roles: [.radiologist], to: "sign a report")
            let study = try transaction.study(uid)
            let head = try transaction.requireHead(uid)
            try transaction.requireShown(head, expectedVersion: expectedVersion, uid: uid)
            guard study["identity_conflict"] as String? == nil else { throw QueueError.Conflict.identityConflict }
            let final = text ?? head.text
            try ReportText.check(final)
            guard SHA256Text.of(final) == shownTextSHA256.lowercased() else { throw QueueError.Conflict.shownTextDiffers }
            return try transaction.writeSigned(head, study: study, text: final, signer: signer, destinations: destinations)
        }
    }

    /// Refuses the draft. What has not left for a receiver stays here.
    ///
    /// - Parameter reason: for colleagues; not empty.
    /// - Throws: as `sign`.
    public func reject(study uid: String, by user: AuthenticatedUser, reason: String, expectedVersion: Int? = nil) throws(QueueError) {
        try ReportText.check(reason)
        try decided("rejecting", study: uid, by: user) { transaction in
            try transaction.requireCurrent(user, roles: [.radiologist], to: "reject a draft")
            let head = try transaction.requireHead(uid)
            try transaction.requireShown(head, expectedVersion: expectedVersion ?? head.version, uid: uid)
            if head.state == .signed { throw QueueError.Conflict.alreadySigned(by: head.decidedBy ?? "", version: head.version) }
            try transaction.decide(head, .rejected, by: user.name, reason: reason, uid: uid)
        }
    }

    /// Takes an unsigned draft back without a decision: patient merge, cancelled order.
    public func withdraw(study uid: String, by actor: String, reason: String) throws(QueueError) {
        try write("withdrawing the draft of study \(uid)") { transaction in
            let head = try transaction.requireHead(uid)
            if head.state == .signed { throw QueueError.Conflict.alreadySigned(by: head.decidedBy ?? "", version: head.version) }
            try transaction.decide(head, .withdrawn, by: actor, reason: reason, uid: uid)
        }
    }

    /// Runs a decision; one that was refused is audited too, in a transaction of its own, and then thrown on.
    private func decided<T>(_ doing: String, study uid: String, by user: AuthenticatedUser, _ body: (Transaction) throws -> T) throws(QueueError) -> T {
        do {
            return try write("\(doing) study \(uid)", body)
        } catch {
            switch error {
            case .conflict, .notPermitted, .authentication:
                try recordAudit(
                    AuditEvent(
                        code: .procedureRecord, type: "\(doing)-refused", action: .update, outcome: .minorFailure, actor: user.name,
                        studyInstanceUID: uid, detail: error.description))
            default: break
            }
            throw error
        }
    }
}

/// What a person may sign or give as a reason.
enum ReportText {
    /// Far above any findings section; keeps messages within what receivers take.
    static let byteLimit = 64 * 1024

    /// - Throws: `.invalid` for empty, too long, or text with control characters that no document can carry.
    static func check(_ text: String) throws(QueueError) {
        guard text.contains(where: { !$0.isWhitespace }) else { throw .invalid(what: "the text", found: "is empty") }
        guard text.utf8.count <= byteLimit else {
            throw .invalid(what: "the text", found: "is \(text.utf8.count) bytes long; at most \(byteLimit) are allowed")
        }
        let allowed: Set<Unicode.Scalar> = ["\n", "\r", "\t"]
        guard let bad = text.unicodeScalars.first(where: { $0.properties.generalCategory == .control && !allowed.contains($0) }) else { return }
        throw .invalid(what: "the text", found: "has the control character U+\(String(bad.value, radix: 16, uppercase: true))")
    }
}

extension Transaction {
    func requireHead(_ uid: String) throws -> ReportRow {
        guard let head = try headReport(studyID: try study(uid)["id"]) else { throw QueueError.Conflict.noReport }
        return head
    }

    /// The version that was shown is the newest, and it can still be decided on.
    fileprivate func requireShown(_ head: ReportRow, expectedVersion: Int, uid: String) throws {
        if head.version != expectedVersion {
            // A signature is the more useful answer than a number.
            if head.state == .signed { throw QueueError.Conflict.alreadySigned(by: head.decidedBy ?? "", version: head.version) }
            throw QueueError.Conflict.newerVersion(shown: expectedVersion, current: head.version)
        }
        switch head.state {
        case .preliminary, .signed: break
        case .rejected: throw QueueError.Conflict.alreadyRejected(by: head.decidedBy ?? "")
        case .superseded: throw QueueError.Conflict.superseded
        case .withdrawn: throw QueueError.Conflict.withdrawn
        }
    }

    fileprivate func writeSigned(_ head: ReportRow, study: Row, text: String, signer: SignerRow, destinations: [DestinationRule]) throws -> Int {
        let uid: String = study["study_instance_uid"]
        let isCorrection = head.kind != .draft
        if isCorrection, text == head.text { throw QueueError.Conflict.alreadySigned(by: head.decidedBy ?? "", version: head.version) }
        var state = head.state
        guard state.handle(.signed) == [.writeSignedVersion] else {
            throw QueueError.Conflict.state(what: "version \(head.version) of study \(uid)", found: head.state.rawValue)
        }
        let version = try insertVersion(
            NewVersion(
                study: study, kind: isCorrection ? .corrected : .final, predecessor: head, draftID: head.draftID, text: text, signer: signer))
        if !isCorrection { try decide(head, .signed, by: signer.userName, reason: nil, uid: uid) }
        try insertDeliveries(of: version, to: destinations.filter(\.receivesSigned))
        try audit(
            AuditEvent(
                code: .procedureRecord, type: isCorrection ? "report-corrected" : "report-signed", action: .create, actor: signer.userName,
                studyInstanceUID: uid, object: "version \(version.number)",
                detail: "text sha256 \(SHA256Text.of(text))\(text == head.text ? "" : ", edited")"))
        return version.number
    }
}
