public import Foundation
public import ReportModel

/// One object that a peer sent, durable in the spool: file and directories are fsynced.
public struct ReceivedObject: Sendable {
    /// Relative to the state directory: `objects/2026/11/22/<uuid>.dcm`. A Part 10 file of ours around the sender's bytes.
    public var path: String
    /// Size of the file.
    public var bytes: Int64
    /// SHA-256 of the data set exactly as received (without file meta information), lower-case hex: two objects
    /// with the same SOP Instance UID are the same object when this and the transfer syntax agree.
    public var dataSetSHA256: String
    public var study: StudyDescription
    public var instance: InstanceDescription
    /// What was odd in the data set; the object is stored all the same.
    public var flags: Set<DataSetFlag>
    /// What the peer asked for in the command.
    public var priority: StudyPriority
    /// As the peer wrote it, without padding; bytes that are not printable ASCII as `\xHH`.
    public var callingAETitle: String
    public var calledAETitle: String
    /// The peer's address from the socket, a literal.
    public var peerAddress: String
    public var receivedAt: Date

    public init(
        path: String, bytes: Int64, dataSetSHA256: String, study: StudyDescription, instance: InstanceDescription,
        flags: Set<DataSetFlag>, priority: StudyPriority = .medium, callingAETitle: String, calledAETitle: String, peerAddress: String,
        receivedAt: Date
    ) {
        self.path = path
        self.bytes = bytes
        self.dataSetSHA256 = dataSetSHA256
        self.study = study
        self.instance = instance
        self.flags = flags
        self.priority = priority
        self.callingAETitle = callingAETitle
        self.calledAETitle = calledAETitle
        self.peerAddress = peerAddress
        self.receivedAt = receivedAt
    }
}

/// An object that was answered with something else than success, and of which nothing is kept.
public struct RefusedObject: Sendable {
    public var status: StoreStatus
    /// A constant sentence, possibly with sizes or UIDs; never patient data.
    public var reason: String
    /// From the command set.
    public var sopClassUID: String
    public var sopInstanceUID: String
    public var callingAETitle: String
    public var peerAddress: String
}

/// An association that was refused before anything was sent on it.
public struct RejectedAssociation: Sendable {
    /// PS3.8 Table 9-21; nil when the connection was aborted instead, because the request was malformed or too late.
    public var result: AssociationRejection?
    /// A constant sentence.
    public var reason: String
    /// Empty when the request could not be read.
    public var callingAETitle: String
    public var calledAETitle: String
    public var peerAddress: String

    package init(result: AssociationRejection?, reason: String, callingAETitle: String, calledAETitle: String, peerAddress: String) {
        self.result = result
        self.reason = reason
        self.callingAETitle = callingAETitle
        self.calledAETitle = calledAETitle
        self.peerAddress = peerAddress
    }
}

/// Result, source and reason of an A-ASSOCIATE-RJ: PS3.8 Table 9-21.
public struct AssociationRejection: Sendable, Hashable, CustomStringConvertible {
    public let result: UInt8
    public let source: UInt8
    public let reason: UInt8

    package init(result: UInt8, source: UInt8, reason: UInt8) {
        self.result = result
        self.source = source
        self.reason = reason
    }

    /// Permanent, service user, called AE title not recognized.
    public static let calledAETitleNotRecognized = Self(result: 1, source: 1, reason: 7)
    /// Permanent, service user, calling AE title not recognized: also a known title from a foreign address.
    public static let callingAETitleNotRecognized = Self(result: 1, source: 1, reason: 3)
    /// Permanent, service user, application context name not supported.
    public static let applicationContextNotSupported = Self(result: 1, source: 1, reason: 2)
    /// Permanent, service provider (ACSE), protocol version not supported.
    public static let protocolVersionNotSupported = Self(result: 1, source: 2, reason: 2)
    /// Transient, service provider (presentation), local limit exceeded.
    public static let localLimitExceeded = Self(result: 2, source: 3, reason: 2)

    public var description: String { "\(result)/\(source)/\(reason)" }
}

/// What the daemon does with objects. Called on the association's own thread, several at once: every call may block.
public protocol ReceivedObjectHandler: Sendable {
    /// Asked for every durable object. Returns `.success` only when the queue's row is committed: the peer's copy may be
    /// gone a moment later. From here on the file is the handler's: of an object it refuses, and of a duplicate, it removes
    /// the file (`Spool.remove`), but only once it is sure that no row names it.
    func objectReceived(_ object: ReceivedObject) -> StoreStatus

    /// Told after an object was refused; nothing of it is left.
    func objectRefused(_ refusal: RefusedObject)

    /// Told after an association was refused.
    func associationRejected(_ rejection: RejectedAssociation)
}
