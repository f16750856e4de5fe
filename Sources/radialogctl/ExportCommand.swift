public import ArgumentParser
import Configuration
import Foundation
import ReportModel
import ReportQueue
public import WorklistDaemon

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a report as the document a receiver gets.",
        discussion: "An ORU looks as the destination named by --destination wants it; without one, as the defaults say. Every export is audited.")

    enum Version: String, ExpressibleByArgument, CaseIterable {
        case draft, final
    }

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("Study Instance UID or accession number.", valueName: "STUDY")) var study: String
    @Option(help: "text, json, oru or sr.") var format: ReportDocuments.Format
    @Option(help: "draft (unsigned machine text) or final (the newest signed version).") var version: Version
    @Option(help: ArgumentHelp("File to write; \"-\" for standard output.", valueName: "F"), completion: .file()) var output: String
    @Option(help: ArgumentHelp("A configured HL7 destination whose ORU to write.", valueName: "NAME")) var destination: String?

    func run() throws {
        let configuration = try common.configuration()
        let queue = try common.queue(configuration)
        let uid = try queue.studyInstanceUID(for: study)
        let report = try queue.outgoingReport(study: uid, version: version == .draft ? .draft : .final)
        let bytes: [UInt8]
        do {
            bytes = try ReportDocuments.make(report, as: format, hl7: hl7Format(configuration))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(error)", Status.data)
        }
        try queue.recordAudit(AuditEvent(
            code: .export, type: "document-exported", action: .read, actor: "radialogctl uid \(getuid())", studyInstanceUID: uid,
            object: "version \(report.version)", detail: format.rawValue))
        try Output.write(bytes, to: output)
    }

    private func hl7Format(_ configuration: Configuration) throws -> ORUProfile {
        guard let destination else { return ORUProfile() }
        switch configuration.destinations.first(where: { $0.name == destination })?.endpoint {
        case .hl7(let endpoint): return endpoint.format
        case .folder(let endpoint): return endpoint.format
        case .dicom, nil:
            throw Failure("no HL7 or folder destination is called \(destination): radialogctl config check", Status.notFound)
        }
    }
}

extension ReportDocuments.Format: ExpressibleByArgument {}
