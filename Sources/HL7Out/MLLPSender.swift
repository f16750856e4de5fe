/// Sends messages to one receiver, one at a time. Blocks the calling thread; any thread, calls are serialised.
public final class MLLPSender: Sendable {
    public init(
        host: String, port: Int, connectTimeout: Duration = .seconds(10), ackTimeout: Duration = .seconds(60),
        acknowledgement: ORUProfile.Acknowledgement = .original
    ) {}

    /// - Parameters:
    ///   - message: as `ORUMessage.encode` makes it.
    ///   - controlID: its MSH-10.
    public func send(_ message: [UInt8], controlID: String) -> DeliveryOutcome { .receiverBusy("not written yet") }

    /// Closes the connection; the next `send` opens another.
    public func close() {}
}
