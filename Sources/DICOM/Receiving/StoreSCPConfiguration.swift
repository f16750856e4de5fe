/// What the C-STORE SCP is told. All limits are checked when `StoreSCP` is made.
public struct StoreSCPConfiguration: Sendable {
    /// Who may send, under which name.
    public struct Peer: Sendable {
        public var aeTitle: String
        /// Whether an address literal (as `inet_ntop` writes it, IPv4-mapped addresses as IPv4) is this peer's.
        public var admits: @Sendable (_ address: String) -> Bool

        public init(aeTitle: String, admits: @escaping @Sendable (_ address: String) -> Bool) {
            self.aeTitle = aeTitle
            self.admits = admits
        }

        /// A peer with one address, an IPv4 or IPv6 literal in its usual form.
        public init(aeTitle: String, address: String) {
            self.init(aeTitle: aeTitle) { $0 == address }
        }
    }

    /// Our own AE title, 1...16 characters.
    public var aeTitle: String
    /// IPv4 or IPv6 literal.
    public var bindAddress = "127.0.0.1"
    /// 0 lets the system choose.
    public var port: UInt16 = 11112
    /// Empty: any calling AE title is taken, and `bindAddress` must be loopback.
    public var peers: [Peer] = []
    /// Beyond it an association is rejected with 2/3/2.
    public var maximumAssociations = 16
    /// From the TCP connection to the end of negotiation, in total.
    public var associationDeadline: Duration = .seconds(30)
    /// From the end of one message to the end of the next command, in total.
    public var idleDeadline: Duration = .seconds(60)
    /// For the data set of one object, in total.
    public var objectDeadline: Duration = .seconds(600)
    /// Bytes of one data set; a larger one is answered 0xA700.
    public var maximumObjectBytes: Int64 = 1 << 30
    /// Maximum Length Received (PS3.8 D.1), 4096...131072.
    public var maximumPDUBytes = 131_072
    /// How long `stop()` lets running C-STOREs finish.
    public var stopGrace: Duration = .seconds(10)
    /// After our last PDU (release, reject, abort), how long the peer has to read it and close.
    package var goodbyeGrace: Duration = .seconds(1)
    /// Told what happens, on any thread; must not block.
    public var onEvent: @Sendable (StoreSCPEvent) -> Void = { _ in }

    public init(aeTitle: String) {
        self.aeTitle = aeTitle
    }
}

/// Something to log. The message is constant, the metadata holds no patient data.
public struct StoreSCPEvent: Sendable {
    public enum Level: Sendable { case debug, info, warning, error }

    public var level: Level
    public var message: String
    /// Keys are dotted: `dicom.calling_ae`, `dicom.sop_instance_uid`.
    public var metadata: [String: String]
}
