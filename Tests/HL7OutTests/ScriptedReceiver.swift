import Dispatch
import Glibc
import Synchronization

/// An MLLP server on loopback that does what a test says: real sockets, a thread for each connection. It frames with
/// code of its own.
final class ScriptedReceiver: Sendable {
    enum Step: Sendable {
        case send([UInt8])
        /// One `send` a byte.
        case sendBytewise([UInt8])
        /// Until the test signals.
        case wait(DispatchSemaphore)
        case close
        /// Reads nothing more, and closes when the receiver goes.
        case stall
    }

    let port: Int
    private let listener: Int32
    private let script: @Sendable (_ number: Int, _ controlID: String) -> [Step]
    private let seen = Mutex<(messages: [[UInt8]], connections: [Int32])>(([], []))
    private let served = DispatchSemaphore(value: 0)

    /// - Parameter script: what to do about message `number` (1, 2, … over all connections).
    init(_ script: @escaping @Sendable (_ number: Int, _ controlID: String) -> [Step]) {
        self.script = script
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        precondition(bound, "no free port on loopback")
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.start { [self] in accept() }
    }

    /// Closes everything; tests call it at their end.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        seen.withLock { for connection in $0.connections { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    var messages: [[UInt8]] { seen.withLock { $0.messages } }
    var connections: Int { seen.withLock { $0.connections.count } }

    /// Waits until the steps for one further message are done.
    func waitUntilServed() { served.wait() }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { break }
            seen.withLock { $0.connections.append(connection) }
            Thread.start { [self] in serve(connection) }
        }
        close(listener)
    }

    private func serve(_ connection: Int32) {
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            while let end = Self.end(of: buffer) {
                let message = Array(buffer[1..<end])
                buffer.removeFirst(end + 2)
                let number = seen.withLock {
                    $0.messages.append(message)
                    return $0.messages.count
                }
                let goesOn = perform(script(number, Self.controlID(of: message)), on: connection)
                served.signal()
                if !goesOn { return }
            }
            let count = recv(connection, &chunk, chunk.count, 0)
            if count <= 0 { return shutdownOnly(connection) }
            buffer += chunk.prefix(count)
        }
    }

    private func perform(_ steps: [Step], on connection: Int32) -> Bool {
        for step in steps {
            switch step {
            case .send(let bytes): send(bytes, on: connection)
            case .sendBytewise(let bytes): for byte in bytes { send([byte], on: connection) }
            case .wait(let semaphore): semaphore.wait()
            case .close:
                shutdownOnly(connection)
                return false
            case .stall: return false
            }
        }
        return true
    }

    /// The other side may have gone: what it makes of that is what a test looks at.
    private func send(_ bytes: [UInt8], on connection: Int32) {
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The number stays ours until `stop`: no other test's file gets it.
    private func shutdownOnly(_ connection: Int32) { shutdown(connection, Int32(SHUT_RDWR)) }

    deinit { seen.withLock { for connection in $0.connections { close(connection) } } }

    private static func end(of buffer: [UInt8]) -> Int? {
        guard buffer.count > 2 else { return nil }
        return (1..<(buffer.count - 1)).first { buffer[$0] == 0x1C && buffer[$0 + 1] == 0x0D }
    }

    private static func controlID(of message: [UInt8]) -> String {
        let fields = message.prefix { $0 != 0x0D }.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        return fields.count > 9 ? String(decoding: fields[9], as: UTF8.self) : ""
    }
}

/// POSIX threads: a blocked one takes none of the tests' pool.
enum Thread {
    static func start(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Box(body: body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        precondition(status == 0, "no thread")
        pthread_detach(thread)
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// Answers as receivers give them.
enum Answer {
    static func framed(_ text: String) -> [UInt8] { [0x0B] + Array(text.utf8) + [0x1C, 0x0D] }

    static func acknowledgement(_ code: String, _ controlID: String, text: String = "", wantsAnswer: Bool = false, more: String = "") -> [UInt8] {
        framed("MSH|^~\\&|RIS|H|RADIALOGD||20260320||ACK^R01^ACK|ACK-7|P|2.5.1|||\(wantsAnswer ? "AL" : "NE")|NE\rMSA|\(code)|\(controlID)|\(text)\r\(more)")
    }
}
