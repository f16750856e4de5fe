/// What became of one message.
public enum DeliveryOutcome: Sendable, Equatable {
    /// Acknowledged by MSA-1 AA or CA (the code) for exactly this control ID.
    case delivered(code: String)
    /// AE or CE: the receiver refuses the content. A few retries, then a person must look. The text is the receiver's.
    case contentError(String)
    /// AR or CR, no connection, silence, or an answer that is none: retry with back-off. The message may have arrived.
    case receiverBusy(String)

    /// What the queue does about it.
    public enum Consequence: Sendable, Equatable {
        case done
        case retryFewTimes
        case retryWithBackOff
    }

    public var consequence: Consequence {
        switch self {
        case .delivered: .done
        case .contentError: .retryFewTimes
        case .receiverBusy: .retryWithBackOff
        }
    }

    /// For the delivery's row; nil when delivered. May hold the receiver's words: not for logs.
    public var failureText: String? {
        switch self {
        case .delivered: nil
        case .contentError(let text), .receiverBusy(let text): text
        }
    }
}
