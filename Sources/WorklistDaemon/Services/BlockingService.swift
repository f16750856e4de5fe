import Foundation
import ServiceLifecycle

/// Stops a service's thread, and wakes it before its pause is over.
///
/// `@unchecked Sendable`: both flags are read and written only while `condition` is locked.
final class ServiceSignal: @unchecked Sendable {
    private let condition = NSCondition()
    private var stopped = false
    private var awakened = false

    var isStopped: Bool { condition.withLock { stopped } }

    func stop() {
        condition.withLock {
            stopped = true
            condition.broadcast()
        }
    }

    /// Ends the current pause, or the next one if none is under way.
    func wake() {
        condition.withLock {
            awakened = true
            condition.broadcast()
        }
    }

    /// Pauses the calling thread. Returns at once when woken or stopped.
    /// - Returns: whether to go on.
    func pause(_ duration: Duration) -> Bool {
        let deadline = Date(timeIntervalSinceNow: duration.seconds)
        return condition.withLock {
            while !stopped, !awakened, condition.wait(until: deadline) {}
            awakened = false
            return !stopped
        }
    }
}

/// A service whose work blocks or computes: it runs on a thread of its own, never on the cooperative pool.
/// `body` returns when its signal says stop.
struct BlockingService: Service {
    let name: String
    let signal: ServiceSignal
    let body: @Sendable (ServiceSignal) throws -> Void

    init(name: String, signal: ServiceSignal = ServiceSignal(), body: @escaping @Sendable (ServiceSignal) throws -> Void) {
        self.name = name
        self.signal = signal
        self.body = body
    }

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let thread = Thread {
                    // For top and gdb, which Foundation does not tell `Thread.name`; the kernel keeps fifteen bytes.
                    FileHandle(forWritingAtPath: "/proc/thread-self/comm")?.write(Data(name.utf8.prefix(15)))
                    continuation.resume(with: Result { try body(signal) })
                }
                thread.stackSize = 8 << 20
                thread.start()
            }
        } onGracefulShutdown: {
            signal.stop()
        }
    }
}

extension Duration {
    /// As a floating-point number of seconds.
    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
