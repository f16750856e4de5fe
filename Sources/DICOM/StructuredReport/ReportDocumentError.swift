/// Why no document was made of a report. Trying again makes none either: a human must look.
public enum ReportDocumentError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The report contradicts itself: for example final without a signature.
    case inconsistent(String)
    /// DCMTK refused an item; `what` names it.
    case refused(what: String, reason: String)

    public var description: String {
        switch self {
        case .inconsistent(let what): "no SR is made of this report: \(what)"
        case .refused(let what, let reason): "no SR is made of this report: \(what): \(reason)"
        }
    }
}
