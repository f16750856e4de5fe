internal import Foundation
internal import GRDB

extension ReportQueue {
    /// So many wrong passwords in a row …
    static let failureLimit = 10
    /// … and then nobody gets in for this long.
    static let lockOut = Duration.seconds(15 * 60)

    /// Checks a password. Success and failure are audited; an unknown name takes as long as a wrong password.
    ///
    /// - Throws: `.authentication(.rejected)` or `.authentication(.lockedOut)`.
    public func authenticate(user name: String, password: String) throws(QueueError) -> AuthenticatedUser {
        // The expensive part happens between two transactions, so that nobody waits for scrypt; the second one looks again.
        let before = try read("looking up user \(Self.loggable(name))") { transaction in
            try transaction.account(name).map { row in Stored(row, now: transaction.now) }
        }
        let cost = before?.cost ?? options.passwordCost
        let isRight: Bool
        if password.utf8.count <= Self.passwordMaximumBytes {
            let hash = try cost.hash(password, salt: before?.salt ?? Data(count: PasswordCost.saltByteCount))
            isRight = PasswordCost.isEqual(hash, before?.hash ?? Data(count: PasswordCost.hashByteCount)) && before != nil
        } else {
            isRight = false
        }
        let result = try write("authenticating user \(Self.loggable(name))") { transaction in
            try transaction.judge(name: name, before: before, isRight: isRight)
        }
        return try result.get()
    }

    /// What somebody typed as a name may be a password typed into the wrong field: only known names are written down.
    private static func loggable(_ name: String) -> String { name.count <= 32 ? name : "(long)" }

    /// The account as it was when the password was compared.
    struct Stored {
        let cost: PasswordCost
        let salt: Data
        let hash: Data
        let changedAt: Int64

        init(_ row: Row, now: Int64) {
            cost = PasswordCost(rounds: row["cost_rounds"], blockSize: row["cost_block_size"], parallelism: row["cost_parallelism"])
            salt = row["salt"]
            hash = row["password_hash"]
            changedAt = row["changed_at"]
        }
    }
}

extension Transaction {
    /// Writes down what came of it, and says it. A refusal is a committed outcome, not a thrown one: its count and its
    /// audit row must stay.
    fileprivate func judge(name: String, before: ReportQueue.Stored?, isRight: Bool) throws -> Result<AuthenticatedUser, QueueError> {
        guard let account = try account(name), let before else {
            try auditAuthentication("login", .minorFailure, name: "unknown", detail: "unknown user")
            return .failure(.authentication(.rejected))
        }
        let lockedUntil: Int64 = account["locked_until"]
        if lockedUntil > now {
            // Said whether or not the password was right: a lock that tells is no lock.
            try auditAuthentication("login", .minorFailure, name: name, detail: "locked out")
            return .failure(.authentication(.lockedOut(secondsLeft: Int((lockedUntil - now + 999) / 1000))))
        }
        let isUnchanged = account["changed_at"] as Int64 == before.changedAt
        guard isRight, isUnchanged, account["disabled"] as Bool == false else {
            return .failure(try noteFailure(account, name: name))
        }
        try run("UPDATE account SET failures = 0, locked_until = 0 WHERE id = ?", [account["id"] as Int64])
        try auditAuthentication("login", .success, name: name, detail: "")
        return .success(
            AuthenticatedUser(
                name: name, role: try stateValue(account["role"], of: "user's role"), personName: account["person_name"],
                organization: account["organization"], authenticatedAt: now, accountChangedAt: before.changedAt))
    }

    private func noteFailure(_ account: Row, name: String) throws -> QueueError {
        let failures = account["failures"] as Int + 1
        let isLocked = failures >= ReportQueue.failureLimit
        try run(
            "UPDATE account SET failures = ?, locked_until = ? WHERE id = ?",
            [isLocked ? 0 : failures, isLocked ? after(ReportQueue.lockOut) : 0, account["id"] as Int64])
        try auditAuthentication("login", isLocked ? .seriousFailure : .minorFailure, name: name, detail: isLocked ? "locked out" : "failure \(failures)")
        return .authentication(.rejected)
    }

    private func auditAuthentication(_ type: String, _ outcome: AuditEvent.Outcome, name: String, detail: String) throws {
        try audit(AuditEvent(code: .userAuthentication, type: type, action: .execute, outcome: outcome, actor: name, detail: detail))
    }

    /// The proof still holds and the role fits; the account is looked up again, because either may have changed.
    @discardableResult
    func requireCurrent(_ user: AuthenticatedUser, roles: Set<UserRole>, to what: String) throws -> SignerRow {
        guard let account = try account(user.name), account["disabled"] as Bool == false, account["changed_at"] as Int64 == user.accountChangedAt,
            now - user.authenticatedAt <= ReportQueue.authenticationValidity.milliseconds, user.authenticatedAt <= now
        else { throw QueueError.authentication(.expired) }
        let role: UserRole = try stateValue(account["role"], of: "user's role")
        guard roles.contains(role) else { throw QueueError.notPermitted(userName: user.name, what: what) }
        return SignerRow(
            accountID: account["id"], userName: user.name, personName: account["person_name"], organization: account["organization"])
    }
}
