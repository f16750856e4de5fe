import ArgumentParser
import Foundation
import RaDialogPipeline
import ReportLabeler
import ReportModel

/// The labelers alone, over one text: for scripts, and to see why a draft was flagged.
struct LabelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "label", abstract: "Says of each of CheXpert's fourteen labels what a report's text says of it.",
        discussion: """
            By rules, and with --bundle also by the bundle's CheXbert (radialogctl model import … --chexbert FILE --chexbert-vocabulary FILE).
            English text; headings such as INDICATION are known to the rules only. CheXbert reads 512 tokens.
            """)

    @Argument(help: ArgumentHelp("The report as UTF-8 text; - for standard input.", valueName: "FILE"), completion: .file()) var file: String
    @Option(help: ArgumentHelp("The model bundle's folder, whose labeler is asked, too.", valueName: "DIR"), completion: .directory) var bundle: String?
    @Option(help: "Threads; 0 for all cores. The labels do not depend on it.") var threads = 0
    @Flag(help: "As JSON, with the words that the rules recognised.") var json = false

    /// A report has some kilobytes.
    private static let maximumBytes = 1 << 20

    func validate() throws {
        guard threads >= 0 else { throw ValidationError("--threads is 0 or more") }
    }

    func run() throws {
        let text = try read()
        var result = LabelResult(file: file, rules: FindingLabeler().label(text))
        if let directory = bundle {
            let bundle = try Bundles.open(directory)
            let labeler = try Bundles.labeler(bundle, threads: threads)
            do {
                result.chexbert = try labeler.label(text)
            } catch {
                throw Failure("\(error)", Status.configuration)
            }
            result.bundle = .init(name: bundle.name, version: bundle.version, sha256: bundle.sha256)
        }
        if json { try Output.print(json: result) } else { result.print() }
    }

    private func read() throws -> String {
        let name = file == "-" ? "standard input" : file
        let data: Data
        do {
            let handle = file == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            data = try handle.read(upToCount: Self.maximumBytes + 1) ?? Data()
        } catch {
            throw Failure("cannot read \(name): \(error.localizedDescription)", Status.data)
        }
        guard data.count <= Self.maximumBytes else {
            throw Failure("\(name) has more than \(Self.maximumBytes) bytes: a report is expected, which has some kilobytes", Status.data)
        }
        guard let text = String(data: data, encoding: .utf8) else { throw Failure("\(name) is not UTF-8 text", Status.data) }
        return text
    }
}

/// The member names are the JSON's.
private struct LabelResult: Encodable {
    struct Bundle: Encodable {
        var name: String
        var version: String
        var sha256: String
    }

    var file: String
    var rules: LabeledReport
    var chexbert: LabeledReport?
    var bundle: Bundle?

    init(file: String, rules: LabeledReport) {
        self.file = file
        self.rules = rules
    }

    func print() {
        let rows = rules.labels.map { entry in
            [entry.label.rawValue, entry.state.rawValue] + (chexbert.map { [$0[entry.label].rawValue] } ?? [])
        }
        Output.print(table: rows, header: ["LABEL", "RULES"] + (chexbert == nil ? [] : ["CHEXBERT"]))
        if rules.isTruncated { Output.error("the rules read the beginning of the text only") }
        if chexbert?.isTruncated == true { Output.error("CheXbert read the beginning of the text only") }
    }
}

extension Bundles {
    /// The bundle's labeler, loaded.
    static func labeler(_ bundle: ModelBundle, threads: Int) throws -> CheXbert {
        do {
            return try CheXbert(bundle: bundle, threads: threads)
        } catch {
            throw Failure("\(error)", Status.configuration)
        }
    }
}
