/// What the decoder child may use. Passed to it on its command line; it can only lower them further.
public struct DecodeLimits: Sendable, Equatable {
    /// From start to exit; then SIGKILL.
    public var wallClock: Duration
    /// RLIMIT_CPU of the child.
    public var cpuSeconds: Int
    /// RLIMIT_AS of the child: its program, the file, the frame and what the codec needs.
    public var addressSpaceBytes: Int
    /// The largest file that is opened.
    public var fileBytes: Int
    /// The largest raw frame. At most 512 MB (`receiving.md`, trap 6).
    public var frameBytes: Int

    public init(
        wallClock: Duration = .seconds(60), cpuSeconds: Int = 60, addressSpaceBytes: Int = 4 << 30,
        fileBytes: Int = 1 << 30, frameBytes: Int = 512 << 20
    ) {
        self.wallClock = wallClock
        self.cpuSeconds = cpuSeconds
        self.addressSpaceBytes = addressSpaceBytes
        self.fileBytes = fileBytes
        self.frameBytes = min(frameBytes, 512 << 20)
    }

    /// The child's command line.
    var arguments: [String] {
        [addressSpaceBytes, cpuSeconds, fileBytes, frameBytes].map { String(max(0, $0)) }
    }
}
