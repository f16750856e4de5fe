/// Has one receiver acknowledged one version of a report?
public enum DeliveryState: String, Sendable, Codable, CaseIterable {
    /// To be sent, at once or from a stated time on. Exits: sending, dead (its draft was rejected or withdrawn).
    case pending
    /// A sender has it until its lease ends. Exits: delivered, pending (try again), dead.
    case sending
    /// Acknowledged. No exit.
    case delivered
    /// Given up, with the receiver's text. Exit: pending, by a human only.
    case dead

    public enum Event: String, Sendable, CaseIterable {
        case claimed, acknowledged, failed, leaseEnded, givenUp, cancelled, retriedByHuman
    }

    /// Decides; performs nothing. False when the event is illegal in this state; the state is then unchanged.
    public mutating func handle(_ event: Event) -> Bool {
        switch (self, event) {
        case (.pending, .claimed): self = .sending
        case (.sending, .acknowledged): self = .delivered
        case (.sending, .failed), (.sending, .leaseEnded): self = .pending
        case (.sending, .givenUp): self = .dead
        case (.pending, .cancelled): self = .dead
        case (.dead, .retriedByHuman): self = .pending
        default: return false
        }
        return true
    }
}
