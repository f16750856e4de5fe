internal import CDCMTK
import Glibc

/// The acceptor's side of an association over the shim. Used by one thread. C names stop here.
struct Association: ~Copyable {
    private let handle: OpaquePointer

    /// How an association ends, or what went wrong on it.
    enum End: Error, Equatable {
        case released
        case abortedByPeer
        /// The peer closed the connection without a word.
        case closedByPeer
        case deadline
        /// `interrupt` became readable: the SCP is being stopped.
        case interrupted
        /// A PDU that PS3.8 does not allow, or a fault of this machine; the text is DCMTK's or ours.
        case failed(String)
    }

    /// What a wait ends at.
    struct Wait {
        var deadline: ContinuousClock.Instant
        /// A descriptor; nil: none.
        var interrupt: Int32?

        fileprivate var shim: cdcmtk_wait {
            let left = deadline - .now
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            let now = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
            // A wait longer than a year is endless for a socket.
            let seconds = min(left.components.seconds, 31_536_000)
            return cdcmtk_wait(
                deadline: now + seconds * 1_000_000_000 + left.components.attoseconds / 1_000_000_000,
                interrupt: interrupt ?? -1)
        }
    }

    /// Hands a checked request to DCMTK. The socket stays the caller's.
    init(socket: Int32, request: [UInt8], maximumPDUBytes: Int, wait: Wait) throws(End) {
        var handle: OpaquePointer?
        var error = cdcmtk_error()
        let status = cdcmtk_association_receive(
            socket, request, request.count, UInt32(clamping: maximumPDUBytes), wait.shim, &handle, &error)
        guard status == CDCMTK_OK, let handle else { throw Self.end(status, error) }
        self.handle = handle
    }

    deinit { cdcmtk_association_free(handle) }

    /// Answers a proposed presentation context.
    func answer(_ id: UInt8, _ answer: AcceptedServices.Answer) throws(End) {
        var error = cdcmtk_error()
        let status =
            switch answer {
            case .accepted(let transferSyntax):
                cdcmtk_association_accept_context(handle, id, transferSyntax, &error)
            case .abstractSyntaxNotSupported:
                cdcmtk_association_refuse_context(
                    handle, id, UInt8(CDCMTK_CONTEXT_ABSTRACT_SYNTAX_NOT_SUPPORTED), &error)
            case .transferSyntaxesNotSupported:
                cdcmtk_association_refuse_context(
                    handle, id, UInt8(CDCMTK_CONTEXT_TRANSFER_SYNTAXES_NOT_SUPPORTED), &error)
            }
        guard status == CDCMTK_OK else { throw Self.end(status, error) }
    }

    /// Sends A-ASSOCIATE-AC.
    func acknowledge() throws(End) {
        var error = cdcmtk_error()
        let status = cdcmtk_association_acknowledge(handle, &error)
        guard status == CDCMTK_OK else { throw Self.end(status, error) }
    }

    /// One presentation data value; `bytes` are valid during the call of `body` only.
    struct PDV {
        var presentationContextID: UInt8
        var isCommand: Bool
        var isLast: Bool
        var bytes: UnsafeRawBufferPointer
    }

    func withNextPDV<Value>(_ wait: Wait, _ body: (PDV) -> Value) throws(End) -> Value {
        var pdv = cdcmtk_pdv()
        var error = cdcmtk_error()
        let status = cdcmtk_association_next_pdv(handle, wait.shim, &pdv, &error)
        guard status == CDCMTK_OK else { throw Self.end(status, error) }
        return body(
            PDV(
                presentationContextID: pdv.presentation_context_id, isCommand: pdv.is_command != 0,
                isLast: pdv.is_last != 0, bytes: UnsafeRawBufferPointer(start: pdv.bytes, count: pdv.count)))
    }

    func send(command: [UInt8], on presentationContextID: UInt8, _ wait: Wait) throws(End) {
        var error = cdcmtk_error()
        let status = cdcmtk_association_send_command(
            handle, presentationContextID, command, command.count, wait.shim, &error)
        guard status == CDCMTK_OK else { throw Self.end(status, error) }
    }

    private static func end(_ status: cdcmtk_status, _ error: cdcmtk_error) -> End {
        switch status {
        case CDCMTK_PEER_RELEASED: return .released
        case CDCMTK_PEER_ABORTED: return .abortedByPeer
        case CDCMTK_PEER_CLOSED: return .closedByPeer
        case CDCMTK_TIMED_OUT: return .deadline
        case CDCMTK_INTERRUPTED: return .interrupted
        default:
            return .failed(withUnsafeBytes(of: error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
    }
}
