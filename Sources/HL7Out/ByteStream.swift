import Glibc
import Synchronization

/// Where an MLLP connection's bytes go. TCP now; TLS is the second one, behind the same face.
package protocol ByteStream: AnyObject, Sendable {
    /// All of `bytes`, by the deadline.
    func write(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws(StreamError)
    /// What has come, at least one byte; empty at the end of the stream.
    func read(by deadline: ContinuousClock.Instant) throws(StreamError) -> [UInt8]
    /// Makes a write or read in another thread return with an error. The stream is of no further use.
    func interrupt()
    func close()
}

package enum StreamError: Error, Equatable, CustomStringConvertible {
    case timeOut
    case failed(call: String, errno: Int32)
    case unknownHost(String)

    package var description: String {
        switch self {
        case .timeOut: "no answer in time"
        case .failed(let call, let number): "\(call): \(String(cString: strerror(number)))"
        case .unknownHost(let reason): reason
        }
    }
}

/// A TCP connection with total deadlines: a peer that sends a byte now and then does not put one off.
package final class SocketStream: ByteStream {
    /// -1 once closed. Only the owner closes; `interrupt` shuts down under the lock, so never another file's number.
    private let descriptor: Mutex<Int32>

    private init(_ descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    deinit { close() }

    /// Tries each address of `host` until one answers. The name's look-up is the system's, and has its own time limit.
    package static func connect(host: String, port: Int, by deadline: ContinuousClock.Instant) throws(StreamError) -> SocketStream {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let first = list else { throw .unknownHost(String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(first) }
        var lastError = StreamError.timeOut
        var address: UnsafeMutablePointer<addrinfo>? = first
        while let current = address?.pointee {
            do throws(StreamError) {
                return try connect(to: current, by: deadline)
            } catch {
                lastError = error
            }
            address = current.ai_next
        }
        throw lastError
    }

    private static func connect(to address: addrinfo, by deadline: ContinuousClock.Instant) throws(StreamError) -> SocketStream {
        let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .failed(call: "socket", errno: errno) }
        let stream = SocketStream(descriptor)  // closes on every way out but the last
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &one, socklen_t(MemoryLayout<Int32>.size))
        if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
            guard errno == EINPROGRESS || errno == EINTR else { throw .failed(call: "connect", errno: errno) }
            try wait(descriptor, for: Int16(POLLOUT), by: deadline)
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 else { throw .failed(call: "getsockopt", errno: errno) }
            guard failure == 0 else { throw .failed(call: "connect", errno: failure) }
        }
        return stream
    }

    package func write(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws(StreamError) {
        var sent = 0
        while sent < bytes.count {
            let descriptor = try current()
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                try Self.wait(descriptor, for: Int16(POLLOUT), by: deadline)
            } else if errno != EINTR {
                throw .failed(call: "send", errno: errno)
            }
        }
    }

    package func read(by deadline: ContinuousClock.Instant) throws(StreamError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let descriptor = try current()
            try Self.wait(descriptor, for: Int16(POLLIN), by: deadline)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count >= 0 { return Array(buffer.prefix(count)) }
            guard errno == EAGAIN || errno == EINTR else { throw .failed(call: "recv", errno: errno) }
        }
    }

    package func interrupt() {
        descriptor.withLock { if $0 >= 0 { shutdown($0, Int32(SHUT_RDWR)) } }
    }

    package func close() {
        descriptor.withLock {
            if $0 >= 0 { Glibc.close($0) }
            $0 = -1
        }
    }

    private func current() throws(StreamError) -> Int32 {
        let descriptor = descriptor.withLock { $0 }
        guard descriptor >= 0 else { throw .failed(call: "socket", errno: EBADF) }
        return descriptor
    }

    /// Returns when the descriptor is ready, or has an error to tell.
    private static func wait(_ descriptor: Int32, for events: Int16, by deadline: ContinuousClock.Instant) throws(StreamError) {
        while true {
            let left = max(.zero, ContinuousClock.now.duration(to: deadline)).components
            let milliseconds = Int(left.seconds) * 1000 + Int((left.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = poll(&entry, 1, Int32(clamping: milliseconds))
            if ready > 0 { return }
            if ready == 0, ContinuousClock.now >= deadline { throw .timeOut }
            if ready < 0, errno != EINTR { throw .failed(call: "poll", errno: errno) }
        }
    }
}
