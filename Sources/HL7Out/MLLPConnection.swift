internal import ReportModel
import Synchronization

/// One open connection to a receiver, and the exchange of one message on it.
final class MLLPConnection: Sendable {
    /// Why an exchange ended without an acknowledgement that counts. The connection is closed after each of them.
    enum Failure: Error, Equatable, CustomStringConvertible {
        /// The receiver closed before a byte of an answer came.
        case closedBeforeAnswer
        case closedDuringAnswer
        case stream(StreamError)
        case framing(MLLPFramer.FramingError)
        case notAnAcknowledgement(HL7Error)
        case answersAnother
        case onlyCommitted

        var description: String {
            switch self {
            case .closedBeforeAnswer: "the connection was closed before an acknowledgement came"
            case .closedDuringAnswer: "the connection was closed within an acknowledgement"
            case .stream(.timeOut): "no acknowledgement in time"
            case .stream(let error): "\(error)"
            case .framing(.garbage): "the answer is not framed as MLLP"
            case .framing(.tooLong(let limit)): "the answer has more than \(limit) bytes"
            case .notAnAcknowledgement(let error): "the answer is no acknowledgement: \(error)"
            case .answersAnother: "the acknowledgement is for another message (MSA-2 is not our MSH-10)"
            case .onlyCommitted: "a commit acknowledgement came, but no application acknowledgement in time"
            }
        }
    }

    let stream: any ByteStream
    private let state = Mutex(State())

    private struct State {
        var framer = MLLPFramer(limit: HL7Message.Limits.acknowledgement.bytes)
    }

    init(_ stream: any ByteStream) { self.stream = stream }

    /// Nothing is left over from the exchange that ended.
    var isReusable: Bool { state.withLock { $0.framer.isIdle } }

    /// Whether nothing has come since: neither an end nor bytes.
    func isQuiet() -> Bool {
        do throws(StreamError) {
            _ = try stream.read(by: .now)
            return false
        } catch {
            return error == .timeOut
        }
    }

    /// Sends `message` and waits for what acknowledges it.
    func exchange(
        _ message: [UInt8], controlID: String, timeout: Duration, acknowledgement mode: ORUProfile.Acknowledgement
    ) throws(Failure) -> DeliveryOutcome {
        do throws(StreamError) {
            try stream.write(MLLPFramer.framed(message), by: .now + timeout)
        } catch {
            throw error == .timeOut ? .stream(error) : .closedBeforeAnswer
        }
        var isCommitted = false
        while true {
            let answer: Acknowledgement
            do throws(Failure) {
                answer = try nextAcknowledgement(by: .now + timeout, isFirst: !isCommitted)
            } catch {
                throw isCommitted && error == .stream(.timeOut) ? .onlyCommitted : error
            }
            guard answer.controlID == controlID else { throw .answersAnother }
            switch answer.code {
            case .applicationAccept:
                if isCommitted, answer.wantsAnswer { confirm(answer, timeout: timeout) }
                return .delivered(code: answer.code.rawValue)
            case .commitAccept:
                // A receiver in the original mode that says CA means that it has taken the message.
                guard mode == .enhanced else { return .delivered(code: answer.code.rawValue) }
                isCommitted = true
            case .applicationError, .commitError:
                if isCommitted, answer.wantsAnswer { confirm(answer, timeout: timeout) }
                return .contentError("\(answer.code.rawValue)\(answer.text.isEmpty ? " without a text" : ": \(answer.text)")")
            case .applicationReject, .commitReject:
                return .receiverBusy("\(answer.code.rawValue)\(answer.text.isEmpty ? " without a text" : ": \(answer.text)")")
            }
        }
    }

    private func nextAcknowledgement(by deadline: ContinuousClock.Instant, isFirst: Bool) throws(Failure) -> Acknowledgement {
        var hasBegun = !isFirst
        while true {
            if let frame = state.withLock({ $0.framer.next() }) {
                do throws(HL7Error) {
                    return try Acknowledgement(frame)
                } catch {
                    throw .notAnAcknowledgement(error)
                }
            }
            let bytes: [UInt8]
            do throws(StreamError) {
                bytes = try stream.read(by: deadline)
            } catch {
                // A reset is a close without manners.
                if case .failed = error, !hasBegun { throw .closedBeforeAnswer }
                throw .stream(error)
            }
            guard !bytes.isEmpty else { throw hasBegun ? .closedDuringAnswer : .closedBeforeAnswer }
            hasBegun = true
            do throws(MLLPFramer.FramingError) {
                try state.withLock { state throws(MLLPFramer.FramingError) in try state.framer.receive(bytes) }
            } catch {
                throw .framing(error)
            }
        }
    }

    /// The commit acknowledgement that an application acknowledgement may ask for. Ours is acknowledged already: if it
    /// cannot be written, the next exchange finds the connection closed.
    private func confirm(_ answer: Acknowledgement, timeout: Duration) {
        do throws(StreamError) {
            try stream.write(MLLPFramer.framed(Acknowledgement.commitAccept(of: answer.ownControlID)), by: .now + timeout)
        } catch {
            stream.interrupt()
        }
    }
}
