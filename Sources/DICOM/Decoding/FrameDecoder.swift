internal import Glibc
public import ReportModel

/// Decodes the first frame of a DICOM file in a child process, so that a defect in a codec costs one study's draft
/// and not the daemon.
///
/// Steps: structural scan of the file (iterative, `DataSetScan`) -> `radialog-decode` with the open file as its
/// standard input -> the answer, checked here again, because the child is trusted no more than the file.
/// It does not: apply a LUT or a window, invert, choose between frames.
public struct FrameDecoder: Sendable {
    /// Path of `radialog-decode`.
    public var executable: String
    public var limits: DecodeLimits

    public init(executable: String, limits: DecodeLimits = DecodeLimits()) {
        self.executable = executable
        self.limits = limits
    }

    /// `radialog-decode` beside the running program. Source: /proc/self/exe.
    public static func defaultExecutable() -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return "radialog-decode" }
        let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        return folder + "radialog-decode"
    }

    /// The first frame of the file. Blocks up to `limits.wallClock`: call it off the cooperative pool. Any thread that
    /// outlives the call (the child dies with the thread that started it).
    public func decode(path: String) throws(DecodeError) -> Radiograph {
        try decodeFrame(path: path).radiograph
    }

    /// As `decode`, with what the child says about its work.
    public func decodeFrame(path: String) throws(DecodeError) -> DecodedFrame {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(file) }
        var reader = FrameReader(limits: limits)
        let child = ChildProcess(executable: executable, arguments: limits.arguments, standardInput: file)
        let ending = try child.run(until: ContinuousClock.now + limits.wallClock, limit: limits.wallClock) {
            (bytes) throws(DecodeError) in try reader.append(bytes)
        }
        try ending.requireSuccess()
        return try reader.finish()
    }
}

/// A radiograph and what was noticed on the way.
public struct DecodedFrame: Sendable, Equatable {
    public var radiograph: Radiograph
    /// (0028,0008). Only the first frame is in `radiograph`.
    public var numberOfFrames: Int
    /// In plain words, for the log and the study's page: frames left out, a transform that could not be used, no
    /// system-call filter. No patient data.
    public var notes: [String]
}
