internal import CDCMTK

/// Sends finished documents to an archive: one association for each, because reports are small and rare.
public struct StoreSCU: Sendable {
    /// What the archive said of an object that it stored.
    public struct Receipt: Sendable, Equatable {
        /// 0x0000, or a warning: 0xB000, 0xB006, 0xB007 (PS3.4 Table B.2-1), 0x0107 or 0x0116 (PS3.7 Annex C).
        public var status: UInt16
        public var isWarning: Bool { status != 0 }
    }

    public struct TimeOuts: Sendable, Equatable {
        /// Until the TCP connection stands.
        public var connect: Duration
        /// From the call to the response. Every byte a slow peer takes counts against it.
        public var total: Duration

        public init(connect: Duration = .seconds(10), total: Duration = .seconds(60)) {
            self.connect = connect
            self.total = total
        }
    }

    public var host: String
    public var port: UInt16
    public var callingAETitle: String
    public var calledAETitle: String
    public var timeOuts: TimeOuts

    public init(host: String, port: UInt16, callingAETitle: String, calledAETitle: String, timeOuts: TimeOuts = TimeOuts()) {
        self.host = host
        self.port = port
        self.callingAETitle = callingAETitle
        self.calledAETitle = calledAETitle
        self.timeOuts = timeOuts
    }

    /// C-STOREs one Part 10 object. Blocks: call it off the cooperative pool. Any thread.
    ///
    /// - Returns: only once the peer answered success or a warning (the object is stored then, PS3.4 B.2.3).
    /// - Throws: everything else; see `StoreSCUError.consequence`.
    @discardableResult
    public func send(_ part10: [UInt8]) throws(StoreSCUError) -> Receipt {
        cdcmtk_initialize()
        var outcome = cdcmtk_store_outcome()
        var error = cdcmtk_error()
        let status = host.withCString { host in
            callingAETitle.withCString { calling in
                calledAETitle.withCString { called in
                    var destination = cdcmtk_store_destination(
                        host: host, port: port, calling_ae_title: calling, called_ae_title: called,
                        connect_milliseconds: Self.milliseconds(timeOuts.connect),
                        total_milliseconds: Self.milliseconds(timeOuts.total))
                    return part10.withUnsafeBufferPointer { bytes -> cdcmtk_status in
                        guard let base = bytes.baseAddress else {
                            error.code = CDCMTK_INVALID_INPUT
                            return CDCMTK_INVALID_INPUT
                        }
                        return cdcmtk_store_send(&destination, base, bytes.count, &outcome, &error)
                    }
                }
            }
        }
        guard status == CDCMTK_OK else { throw failure(status, outcome, error) }
        switch outcome.dimse_status {
        case 0x0000, 0xB000...0xBFFF, 0x0107, 0x0116: return Receipt(status: outcome.dimse_status)
        case let status: throw .failureStatus(status)
        }
    }

    private func failure(_ status: cdcmtk_status, _ outcome: cdcmtk_store_outcome, _ error: cdcmtk_error) -> StoreSCUError {
        let text = error.message
        switch status {
        case CDCMTK_PEER_REFUSED where outcome.no_presentation_context != 0:
            return .noPresentationContext(sopClassUID: text)
        case CDCMTK_PEER_REFUSED:
            return .rejected(
                result: Int(outcome.reject_result), source: Int(outcome.reject_source), reason: Int(outcome.reject_reason))
        case CDCMTK_UNREACHABLE: return .unreachable(text)
        case CDCMTK_TIMED_OUT: return .timedOut(after: timeOuts.total)
        case CDCMTK_INVALID_INPUT, CDCMTK_UNSUPPORTED: return .invalidObject(text)
        default: return .connectionLost(text)
        }
    }

    private static func milliseconds(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        let total = seconds.multipliedReportingOverflow(by: 1000)
        return UInt32(clamping: total.overflow ? Int64.max : total.partialValue + attoseconds / 1_000_000_000_000_000)
    }
}
