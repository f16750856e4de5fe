import Glibc

/// A TCP socket that listens, and what comes in on it. POSIX names stop here.
struct ListeningSocket: ~Copyable {
    let descriptor: Int32
    /// As bound: differs from what was asked for when that was 0.
    let port: UInt16

    /// - Parameter address: an IPv4 or IPv6 literal.
    init(address: String, port: UInt16) throws(ReceivingError) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &list) == 0, let first = list else {
            throw .configuration(
                "[dicom] bind = \"\(address)\" is no IPv4 or IPv6 address; use a literal such as \"127.0.0.1\" or \"0.0.0.0\"")
        }
        defer { freeaddrinfo(list) }
        func failed(_ call: String) -> ReceivingError {
            .cannotListen(address: address, port: port, call: call, errno: errno)
        }
        let made = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard made >= 0 else { throw failed("socket") }
        var on: Int32 = 1
        let intSize = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, intSize) == 0,
            bind(made, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(made, 64) == 0
        else {
            let error = failed("bind")
            close(made)
            throw error
        }
        var bound = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &bound) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(made, $0, &length) }
        }
        guard status == 0 else {
            let error = failed("getsockname")
            close(made)
            throw error
        }
        descriptor = made
        self.port = Self.hostAndPort(of: bound).port
    }

    deinit { close(descriptor) }

    enum Event {
        case connection(descriptor: Int32, address: String)
        /// `interrupt` became readable.
        case interrupted
        /// accept failed; when the system has no descriptors left, this was said only after a pause.
        case failed(errno: Int32)
    }

    /// The next connection.
    func next(interrupt: Int32) -> Event {
        while true {
            var descriptors = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&descriptors, 2, -1) > 0 else { continue }
            if descriptors[1].revents != 0 { return .interrupted }
            var peer = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept(descriptor, $0, &length)
                }
            }
            // No child of ours may keep a peer's connection open.
            if accepted >= 0 {
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                return .connection(descriptor: accepted, address: Self.hostAndPort(of: peer).host)
            }
            // The peer was quicker to leave than we to accept.
            if errno == ECONNABORTED || errno == EINTR || errno == EAGAIN { continue }
            let number = errno
            var pause = [pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)]
            poll(&pause, 1, 200)
            return .failed(errno: number)
        }
    }

    /// An address as `inet_ntop` writes it; an IPv4-mapped one as IPv4.
    private static func hostAndPort(of storage: sockaddr_storage) -> (host: String, port: UInt16) {
        var storage = storage
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let port = withUnsafePointer(to: &storage) { pointer in
            if pointer.pointee.ss_family == sa_family_t(AF_INET6) {
                return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { six in
                    var address = six.pointee.sin6_addr
                    inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
                    return UInt16(bigEndian: six.pointee.sin6_port)
                }
            }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { four in
                var address = four.pointee.sin_addr
                inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
                return UInt16(bigEndian: four.pointee.sin_port)
            }
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (host.hasPrefix("::ffff:") && host.contains(".") ? String(host.dropFirst(7)) : host, port)
    }
}
