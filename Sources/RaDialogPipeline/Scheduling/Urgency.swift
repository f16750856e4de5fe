/// Who gets the processor first.
public enum Urgency: Int, Sendable, Comparable, CaseIterable {
    /// A person waits for the answer.
    case dialogue
    /// A draft of a study that was sent as urgent.
    case stat
    case routine
    /// Drafts that nobody waits for: what is left of the processor.
    case batch

    public static func < (left: Urgency, right: Urgency) -> Bool { left.rawValue < right.rawValue }
}
