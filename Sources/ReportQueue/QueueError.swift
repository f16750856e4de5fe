internal import GRDB

/// What went wrong in the queue. Messages carry UIDs, user names and codes; never patient data or report text.
public enum QueueError: Error, Sendable, Equatable {
    /// Another process holds the writer's lock, or SQLite says busy.
    case busy(doing: String)
    /// The disk is full or failing; nothing was changed.
    case storage(doing: String, found: String)
    /// SQLite refused, or the file is damaged.
    case database(doing: String, code: Int32, found: String)
    /// The file cannot be used: another program's, a newer version's, or not opened as it must be.
    case unusable(path: String, found: String, todo: String)
    case closed
    case notFound(what: String)
    /// An accession number that several studies carry; the caller must name one Study Instance UID.
    case ambiguous(accessionMatches: [String])
    /// A value that no retry makes right.
    case invalid(what: String, found: String)
    /// The lease ended and the work was given to someone else: the result is not taken.
    case leaseLost(what: String)
    /// Someone decided first, or what was shown is no longer what is there. Nothing was overwritten.
    case conflict(Conflict)
    case authentication(AuthenticationFailure)
    /// This user may not do this.
    case notPermitted(userName: String, what: String)

    public enum Conflict: Error, Sendable, Equatable {
        /// A newer version exists than the one that was shown.
        case newerVersion(shown: Int, current: Int)
        case alreadySigned(by: String, version: Int)
        case alreadyRejected(by: String)
        case withdrawn
        case superseded
        /// The digest of what was shown is not that of what is to be signed.
        case shownTextDiffers
        /// The patient's identity is in doubt: a human must release the study first.
        case identityConflict
        case noReport
        /// A delivery that may not be sent any more, because a later version went out.
        case overtaken(byVersion: Int)
        /// A delivery, job or report that is not in a state in which this can be done.
        case state(what: String, found: String)
    }

    public enum AuthenticationFailure: Error, Sendable, Equatable {
        /// Unknown user, disabled user or wrong password: never said which.
        case rejected
        case lockedOut(secondsLeft: Int)
        /// The proof of identity is older than `ReportQueue.authenticationValidity`, or the account changed since.
        case expired
    }

    /// What the caller does with it.
    public enum Consequence: Sendable, Equatable {
        /// Nothing was changed; the same call may succeed later.
        case retry
        /// The same call will fail again.
        case giveUp
        /// Somebody or something else came first: show it to a human, or drop the result.
        case conflict
    }

    public var consequence: Consequence {
        switch self {
        case .busy, .storage: .retry
        case .database, .unusable, .closed, .notFound, .ambiguous, .invalid, .notPermitted, .authentication: .giveUp
        case .leaseLost, .conflict: .conflict
        }
    }

    /// Translates what GRDB threw while `doing`. The message of an SQLite error names tables and rules, never values.
    static func translate(_ error: any Error, doing: String) -> QueueError {
        if let error = error as? QueueError { return error }
        if let error = error as? Conflict { return .conflict(error) }
        guard let error = error as? DatabaseError else {
            return .database(doing: doing, code: 1, found: String(describing: type(of: error)))
        }
        let found = error.message ?? "no message"
        switch error.resultCode.primaryResultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .busy(doing: doing)
        case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY:
            return .storage(doing: doing, found: "\(found) (SQLite \(error.extendedResultCode.rawValue))")
        default: return .database(doing: doing, code: error.extendedResultCode.rawValue, found: found)
        }
    }
}

extension QueueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .busy(let doing): "\(doing): the queue's database is locked by another process; try again"
        case .storage(let doing, let found): "\(doing): \(found); check the space and health of the disk that holds state_dir"
        case .database(let doing, let code, let found): "\(doing): SQLite error \(code): \(found)"
        case .unusable(let path, let found, let todo): "opening \(path): \(found); \(todo)"
        case .closed: "the queue is closed"
        case .notFound(let what): "\(what) is not in the queue"
        case .ambiguous(let matches):
            "the accession number belongs to \(matches.count) studies; name one Study Instance UID: \(matches.joined(separator: ", "))"
        case .invalid(let what, let found): "\(what): \(found)"
        case .leaseLost(let what): "\(what): the lease ended and the work was taken over; the result is dropped"
        case .conflict(let conflict): conflict.description
        case .authentication(let failure): failure.description
        case .notPermitted(let user, let what): "user \(user) may not \(what)"
        }
    }
}

extension QueueError.Conflict: CustomStringConvertible {
    public var description: String {
        switch self {
        case .newerVersion(let shown, let current): "version \(shown) was shown, but version \(current) is current; show it and decide again"
        case .alreadySigned(let by, let version): "\(by) signed already (version \(version)); a correction needs a new text"
        case .alreadyRejected(let by): "\(by) rejected this draft already"
        case .withdrawn: "the draft was withdrawn"
        case .superseded: "a newer draft took this one's place; show it and decide again"
        case .shownTextDiffers: "the text is not the one that was shown; show it and decide again"
        case .identityConflict: "the patient's identity is in doubt; a human must release the study first"
        case .noReport: "the study has no draft to decide on"
        case .overtaken(let version): "version \(version) went to this destination already; an earlier one is not sent after it"
        case .state(let what, let found): "\(what) is \(found)"
        }
    }
}

extension QueueError.AuthenticationFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .rejected: "user name or password is wrong"
        case .lockedOut(let seconds): "too many wrong passwords; try again in \(seconds) s"
        case .expired: "the authentication is too old or the account changed; give the password again"
        }
    }
}
