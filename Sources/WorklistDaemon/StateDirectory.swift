import Foundation
import Glibc

/// The daemon's folder, held by one daemon at a time.
///
/// The lock is the kernel's: it ends with the process, however that ends. `radialogctl` does not take it; it shares the
/// database under the queue's own writer lock.
public final class StateDirectory: Sendable {
    public let path: String
    private let descriptor: Int32

    /// Makes the folder (mode 0700) if it is not there, and takes the lock.
    public init(locking path: String) throws(StateDirectoryError) {
        try Self.make(path)
        descriptor = open(path + "/daemon.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .cannotUse(path: path, reason: String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            close(descriptor)
            if reason == EWOULDBLOCK { throw .inUse(path: path) }
            throw .cannotUse(path: path, reason: String(cString: strerror(reason)))
        }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Makes the folder if it is not there; an existing one is left as it is.
    public static func make(_ path: String) throws(StateDirectoryError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .cannotUse(path: path, reason: error.localizedDescription)
        }
    }
}

public enum StateDirectoryError: Error, CustomStringConvertible {
    case inUse(path: String)
    case cannotUse(path: String, reason: String)

    public var description: String {
        switch self {
        case .inUse(let path): "another radialogd works in \(path): stop it first, or give this one another state_dir"
        case .cannotUse(let path, let reason): "cannot use the state folder \(path): \(reason)"
        }
    }
}
