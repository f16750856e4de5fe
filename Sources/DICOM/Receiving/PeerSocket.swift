import Glibc

/// A connected socket of ours: what is said on it before and after DCMTK, each within a total deadline.
struct PeerSocket: ~Copyable {
    let descriptor: Int32
    private let goodbyeGrace: Duration

    /// - Parameter goodbyeGrace: how long a peer has to read our last PDU and close.
    init(taking descriptor: Int32, goodbyeGrace: Duration) {
        self.descriptor = descriptor
        self.goodbyeGrace = goodbyeGrace
        // DCMTK writes a PDU in two pieces; without this the second waits for the first one's acknowledgement.
        var on: Int32 = 1
        _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    enum Failure: Error { case closed, deadline, interrupted }

    /// Exactly `count` bytes.
    func read(_ count: Int, _ wait: Association.Wait) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            try waitUntilReadable(wait)
            let got = bytes.withUnsafeMutableBytes { buffer in
                recv(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, Int32(MSG_DONTWAIT))
            }
            if got > 0 {
                filled += got
            } else if got == 0 || (errno != EAGAIN && errno != EINTR) {
                throw .closed
            }
        }
        return bytes
    }

    private func waitUntilReadable(_ wait: Association.Wait) throws(Failure) {
        while true {
            let left = wait.deadline - .now
            guard left > .zero else { throw .deadline }
            var descriptors = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wait.interrupt ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = min(left.components.seconds, 60) * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
            guard poll(&descriptors, 2, Int32(clamping: milliseconds)) > 0 else { continue }
            if descriptors[1].revents != 0 { throw .interrupted }
            if descriptors[0].revents != 0 { return }
        }
    }

    /// A-ASSOCIATE-RJ. PS3.8 Table 9-21.
    func reject(_ rejection: AssociationRejection) {
        finish(sending: [0x03, 0, 0, 0, 0, 4, 0, rejection.result, rejection.source, rejection.reason])
    }

    /// A-ABORT. PS3.8 Table 9-26. `source` 0: we, as service user; 2: the provider, for a protocol error.
    func abort(source: UInt8, reason: UInt8) {
        finish(sending: [0x07, 0, 0, 0, 0, 4, 0, 0, source, reason])
    }

    /// Sends the last PDU and lets the peer read it: a socket that is closed with bytes unread is reset, and the peer
    /// would see no reason. Bounded in time and in bytes.
    func finish(sending pdu: [UInt8]) {
        var mine = pdu
        guard send(descriptor, &mine, mine.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) == mine.count else { return }
        shutdown(descriptor, Int32(SHUT_WR))
        let wait = Association.Wait(deadline: .now + goodbyeGrace, interrupt: nil)
        var left = 4 << 20
        var scratch = [UInt8](repeating: 0, count: 65_536)
        while left > 0 {
            do throws(Failure) { try waitUntilReadable(wait) } catch { return }
            let got = recv(descriptor, &scratch, scratch.count, Int32(MSG_DONTWAIT))
            if got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) { return }
            left -= max(got, 0)
        }
    }
}
