/// Why receiving could not start, or an object could not be kept.
public enum ReceivingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A value of the configuration is outside its range. `text` says which, and what to do.
    case configuration(String)
    /// A system call failed on the listening socket.
    case cannotListen(address: String, port: UInt16, call: String, errno: Int32)
    /// A system call failed on a file of the spool. `path` is relative to the state directory.
    case spool(call: String, path: String, errno: Int32)
    /// Fewer bytes are free than the watermark asks for.
    case belowWatermark(free: Int64, minimum: Int64)
    /// The file in the spool has not the length that was written.
    case lengthMismatch(path: String, expected: Int64, found: Int64)
    /// `start()` was called twice, or after `stop()`.
    case alreadyStarted

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .cannotListen(let address, let port, let call, let number):
            "cannot listen on \(address) port \(port): \(call): \(SystemError.text(number)); "
                + "check [dicom] bind and port, and that no other program has the port"
        case .spool(let call, let path, let number): "\(call) \(path): \(SystemError.text(number))"
        case .belowWatermark(let free, let minimum):
            "\(free) bytes free on the spool's file system, less than the \(minimum) that must stay free; make room"
        case .lengthMismatch(let path, let expected, let found): "\(path) has \(found) bytes, \(expected) were written"
        case .alreadyStarted: "the SCP was started before"
        }
    }
}
