/// Why a file gave no radiograph. Every case names the reason; none holds patient data.
///
/// `reasonCode` is a stable word for the database and for `NoDraftReason.undecodable`'s detail.
public enum DecodeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file could not be opened (errno).
    case unreadable(path: String, errno: Int32)
    /// The child could not be started (errno of posix_spawn or pipe).
    case cannotStart(executable: String, errno: Int32)
    /// The child looked at the file and refused it: a code word and a sentence, both from the child.
    case refused(code: String, text: String)
    /// The child died of a signal of its own making: a defect in a codec met hostile or damaged data.
    case crashed(signal: Int32)
    /// The child was killed: its CPU limit, the kernel's memory killer, or an operator.
    case killed(signal: Int32)
    /// The child ran past the wall clock and was killed.
    case timedOut(after: Duration)
    /// The child ended with a status that is neither success nor a refusal.
    case failed(exitStatus: Int32, text: String)
    /// What the child wrote is not a frame: the parent trusts the child no more than the file.
    case malformedAnswer(String)
    /// The child wrote more than the frame it promised.
    case oversizedAnswer

    /// Stable, lower case, no blanks: stored with the study.
    public var reasonCode: String {
        switch self {
        case .unreadable: "unreadable-file"
        case .cannotStart: "decoder-not-started"
        case .refused(let code, _): code
        case .crashed: "decoder-crashed"
        case .killed: "decoder-killed"
        case .timedOut: "decoder-timed-out"
        case .failed: "decoder-failed"
        case .malformedAnswer: "decoder-answer-malformed"
        case .oversizedAnswer: "decoder-answer-oversized"
        }
    }

    /// Whether the fault lies with this machine, not with the file: the same file may decode later.
    public var isTransient: Bool {
        switch self {
        case .unreadable, .cannotStart, .timedOut, .killed: true
        case .refused, .crashed, .failed, .malformedAnswer, .oversizedAnswer: false
        }
    }

    public var description: String {
        switch self {
        case .unreadable(let path, let errno): "cannot open \(path) for decoding: errno \(errno)"
        case .cannotStart(let executable, let errno):
            "cannot start the decoder \(executable): errno \(errno); check that it is installed beside the daemon and executable"
        case .refused(let code, let text): "\(code): \(text)"
        case .crashed(let signal): "the decoder died of signal \(signal)"
        case .killed(let signal): "the decoder was killed by signal \(signal): CPU limit, memory shortage, or an operator"
        case .timedOut(let limit): "the decoder was killed after \(limit)"
        case .failed(let status, let text): "the decoder ended with status \(status): \(text)"
        case .malformedAnswer(let what): "the decoder's answer is malformed: \(what)"
        case .oversizedAnswer: "the decoder wrote more than the frame it promised"
        }
    }
}
