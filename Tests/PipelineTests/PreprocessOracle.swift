import Foundation

/// The Python with the reference libraries, and the corpus: both come from outside and may be absent.
enum Oracle {
    /// RADIALOG_PYTHON: an interpreter with NumPy, Pillow, pydicom and sentencepiece; with torchvision, its answers are compared too.
    static let python = ProcessInfo.processInfo.environment["RADIALOG_PYTHON"].flatMap { $0.isEmpty ? nil : $0 }
    static let hasPython = python != nil
    static let needsPython = "RADIALOG_PYTHON does not name a Python with Pillow and sentencepiece"

    /// RADIALOG_CORPUS, or ../shared/corpus beside the checkout.
    static let corpus: String? = {
        let here = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        let beside = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("shared/corpus").path
        let path = ProcessInfo.processInfo.environment["RADIALOG_CORPUS"] ?? beside
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()
    static let hasCorpus = corpus != nil
    static let needsCorpus = "the corpus is neither in RADIALOG_CORPUS nor in ../shared/corpus"

    struct Failed: Error {
        var script: String
        var status: Int32
    }

    /// Runs `Tests/PipelineTests/python/<script>`.
    static func run(_ script: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python ?? "")
        let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        process.arguments = [folder.appendingPathComponent("python/\(script)").path] + arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(script: script, status: process.terminationStatus) }
    }
}

/// A folder that is removed with the object.
final class ScratchFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("radialog-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("scratch folder \(path) stays: \(error)")
        }
    }

    func write(_ bytes: some Sequence<UInt8>, as name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }
}
