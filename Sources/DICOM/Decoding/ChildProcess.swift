internal import CDCMTK
internal import Glibc

/// One child with an open file as its standard input, both its outputs piped to us, and a wall clock.
struct ChildProcess {
    var executable: String
    var arguments: [String]
    /// Borrowed; the child gets a duplicate.
    var standardInput: Int32

    /// How a child ended.
    enum Ending {
        case exited(status: Int32, standardError: String)
        case signalled(Int32)
    }

    /// Of what the child says on standard error, this much is kept; the rest is read and dropped.
    private static let standardErrorLimit = 4096

    /// Starts the child and hands every piece of its standard output to `receive`. A throw of `receive`, or the
    /// deadline, kills it. In any case the child (and its process group) is gone when this returns.
    func run(
        until deadline: ContinuousClock.Instant, limit: Duration,
        receive: (UnsafeRawBufferPointer) throws(DecodeError) -> Void
    ) throws(DecodeError) -> Ending {
        let child = try start()
        defer {
            close(child.standard_output)
            close(child.standard_error)
        }
        var reaper = Reaper(process: child.process)
        defer { reaper.killAndWait() }
        let said = try drain(child, until: deadline, limit: limit, receive: receive)
        guard let status = reaper.wait(until: deadline) else { throw .timedOut(after: limit) }
        // wait(2): the low seven bits are the signal, 0 for an exit.
        let signal = status & 0x7F
        return signal == 0 ? .exited(status: status >> 8 & 0xFF, standardError: said) : .signalled(signal)
    }

    private func start() throws(DecodeError) -> cdcmtk_child {
        var child = cdcmtk_child()
        var error = cdcmtk_error()
        let copies = arguments.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        let pointers = copies.compactMap { $0.map { UnsafePointer($0) } }
        let status = pointers.withUnsafeBufferPointer { pointers -> cdcmtk_status in
            guard let base = pointers.baseAddress else { return CDCMTK_INVALID_INPUT }
            return cdcmtk_child_start(executable, base, pointers.count, standardInput, &child, &error)
        }
        guard status == CDCMTK_OK else { throw .cannotStart(executable: executable, errno: error.detail) }
        return child
    }

    /// Reads both pipes to their ends.
    private func drain(
        _ child: cdcmtk_child, until deadline: ContinuousClock.Instant, limit: Duration,
        receive: (UnsafeRawBufferPointer) throws(DecodeError) -> Void
    ) throws(DecodeError) -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        var said: [UInt8] = []
        var waiting = [
            pollfd(fd: child.standard_output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: child.standard_error, events: Int16(POLLIN), revents: 0),
        ]
        while waiting.contains(where: { $0.fd >= 0 }) {
            let left = deadline - .now
            guard left > .zero else { throw .timedOut(after: limit) }
            guard poll(&waiting, nfds_t(waiting.count), left.pollMilliseconds) >= 0 || errno == EINTR else {
                throw .malformedAnswer("poll failed with errno \(errno)")
            }
            for index in waiting.indices where waiting[index].fd >= 0 && waiting[index].revents != 0 {
                let count = read(waiting[index].fd, buffer.baseAddress, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    waiting[index].fd = -1  // poll(2) passes over it
                    continue
                }
                let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
                if index == 0 {
                    try receive(bytes)
                } else {
                    said.append(contentsOf: bytes.prefix(Self.standardErrorLimit - said.count))
                }
            }
        }
        return String(decoding: said, as: UTF8.self)
    }
}

/// Kills and reaps one child exactly once.
private struct Reaper {
    let process: pid_t
    private var isReaped = false

    init(process: pid_t) {
        self.process = process
    }

    /// The wait status, or nil when the deadline passed first. A child that has closed its outputs is about to exit:
    /// looking again after a millisecond costs less than a signal handler shared with the whole daemon.
    mutating func wait(until deadline: ContinuousClock.Instant) -> Int32? {
        var pause: Int32 = 0
        while true {
            var status: Int32 = 0
            let result = waitpid(process, &status, WNOHANG)
            if result == process {
                isReaped = true
                return status
            }
            if result < 0 && errno != EINTR {
                isReaped = true  // not ours any more: someone else waited for it
                return SIGKILL
            }
            guard deadline > .now else { return nil }
            poll(nil, 0, pause)
            pause = min(pause + 1, 20)
        }
    }

    mutating func killAndWait() {
        guard !isReaped else { return }
        kill(-process, SIGKILL)
        kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        isReaped = true
    }
}

extension Duration {
    /// At least 1, so that a wait that is nearly over does not spin.
    fileprivate var pollMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        return Int32(clamping: max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
