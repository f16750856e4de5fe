/// One thing that happened, as the audit trail keeps it. Names no patient: UIDs, user names, destinations and codes only.
/// Source: PS3.15 A.5 (message), PS3.16 CID 400 (codes).
public struct AuditEvent: Sendable, Equatable {
    /// Event ID, coding scheme DCM.
    public enum Code: String, Sendable, CaseIterable {
        case applicationActivity = "110100"
        case auditLogUsed = "110101"
        case instancesTransferred = "110104"
        case export = "110106"
        case patientRecord = "110110"
        case procedureRecord = "110111"
        case query = "110112"
        case securityAlert = "110113"
        case userAuthentication = "110114"
    }

    /// Event Action Code.
    public enum Action: String, Sendable {
        case create = "C"
        case read = "R"
        case update = "U"
        case delete = "D"
        case execute = "E"
    }

    /// Event Outcome Indicator.
    public enum Outcome: Int, Sendable {
        case success = 0
        case minorFailure = 4
        case seriousFailure = 8
        case majorFailure = 12
    }

    public var code: Code
    /// What exactly, in one of our own hyphenated words: "daemon-start", "association-rejected", "draft-signed".
    public var type: String
    public var action: Action
    public var outcome: Outcome
    /// A user's login name, an AE title with its address, or "radialogd".
    public var actor: String
    public var studyInstanceUID: String
    /// What it was done to, beside the study: "version 2", "sop 1.2.3", "destination RIS".
    public var object: String
    public var detail: String

    public init(
        code: Code, type: String, action: Action, outcome: Outcome = .success, actor: String, studyInstanceUID: String = "",
        object: String = "", detail: String = ""
    ) {
        self.code = code
        self.type = type
        self.action = action
        self.outcome = outcome
        self.actor = actor
        self.studyInstanceUID = studyInstanceUID
        self.object = object
        self.detail = detail
    }

    /// What the program does by itself is done by this actor.
    public static let daemon = "radialogd"
}
