internal import CDCMTK
internal import Glibc
public import ReportModel

/// Decodes the first frame of a DICOM file in a child process, so that a defect in a codec costs one study's draft
/// and not the daemon.
///
/// Steps: `radialog-decode` with the open file as its standard input -> the answer, checked here again, because the
/// child is trusted no more than the file.
/// It does not: apply a LUT or a window, invert, choose between frames; nor scan the structure again: `DataSetScan` has
/// seen every received object before it was acknowledged, and every other file in `DICOMFile.describe`. A file that
/// overruns DCMTK's parser all the same costs one child (`.crashed`).
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
        try Self.requireSuccess(ending)
        return try reader.finish()
    }

    private static func requireSuccess(_ ending: ChildProcess.Ending) throws(DecodeError) {
        switch ending {
        case .exited(status: 0, _): return
        case .exited(let status, let said) where Int(status) == CDCMTK_DECODE_EXIT_REFUSED:
            let line = printable(said)
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, isCode(parts[0]) else { throw .failed(exitStatus: status, text: line) }
            throw .refused(code: String(parts[0]), text: String(parts[1].drop { $0 == " " }))
        case .exited(let status, let said): throw .failed(exitStatus: status, text: printable(said))
        case .signalled(let signal) where [SIGKILL, SIGXCPU, SIGTERM].contains(signal): throw .killed(signal: signal)
        case .signalled(let signal): throw .crashed(signal: signal)
        }
    }

    /// The first line, printable ASCII only, at most 255 characters: it goes into logs and the database.
    private static func printable(_ text: String) -> String {
        String(text.prefix { $0 != "\n" }.unicodeScalars.filter { (0x20..<0x7F).contains($0.value) }.prefix(255).map(Character.init))
    }

    /// A word such as `unsupported-transfer-syntax`.
    private static func isCode(_ word: Substring) -> Bool {
        !word.isEmpty && word.count <= 40 && word.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }
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
