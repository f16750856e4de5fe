import Foundation
import Glibc
import Synchronization

import DICOM
import ReportModel

/// A folder that goes away with the value.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("receiving-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Every regular file below, relative.
    func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder) && !isFolder.boolValue
        }.sorted()
    }
}

/// Remembers what it is told, and answers what it is set to.
final class RecordingHandler: ReceivedObjectHandler {
    private let state = Mutex(State())

    struct State {
        var received: [ReceivedObject] = []
        var refused: [RefusedObject] = []
        var rejected: [RejectedAssociation] = []
    }

    private let answer: @Sendable (ReceivedObject) -> StoreStatus

    init(answer: @escaping @Sendable (ReceivedObject) -> StoreStatus = { _ in .success }) {
        self.answer = answer
    }

    var received: [ReceivedObject] { state.withLock { $0.received } }
    var refused: [RefusedObject] { state.withLock { $0.refused } }
    var rejected: [RejectedAssociation] { state.withLock { $0.rejected } }

    func objectReceived(_ object: ReceivedObject) -> StoreStatus {
        state.withLock { $0.received.append(object) }
        return answer(object)
    }

    func objectRefused(_ refusal: RefusedObject) { state.withLock { $0.refused.append(refusal) } }
    func associationRejected(_ rejection: RejectedAssociation) { state.withLock { $0.rejected.append(rejection) } }
}

/// An SCP on a port of the system's choosing, with a spool in a scratch folder.
final class RunningSCP: Sendable {
    let directory: ScratchDirectory
    let handler: RecordingHandler
    let spool: Spool
    let scp: StoreSCP
    let port: UInt16
    private let log = Mutex<[StoreSCPEvent]>([])

    init(
        handler: RecordingHandler = RecordingHandler(), minimumFreeBytes: Int64 = 0, stateDirectory: String? = nil,
        _ configure: (inout StoreSCPConfiguration) -> Void = { _ in }
    ) throws {
        directory = try ScratchDirectory()
        self.handler = handler
        var configuration = StoreSCPConfiguration(aeTitle: "RADIALOGD")
        configuration.port = 0
        configuration.stopGrace = .seconds(2)
        configuration.goodbyeGrace = .milliseconds(100)
        configure(&configuration)
        spool = try Spool(stateDirectory: stateDirectory ?? directory.path, minimumFreeBytes: minimumFreeBytes)
        scp = try StoreSCP(configuration: configuration, spool: spool, handler: handler)
        port = try scp.start()
    }

    deinit { scp.stop() }

    /// What is left while something is received: nothing, once it is over.
    func incoming() throws -> [String] { try directory.files().filter { $0.hasPrefix("spool/incoming") } }
    func objects() throws -> [String] { try directory.files().filter { $0.hasPrefix("objects") } }
}

/// A program of the dcmtk package, run to its end.
enum DCMTKProgram {
    /// - Returns: the exit status, and both streams.
    static func run(_ name: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/" + name)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}

/// Files of the shared corpus. They are never committed; without them the tests that need them say so and do not run.
enum ReceivingCorpus {
    static let root: String = ProcessInfo.processInfo.environment["RADIALOG_CORPUS"]
        ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../shared/corpus")
        .standardizedFileURL.path

    static let isPresent: Bool = {
        let present = FileManager.default.fileExists(atPath: root + "/INDEX.tsv")
        if !present { print("corpus not found at \(root): set RADIALOG_CORPUS to run the tests that need it") }
        return present
    }()

    /// Path and `opens` of every DICOM row of INDEX.tsv.
    static func rows() throws -> [(path: String, opens: String)] {
        try String(contentsOfFile: root + "/INDEX.tsv", encoding: .utf8).split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard columns.count > 17, columns[3] == "DICOM" else { return nil }
            return (columns[0], columns[17])
        }
    }
}
