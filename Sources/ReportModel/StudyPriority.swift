/// How soon a study is wanted: what Priority (0000,0700) of a C-STORE asked for, PS3.7 E.1, or a person since. Raw values are the queue's: larger is sooner.
public enum StudyPriority: Int, Sendable, Comparable, CaseIterable {
    /// Drafted when nothing else waits: reprocessing, prior films.
    case low = -1
    case medium = 0
    /// Drafted before and beside everything else: STAT.
    case high = 1

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
