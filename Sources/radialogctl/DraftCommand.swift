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
        discussion: """
            Progress goes to standard error, results to standard output. Exit status 65 when a file could not be read at all.

            Flags say where the draft's text and the classifier's scores disagree, or where the text speaks of an earlier image that was \
            not there; none is no proof that the text is right.

            --heatmaps writes a picture for every positive finding but "No Finding": the film with the areas that speak for the finding, \
            as STEM-LABEL.png, where STEM is the film's file name (and -2, -3, ... for a second film of that name). A file of the same \
            name is replaced; pictures of earlier runs are not removed. Machine generated, not a diagnosis.
            """)

    @Argument(help: ArgumentHelp("DICOM files, or folders of them.", valueName: "FILE"), completion: .file()) var files: [String]
    @Option(help: ArgumentHelp("The model bundle's folder.", valueName: "DIR"), completion: .directory) var bundle: String
    @OptionGroup var compute: ComputeArguments
    @Option(help: ArgumentHelp("A question to answer after the report; may be repeated, each starts from the report.", valueName: "QUESTION"))
    var ask: [String] = []
    @Option(help: ArgumentHelp("A folder for heat maps of the positive findings, as PNG; made if it is not there.", valueName: "DIR"), completion: .directory)
    var heatmaps: String?
    @Flag(help: "As a JSON array, one object a file.") var json = false

    func run() throws {
        let paths = try files.flatMap(Self.expand)
        var folder = try heatmaps.map(Self.heatMapFolder)
        let pipeline = try Bundles.load(Bundles.open(bundle), compute.options)
        let drafting = try Bundles.drafting(pipeline, threads: compute.threads)
        var results: [FileResult] = []
        for (index, path) in paths.enumerated() {
            Output.error("[\(index + 1)/\(paths.count)] \(path)")
            let result = try draft(path, with: drafting, heatMapsTo: &folder)
            if json { results.append(result) } else { result.print() }
        }
        if json { try Output.print(json: results) }
        if let failed = paths.indices.first(where: { json && results[$0].error != nil }) {
            throw Failure("\(paths[failed]): \(results[failed].error ?? "")", Status.data)
        }
    }

    private func draft(_ path: String, with drafting: Drafting, heatMapsTo folder: inout HeatMapFolder?) throws -> FileResult {
        var result = FileResult(file: path)
        do {
            let object = try DICOMFile.describe(path: path)
            let image = Drafting.Image(description: object.instance, path: path, sha256: object.dataSetSHA256)
            switch try drafting.draft(study: object.study, images: [image], questions: ask) {
            case .draft(let draft, _, let turns):
                result.draft = draft
                result.dialogue = turns
                result.heatmaps = try Self.writeHeatMaps(of: draft, over: image, with: drafting, to: &folder)
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

    private static func heatMapFolder(_ path: String) throws -> HeatMapFolder {
        do {
            return try HeatMapFolder(path: path)
        } catch {
            throw Failure("\(error)", Status.cannotCreate)
        }
    }

    /// - Returns: the files; nil where none were asked for.
    private static func writeHeatMaps(
        of draft: DraftReport, over image: Drafting.Image, with drafting: Drafting, to folder: inout HeatMapFolder?
    ) throws -> [String]? {
        guard folder != nil else { return nil }
        let heatMaps: [HeatMap]
        do {
            heatMaps = try drafting.heatMaps(of: draft, over: image)
        } catch {
            // The film was readable a moment ago.
            throw Failure("\(image.path): \(error)", Status.data)
        }
        do {
            return try folder?.write(heatMaps, ofFile: image.path)
        } catch {
            throw Failure("\(image.path): \(error)", Status.cannotCreate)
        }
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
    /// Paths of the pictures; absent where none were asked for.
    var heatmaps: [String]?
    var no_draft_reason: NoDraftReason?
    var detail: String?
    var error: String?

    init(file: String) { self.file = file }

    func print() {
        if let draft {
            Output.print("\(file): \(draft.promptFindings)")
            Output.print(draft.text)
            Output.print(draft.provenance.imageText)
            Output.print("Flags: \(draft.flagSummary)")
            for flag in draft.flags ?? [] { Output.print("  - \(flag)") }
            for turn in dialogue { Output.print("\n> \(turn.question)\n\(turn.answer)") }
            if heatmaps == [] { Output.print("no finding is positive: no heat map") }
            for path in heatmaps ?? [] { Output.print("heat map: \(path)") }
        } else if let no_draft_reason {
            Output.print("\(file): no draft: \(no_draft_reason.rawValue): \(detail ?? "")")
        }
    }
}
