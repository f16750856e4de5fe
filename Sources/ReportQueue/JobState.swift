/// Does the machine owe work on a study? One open job a study; a finished one is never re-opened, a new one follows it.
///
/// The same table stands in the schema as triggers (`Schema1+Rules.swift`); a test walks both.
public enum JobState: String, Sendable, Codable, CaseIterable {
    /// Objects still come. Exits: ready, no-draft (identity in doubt).
    case waiting
    /// The study is quiet; any worker may take it. Exits: claimed, waiting (a late object).
    case ready
    /// A worker has it until the lease ends. Exits: drafted, no-draft, ready (retry, or lease lost), waiting (the same,
    /// but objects came meanwhile).
    case claimed
    /// Ended: a draft was written. No exit.
    case drafted
    /// Ended: a coded reason says why there is no draft. No exit.
    case noDraft = "no-draft"

    public enum Event: String, Sendable, CaseIterable {
        case objectArrived, becameQuiet, identityInDoubt, claimed, renewed, draftWritten, draftDeclined, attemptFailed, attemptsExhausted,
            leaseEnded
    }

    /// What the layer that owns the rows must do beside writing the new state.
    public enum Action: Sendable, Equatable {
        /// Remember that objects came during the work: another round follows.
        case markReopened
        /// Owner, lease end, attempt + 1.
        case takeLease
        case extendLease
        case clearLease
        /// The study needs a new job.
        case openNewJob
    }

    public var isOpen: Bool { self == .waiting || self == .ready || self == .claimed }

    /// Decides; performs nothing.
    ///
    /// - Parameter reopened: objects came while the job was claimed.
    /// - Returns: what else must happen, or nil when the event is illegal in this state; the state is then unchanged.
    public mutating func handle(_ event: Event, reopened: Bool = false) -> [Action]? {
        switch (self, event) {
        case (.waiting, .objectArrived): return []
        case (.waiting, .becameQuiet): self = .ready; return []
        case (.waiting, .identityInDoubt): self = .noDraft; return []
        case (.ready, .objectArrived): self = .waiting; return []
        case (.ready, .claimed): self = .claimed; return [.takeLease]
        case (.claimed, .objectArrived): return [.markReopened]
        case (.claimed, .renewed): return [.extendLease]
        case (.claimed, .draftWritten): self = .drafted; return reopened ? [.clearLease, .openNewJob] : [.clearLease]
        case (.claimed, .draftDeclined), (.claimed, .attemptsExhausted):
            self = .noDraft
            return reopened ? [.clearLease, .openNewJob] : [.clearLease]
        case (.claimed, .attemptFailed), (.claimed, .leaseEnded): self = reopened ? .waiting : .ready; return [.clearLease]
        case (.drafted, .objectArrived), (.noDraft, .objectArrived): return [.openNewJob]
        default: return nil
        }
    }
}
