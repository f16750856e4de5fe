/// Has a person answered for this version of a report?
///
/// One row a version. A draft's row moves; a signed version is a row of its own that names the row it replaces and
/// never changes again.
public enum ReportState: String, Sendable, Codable, CaseIterable {
    /// Written by the model, nobody answers for it. Exits: signed, rejected, superseded, withdrawn.
    case preliminary
    /// A named human answered: of a draft's row, that a signed version follows it; of a signed version's row, from its
    /// birth. No exit: a correction is a new row.
    case signed
    /// A named human refused the draft. No exit; late objects may bring a new draft.
    case rejected
    /// A newer draft came before anyone opened this one. No exit.
    case superseded
    /// Taken back without a decision: merge, cancelled order, identity in doubt. No exit.
    case withdrawn

    public enum Event: String, Sendable, CaseIterable {
        case opened, signed, rejected, newDraft, withdrawn
    }

    public enum Action: Sendable, Equatable {
        /// Note who looked and when, once.
        case noteOpened
        /// Write the signature and the version that carries it.
        case writeSignedVersion
        /// What has not left for a receiver stays here.
        case cancelUnsentDeliveries
        /// Write the new draft as the next version.
        case writeNextDraft
        /// Keep this version; note that the images changed after it.
        case keepAndFlag
    }

    /// Decides; performs nothing.
    ///
    /// - Parameter opened: somebody has looked at this version.
    /// - Returns: what else must happen, or nil when the event is illegal in this state; the state is then unchanged.
    public mutating func handle(_ event: Event, opened: Bool = false) -> [Action]? {
        switch (self, event) {
        case (.preliminary, .opened): return opened ? [] : [.noteOpened]
        case (.preliminary, .signed): self = .signed; return [.writeSignedVersion]
        case (.preliminary, .rejected): self = .rejected; return [.cancelUnsentDeliveries]
        case (.preliminary, .newDraft):
            if opened { return [.keepAndFlag] }
            self = .superseded
            return [.writeNextDraft]
        case (.preliminary, .withdrawn): self = .withdrawn; return [.cancelUnsentDeliveries]
        case (.signed, .opened), (.rejected, .opened), (.superseded, .opened), (.withdrawn, .opened): return []
        case (.signed, .signed): return [.writeSignedVersion]  // a correction
        case (.signed, .newDraft): return [.keepAndFlag]
        case (.rejected, .newDraft), (.withdrawn, .newDraft): return [.writeNextDraft]
        default: return nil
        }
    }
}
