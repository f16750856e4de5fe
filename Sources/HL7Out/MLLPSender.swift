public import ReportModel
import Synchronization

/// Sends messages to one receiver, one at a time. Blocks the calling thread; any thread, calls are serialised.
///
/// The connection is kept between messages. After a time-out, a framing error, garbage or an answer to something else
/// it is closed, so that a late acknowledgement is never credited to the next message. A kept connection that turns
/// out closed before any answer is opened again once, and the same message sent again, MSH-10 and all.
public final class MLLPSender: Sendable {
    private let connect: @Sendable (ContinuousClock.Instant) throws(StreamError) -> any ByteStream
    private let receiver: String
    private let connectTimeout: Duration
    private let ackTimeout: Duration
    private let acknowledgement: ORUProfile.Acknowledgement
    /// Held during a whole exchange.
    private let connection = Mutex<MLLPConnection?>(nil)
    /// What an exchange works on, for `close()` to interrupt it, and how often that was asked for.
    private let inUse = Mutex<(stream: (any ByteStream)?, closes: Int)>((nil, 0))

    /// - Parameters:
    ///   - connectTimeout: for the TCP connection over all addresses of the host.
    ///   - ackTimeout: for writing the message, and again from its last byte to each acknowledgement, in total.
    public convenience init(
        host: String, port: Int, connectTimeout: Duration = .seconds(10), ackTimeout: Duration = .seconds(60),
        acknowledgement: ORUProfile.Acknowledgement = .original
    ) {
        self.init(receiver: "\(host):\(port)", connectTimeout: connectTimeout, ackTimeout: ackTimeout, acknowledgement: acknowledgement) {
            deadline throws(StreamError) in
            try SocketStream.connect(host: host, port: port, by: deadline)
        }
    }

    package init(
        receiver: String, connectTimeout: Duration, ackTimeout: Duration, acknowledgement: ORUProfile.Acknowledgement,
        connect: @escaping @Sendable (ContinuousClock.Instant) throws(StreamError) -> any ByteStream
    ) {
        self.receiver = receiver
        self.connectTimeout = connectTimeout
        self.ackTimeout = ackTimeout
        self.acknowledgement = acknowledgement
        self.connect = connect
    }

    /// - Parameters:
    ///   - message: as `ORUMessage.encode` makes it.
    ///   - controlID: its MSH-10.
    /// - Returns: `.delivered` only for an acknowledgement whose MSA-2 is `controlID`, with MSA-1 AA, or CA where no AA
    ///   was asked for.
    public func send(_ message: [UInt8], controlID: String) -> DeliveryOutcome {
        let closes = inUse.withLock { $0.closes }
        return connection.withLock { connection in
            let outcome = exchange(message, controlID: controlID, on: &connection, unlessClosedAfter: closes)
            inUse.withLock { $0.stream = nil }
            return outcome
        }
    }

    /// Closes the connection; the next `send` opens another. An exchange in another thread ends as `.receiverBusy`.
    public func close() {
        inUse.withLock {
            $0.closes += 1
            $0.stream?.interrupt()
        }
        connection.withLock {
            $0?.stream.close()
            $0 = nil
        }
    }

    private func exchange(
        _ message: [UInt8], controlID: String, on connection: inout MLLPConnection?, unlessClosedAfter closes: Int
    ) -> DeliveryOutcome {
        if let kept = connection, !kept.isQuiet() {
            // Closed by the receiver, or something came that nobody asked for.
            kept.stream.close()
            connection = nil
        }
        var mayReconnect = connection != nil
        while true {
            let current: MLLPConnection
            if let kept = connection {
                current = kept
            } else {
                guard inUse.withLock({ $0.closes == closes }) else { return .receiverBusy("\(receiver): sending was stopped") }
                do throws(StreamError) {
                    current = MLLPConnection(try connect(.now + connectTimeout))
                } catch {
                    return .receiverBusy("cannot connect to \(receiver): \(error)")
                }
            }
            connection = current
            let isWanted = inUse.withLock { inUse in
                inUse.stream = current.stream
                return inUse.closes == closes
            }
            guard isWanted else { return .receiverBusy("\(receiver): sending was stopped") }
            do throws(MLLPConnection.Failure) {
                let outcome = try current.exchange(message, controlID: controlID, timeout: ackTimeout, acknowledgement: acknowledgement)
                if !current.isReusable {
                    current.stream.close()
                    connection = nil
                }
                return outcome
            } catch {
                current.stream.close()
                connection = nil
                if mayReconnect, error == .closedBeforeAnswer {
                    mayReconnect = false
                    continue
                }
                return .receiverBusy("\(receiver): \(error)")
            }
        }
    }
}
