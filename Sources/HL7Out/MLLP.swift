/// MLLP framing (HL7 MLLP release 1): VT, the message, FS CR. The bytes of a frame may come in any pieces.
package struct MLLPFramer: Sendable {
    package static let start: UInt8 = 0x0B
    package static let end: UInt8 = 0x1C
    private static let carriageReturn: UInt8 = 0x0D

    package enum FramingError: Error, Equatable {
        /// A byte where VT, or CR behind FS, must stand; or VT inside a message.
        case garbage
        case tooLong(limit: Int)
    }

    /// Line ends between frames are harmless, and some senders write them.
    private static let ignoredBetweenFrames: Set<UInt8> = [0x0D, 0x0A]

    private enum State {
        case between, inside, afterEnd
    }

    private let limit: Int
    private var state = State.between
    private var message: [UInt8] = []
    private var complete: [[UInt8]] = []

    /// - Parameter limit: bytes of a message, without the framing.
    package init(limit: Int) { self.limit = limit }

    /// Whether nothing is begun, and nothing waits to be taken.
    package var isIdle: Bool { state == .between && complete.isEmpty }

    /// The next complete message.
    package mutating func next() -> [UInt8]? { complete.isEmpty ? nil : complete.removeFirst() }

    /// - Throws: after which the stream cannot be trusted and is closed.
    package mutating func receive(_ bytes: [UInt8]) throws(FramingError) {
        for byte in bytes {
            switch state {
            case .between:
                if byte == Self.start {
                    state = .inside
                } else if !Self.ignoredBetweenFrames.contains(byte) {
                    throw .garbage
                }
            case .inside:
                if byte == Self.end {
                    state = .afterEnd
                } else if byte == Self.start {
                    throw .garbage
                } else {
                    guard message.count < limit else { throw .tooLong(limit: limit) }
                    message.append(byte)
                }
            case .afterEnd:
                guard byte == Self.carriageReturn else { throw .garbage }
                complete.append(message)
                message = []
                state = .between
            }
        }
    }

    package static func framed(_ message: [UInt8]) -> [UInt8] {
        [start] + message + [end, carriageReturn]
    }
}
