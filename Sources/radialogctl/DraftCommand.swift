import ArgumentParser
import DICOM
import Foundation
import RaDialogPipeline
import ReportModel
import WorklistDaemon

/// The pipeline alone: no daemon, no queue. Each file is drafted by itself, as a study of one image.
struct DraftCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "draft", abstract: "Drafts DICOM files with a bundle, without daemon and queue.",
        discussion: "Progress goes to standard error, results to standard output. Exit status 65 when a file could not be read at all.")

    @Argument(help: ArgumentHelp("DICOM files, or folders of them.", valueName: "FILE"), completion: .file()) var files: [String]
    @Option(help: ArgumentHelp("The model bundle's folder.", valueName: "DIR"), completion: .directory) var bundle: String
    @Option(help: "Threads; 0 for all cores. The draft does not depend on it.") var threads = 0
    @Option(help: ArgumentHelp("A question to answer after the report; may be repeated, each starts from the report.", valueName: "QUESTION"))
    var ask: [String] = []
    @Flag(help: "As a JSON array, one object a file.") var json = false

    func validate() throws {
        guard threads >= 0 else { throw ValidationError("--threads is 0 or more") }
    }

    func run() throws {
        let paths = try files.flatMap(Self.expand)
        let pipeline = try Bundles.load(Bundles.open(bundle), threads: threads)
        let drafting = Drafting(pipeline: pipeline, decoder: FrameDecoder(executable: FrameDecoder.defaultExecutable()))
        var results: [FileResult] = []
        for (index, path) in paths.enumerated() {
            Output.error("[\(index + 1)/\(paths.count)] \(path)")
            let result = try draft(path, with: drafting)
            if json { results.append(result) } else { result.print() }
        }
        if json { try Output.print(json: results) }
        if let failed = paths.indices.first(where: { json && results[$0].error != nil }) {
            throw Failure("\(paths[failed]): \(results[failed].error ?? "")", Status.data)
        }
    }

    private func draft(_ path: String, with drafting: Drafting) throws -> FileResult {
        var result = FileResult(file: path)
        do {
            let object = try DICOMFile.describe(path: path)
            let image = Drafting.Image(description: object.instance, path: path, sha256: object.dataSetSHA256)
            switch try drafting.draft(study: object.study, images: [image], questions: ask) {
            case .draft(let draft, _, let turns):
                result.draft = draft
                result.dialogue = turns
            case .none(let reason, let detail):
                result.no_draft_reason = reason
                result.detail = detail
            }
        } catch let error as DataSetError {
            result.error = "\(error)"
            if !json { throw Failure("\(path): \(error)", Status.data) }
        }
        return result
    }

    /// A folder stands for every file below it, in a fixed order.
    private static func expand(_ path: String) throws -> [String] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Failure("\(path): no such file or folder", Status.data)
        }
        guard isDirectory.boolValue else { return [path] }
        guard let below = FileManager.default.enumerator(atPath: path) else { throw Failure("\(path): cannot be listed", Status.data) }
        let found = below.compactMap { $0 as? String }.map { "\(path)/\($0)" }
            .filter { FileManager.default.fileExists(atPath: $0, isDirectory: &isDirectory) && !isDirectory.boolValue }
        return found.sorted()
    }
}

/// What became of one file. The member names are the JSON's.
private struct FileResult: Encodable {
    var file: String
    var draft: DraftReport?
    var dialogue: [DialogueTurn] = []
    var no_draft_reason: NoDraftReason?
    var detail: String?
    var error: String?

    init(file: String) { self.file = file }

    func print() {
        if let draft {
            Output.print("\(file): \(draft.promptFindings)")
            Output.print(draft.text)
            for turn in dialogue { Output.print("\n> \(turn.question)\n\(turn.answer)") }
        } else if let no_draft_reason {
            Output.print("\(file): no draft: \(no_draft_reason.rawValue): \(detail ?? "")")
        }
    }
}
