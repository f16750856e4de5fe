/// Why an object was not stored. Each knows its consequence.
public enum StoreSCUError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No connection: name not resolved, refused, or no route.
    case unreachable(String)
    /// A-ASSOCIATE-RJ: PS3.8 Table 9-21. `result` 1 is permanent, 2 transient.
    case rejected(result: Int, source: Int, reason: Int)
    /// The peer accepted the association but not this SOP class in a transfer syntax of ours.
    case noPresentationContext(sopClassUID: String)
    /// C-STORE-RSP with a failure status: PS3.4 Table B.2-1.
    case failureStatus(UInt16)
    /// The peer aborted, or the connection ended before the response: stored or not is unknown, so it is sent again.
    case connectionLost(String)
    /// The total deadline ran out.
    case timedOut(after: Duration)
    /// The bytes are not an object we can send: our defect, not the peer's.
    case invalidObject(String)

    /// What the delivery should do now.
    public enum Consequence: Sendable, Equatable {
        /// The same object again, later.
        case retry
        /// Trying again gives the same answer: a human must look.
        case giveUp
    }

    public var consequence: Consequence {
        switch self {
        case .unreachable, .connectionLost, .timedOut: .retry
        // Result 2 is transient. Of the permanent ones, the AE titles are configuration at either end: a human.
        case .rejected(let result, _, _): result == 2 ? .retry : .giveUp
        case .noPresentationContext, .invalidObject: .giveUp
        // A7xx: out of resources now. All others judge the object.
        case .failureStatus(let status): status & 0xFF00 == 0xA700 ? .retry : .giveUp
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let what): "no connection: \(what)"
        case .rejected(let result, let source, let reason):
            "association rejected: result \(result), source \(source), reason \(reason) (\(Self.rejection(source: source, reason: reason)))"
        case .noPresentationContext(let uid): "the peer does not accept SOP class \(uid)"
        case .failureStatus(let status): "the peer answered status 0x" + Self.hex(status)
        case .connectionLost(let what): "the connection ended before the response: \(what)"
        case .timedOut(let limit): "no response within \(limit)"
        case .invalidObject(let what): "the object cannot be sent: \(what)"
        }
    }

    private static func hex(_ status: UInt16) -> String {
        let digits = String(status, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// PS3.8 Table 9-21.
    private static func rejection(source: Int, reason: Int) -> String {
        switch (source, reason) {
        case (1, 2): "application context not supported"
        case (1, 3): "calling AE title not recognized: register ours at the peer"
        case (1, 7): "called AE title not recognized: check ae_title of the destination"
        case (2, 2): "protocol version not supported"
        case (3, 1): "temporary congestion"
        case (3, 2): "local limit exceeded"
        default: "no reason given"
        }
    }
}
