/// What a walk over the audit trail found.
public struct AuditVerification: Sendable, Equatable {
    public enum Fault: Sendable, Equatable {
        /// The row's content is not what its hash was made from.
        case rowChanged(Int64)
        /// The row does not continue the one before it: something was put in, taken out or moved here.
        case chainBroken(at: Int64)
        case rowsMissing(after: Int64, before: Int64)
        /// The trail ends before (or not at) the noted head.
        case truncated(last: Int64, head: Int64)
        /// The row is not the one that was noted elsewhere: the chain was made anew.
        case anchorDiffers(Int64)
    }

    public var rows: Int64
    public var head: AuditHead
    /// At most `faultLimit` of them, in the order of the trail.
    public var faults: [Fault]

    public static let faultLimit = 100
    public var isIntact: Bool { faults.isEmpty }

    mutating func note(_ fault: Fault) {
        if faults.count < Self.faultLimit { faults.append(fault) }
    }
}

extension AuditVerification.Fault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .rowChanged(let row): "row \(row) was changed"
        case .chainBroken(let row): "row \(row) does not continue the one before it"
        case .rowsMissing(let after, let before): "rows between \(after) and \(before) are missing"
        case .truncated(let last, let head): "the trail ends at row \(last), but its head says \(head)"
        case .anchorDiffers(let row): "row \(row) is not the one that was noted"
        }
    }
}
