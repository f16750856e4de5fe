internal import Crypto
public import Foundation
internal import GRDB

/// What a user may do.
public enum UserRole: String, Sendable, Codable, CaseIterable {
    /// Reads, signs, rejects.
    case radiologist
    /// Keeps users and the queue; does not sign.
    case admin
    /// A program. Never signs.
    case service
}

/// A user as listings show one.
public struct UserSummary: Sendable, Codable, Equatable {
    public var name: String
    public var role: UserRole
    /// `Family^Given`
    public var personName: String
    public var organization: String
    public var isDisabled: Bool
    public var isLockedOut: Bool
    public var createdAt: Date

    enum CodingKeys: String, CodingKey {
        case name, role, organization
        case personName = "person_name"
        case isDisabled = "disabled"
        case isLockedOut = "locked_out"
        case createdAt = "created_at"
    }
}

/// Proof that somebody gave a password just now. Only `authenticate` makes one.
public struct AuthenticatedUser: Sendable, Equatable {
    public let name: String
    public let role: UserRole
    public let personName: String
    public let organization: String
    /// By the database's clock, in milliseconds.
    let authenticatedAt: Int64
    /// The account's state that was checked; a change of password, role or lock ends the proof.
    let accountChangedAt: Int64

    init(name: String, role: UserRole, personName: String, organization: String, authenticatedAt: Int64, accountChangedAt: Int64) {
        self.name = name
        self.role = role
        self.personName = personName
        self.organization = organization
        self.authenticatedAt = authenticatedAt
        self.accountChangedAt = accountChangedAt
    }

    /// For tests: the proof as it will be some milliseconds from now.
    package func aged(by milliseconds: Int64) -> AuthenticatedUser {
        AuthenticatedUser(
            name: name, role: role, personName: personName, organization: organization, authenticatedAt: authenticatedAt - milliseconds,
            accountChangedAt: accountChangedAt)
    }
}

extension ReportQueue {
    static let passwordMinimum = 8
    static let passwordMaximumBytes = 1024

    /// Adds a user.
    ///
    /// - Parameters:
    ///   - personName: `Family^Given`, as it stands in signed documents.
    ///   - by: who does it, for the audit trail.
    /// - Throws: `.invalid` for a name, person name or password that will not do; `.conflict(.state)` when the name is taken.
    public func addUser(name: String, role: UserRole, personName: String, organization: String, password: String, by actor: String) throws(QueueError) {
        try Self.checkName(name)
        try Self.checkPersonName(personName, role: role)
        let stored = try hashed(password)
        try write("adding user \(name)") { transaction in
            if try transaction.account(name) != nil { throw QueueError.Conflict.state(what: "user \(name)", found: "there already") }
            try transaction.run(
                """
                INSERT INTO account (name, role, person_name, organization, cost_rounds, cost_block_size, cost_parallelism, salt, password_hash,
                    created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    name, role.rawValue, personName, organization, stored.cost.rounds, stored.cost.blockSize, stored.cost.parallelism, stored.salt,
                    stored.hash, transaction.now, transaction.now,
                ])
            try transaction.auditUser("user-added", .create, name: name, by: actor, detail: "role \(role.rawValue)")
        }
    }

    /// Sets a new password and ends a lock-out. Proofs of identity given before are void.
    public func setPassword(_ password: String, of name: String, by actor: String) throws(QueueError) {
        let stored = try hashed(password)
        try write("setting the password of user \(name)") { transaction in
            let account = try transaction.requireAccount(name)
            try transaction.run(
                """
                UPDATE account SET cost_rounds = ?, cost_block_size = ?, cost_parallelism = ?, salt = ?, password_hash = ?, failures = 0,
                    locked_until = 0, changed_at = ? WHERE id = ?
                """,
                [
                    stored.cost.rounds, stored.cost.blockSize, stored.cost.parallelism, stored.salt, stored.hash,
                    transaction.change(after: account), account["id"] as Int64,
                ])
            try transaction.auditUser("password-changed", .update, name: name, by: actor)
        }
    }

    /// A disabled user can do nothing; the name stays taken, because signatures carry it.
    public func setUser(_ name: String, disabled: Bool, by actor: String) throws(QueueError) {
        try write("changing user \(name)") { transaction in
            let account = try transaction.requireAccount(name)
            try transaction.run(
                "UPDATE account SET disabled = ?, failures = 0, locked_until = 0, changed_at = ? WHERE id = ?",
                [disabled, transaction.change(after: account), account["id"] as Int64])
            try transaction.auditUser(disabled ? "user-disabled" : "user-enabled", .update, name: name, by: actor)
        }
    }

    /// By name.
    public func users() throws(QueueError) -> [UserSummary] {
        try read("listing users") { transaction in
            try transaction.rows("SELECT * FROM account ORDER BY name").map { row in
                UserSummary(
                    name: row["name"], role: try stateValue(row["role"], of: "user's role"), personName: row["person_name"],
                    organization: row["organization"], isDisabled: row["disabled"], isLockedOut: row["locked_until"] as Int64 > transaction.now,
                    createdAt: Date(milliseconds: row["created_at"]))
            }
        }
    }

    /// - Throws: `.invalid` for a password that is too short or too long.
    private func hashed(_ password: String) throws(QueueError) -> (cost: PasswordCost, salt: Data, hash: Data) {
        guard password.count >= Self.passwordMinimum, password.utf8.count <= Self.passwordMaximumBytes else {
            throw .invalid(what: "the password", found: "must have \(Self.passwordMinimum) characters or more, and at most \(Self.passwordMaximumBytes) bytes")
        }
        let salt = PasswordCost.randomSalt()
        return (options.passwordCost, salt, try options.passwordCost.hash(password, salt: salt))
    }

    /// Login names go into HL7 fields, log lines and listings.
    private static func checkName(_ name: String) throws(QueueError) {
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789._-")
        guard (1...32).contains(name.count), name.allSatisfy(allowed.contains) else {
            throw .invalid(what: "the user name", found: "must be 1 to 32 of a-z, 0-9, '.', '_' and '-'")
        }
    }

    /// PN: at most 64 characters a component group, five components, no backslash or control characters (PS3.5 6.2).
    private static func checkPersonName(_ name: String, role: UserRole) throws(QueueError) {
        let components = name.split(separator: "^", omittingEmptySubsequences: false)
        let isFit = name.count <= 64 && components.count <= 5 && !name.contains { $0 == "\\" || $0 == "=" }
            && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
        guard isFit, role != .radiologist || components.first.map({ $0.contains { !$0.isWhitespace } }) == true else {
            throw .invalid(what: "the person name", found: "must be Family^Given, at most 64 characters, without '\\' and '='")
        }
    }
}

extension Transaction {
    func account(_ name: String) throws -> Row? { try row("SELECT * FROM account WHERE name = ?", [name]) }

    func requireAccount(_ name: String) throws -> Row {
        guard let row = try account(name) else { throw QueueError.notFound(what: "user \(name)") }
        return row
    }

    /// A time of change that differs from the last one, even within a millisecond or after the clock was set back.
    func change(after account: Row) -> Int64 { max(now, (account["changed_at"] as Int64) + 1) }

    func auditUser(_ type: String, _ action: AuditEvent.Action, name: String, by actor: String, detail: String = "") throws {
        try audit(AuditEvent(code: .securityAlert, type: type, action: action, actor: actor, object: "user \(name)", detail: detail))
    }
}
