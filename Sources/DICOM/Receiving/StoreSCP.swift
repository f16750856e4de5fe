internal import CDCMTK
internal import Dispatch
internal import Foundation
import Glibc
import Synchronization

/// The C-ECHO and C-STORE SCP.
///
/// One thread accepts and waits for nobody; every association has a thread of its own (`AssociationService`). An object
/// is answered 0x0000 only when it is durable in the spool and the handler has committed it.
public final class StoreSCP: Sendable {
    private let configuration: StoreSCPConfiguration
    private let spool: Spool
    private let handler: any ReceivedObjectHandler
    private let state = Mutex(State())
    /// Entered by every thread of this SCP.
    private let threads = DispatchGroup()

    /// Connections that have not negotiated yet: they must not take the places of those that have.
    private static let maximumPending = 64

    private struct State {
        var hasStarted = false
        var isStopping = false
        /// Closing it wakes everybody who waits with the reading end as interrupt.
        var interruptWriter: Int32 = -1
        var interruptReader: Int32 = -1
        var nextConnection = 0
        var connections: [Int: Int32] = [:]
        var negotiated = 0
    }

    /// - Throws: `ReceivingError.configuration` for a value outside its range, and when there are no peers but others than
    ///   this machine could connect.
    public init(
        configuration: StoreSCPConfiguration, spool: Spool, handler: any ReceivedObjectHandler
    ) throws(ReceivingError) {
        try configuration.validate()
        self.configuration = configuration
        self.spool = spool
        self.handler = handler
    }

    /// Opens the port and returns its number.
    ///
    /// - Throws: `cannotListen`, `alreadyStarted`.
    public func start() throws(ReceivingError) -> UInt16 {
        cdcmtk_initialize()
        let listening = try ListeningSocket(address: configuration.bindAddress, port: configuration.port)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .cannotListen(address: configuration.bindAddress, port: configuration.port, call: "pipe", errno: errno)
        }
        let (reader, writer) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let isFirst = state.withLock { state in
            guard !state.hasStarted, !state.isStopping else { return false }
            state.hasStarted = true
            state.interruptReader = reader
            state.interruptWriter = writer
            return true
        }
        guard isFirst else {
            for end in ends { close(end) }
            throw .alreadyStarted
        }
        let port = listening.port
        let box = ListeningBox(listening)
        startThread("dicom-accept") { [self] in acceptLoop(box.socket, interrupt: reader) }
        return port
    }

    /// Stops accepting, ends idle associations, lets running C-STOREs finish for `stopGrace`, then cuts them off. Returns
    /// when no thread of this SCP runs any more, or one that hangs in the handler has been waited for in vain.
    public func stop() {
        let writer = state.withLock { state in
            state.isStopping = true
            defer { state.interruptWriter = -1 }
            return state.interruptWriter
        }
        guard writer >= 0 else { return }
        close(writer)
        if threads.wait(timeout: .now() + configuration.stopGrace.timeInterval) == .timedOut {
            state.withLock { state in
                // Each descriptor is still open: its thread takes it off this list before closing it.
                for descriptor in state.connections.values { shutdown(descriptor, Int32(SHUT_RDWR)) }
            }
            if threads.wait(timeout: .now() + 10) == .timedOut {
                configuration.onEvent(
                    StoreSCPEvent(level: .error, message: "an association did not end at shutdown", metadata: [:]))
                return  // the reading end stays open: somebody may still wait for it
            }
        }
        close(state.withLock { $0.interruptReader })
    }

    // MARK: - Threads

    /// Hands the listening socket to its thread.
    private final class ListeningBox: Sendable {
        let socket: ListeningSocket
        init(_ socket: consuming ListeningSocket) { self.socket = socket }
    }

    private func acceptLoop(_ listening: borrowing ListeningSocket, interrupt: Int32) {
        while true {
            switch listening.next(interrupt: interrupt) {
            case .interrupted:
                return
            case .failed(let number):
                configuration.onEvent(
                    StoreSCPEvent(
                        level: .error, message: "a connection could not be accepted",
                        metadata: ["error": SystemError.text(number)]))
            case .connection(let descriptor, let address):
                admit(descriptor, address, interrupt: interrupt)
            }
        }
    }

    private func admit(_ descriptor: Int32, _ address: String, interrupt: Int32) {
        let identifier: Int? = state.withLock { state in
            guard !state.isStopping, state.connections.count - state.negotiated < Self.maximumPending else { return nil }
            state.nextConnection += 1
            state.connections[state.nextConnection] = descriptor
            return state.nextConnection
        }
        guard let identifier else {
            // No thread is spent on a flood.
            close(descriptor)
            configuration.onEvent(
                StoreSCPEvent(
                    level: .warning, message: "a connection was closed: too many wait for negotiation",
                    metadata: ["dicom.peer": address]))
            return
        }
        startThread("dicom-\(identifier)") { [self] in
            let socket = PeerSocket(taking: descriptor, goodbyeGrace: configuration.goodbyeGrace)
            let service = AssociationService(
                configuration: configuration, spool: spool, handler: handler, peerAddress: address, interrupt: interrupt,
                slots: AssociationService.Slots(take: takeSlot, give: giveSlot))
            service.run(on: socket)
            state.withLock { _ = $0.connections.removeValue(forKey: identifier) }
            _ = consume socket
        }
    }

    private func takeSlot() -> Bool {
        state.withLock { state in
            guard state.negotiated < configuration.maximumAssociations else { return false }
            state.negotiated += 1
            return true
        }
    }

    private func giveSlot() {
        state.withLock { $0.negotiated -= 1 }
    }

    private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        threads.enter()
        let thread = Thread { [threads] in
            body()
            threads.leave()
        }
        thread.name = name
        thread.stackSize = 2 << 20
        thread.start()
    }
}

extension StoreSCPConfiguration {
    fileprivate func validate() throws(ReceivingError) {
        guard Self.isAETitle(aeTitle) else {
            throw .configuration(
                "[dicom] ae_title = \"\(aeTitle)\" is no AE title; use 1 to 16 printable characters without backslash")
        }
        for peer in peers where !Self.isAETitle(peer.aeTitle) {
            throw .configuration(
                "[[dicom.peer]] ae_title = \"\(peer.aeTitle)\" is no AE title; use 1 to 16 printable characters without backslash")
        }
        guard !peers.isEmpty || bindAddress.hasPrefix("127.") || bindAddress == "::1" else {
            throw .configuration(
                "[dicom] bind = \"\(bindAddress)\" lets other machines connect, but no [[dicom.peer]] says who may; "
                    + "add peers, or bind to 127.0.0.1")
        }
        guard (1...1000).contains(maximumAssociations) else {
            throw .configuration("[dicom] max_associations = \(maximumAssociations) is outside 1...1000")
        }
        guard (4096...131_072).contains(maximumPDUBytes) else {
            throw .configuration("[dicom] max_pdu = \(maximumPDUBytes) is outside 4096...131072")
        }
        guard maximumObjectBytes >= 1 << 20 else {
            throw .configuration("[dicom] max_object_size = \(maximumObjectBytes) is below 1 MiB")
        }
        guard associationDeadline > .zero, idleDeadline > .zero, objectDeadline > .zero else {
            throw .configuration("[dicom] time-outs must be longer than zero")
        }
    }

    private static func isAETitle(_ title: String) -> Bool {
        (1...16).contains(title.utf8.count) && title.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x5C }
            && title.utf8.first != 0x20 && title.utf8.last != 0x20
    }
}

extension Duration {
    var timeInterval: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
