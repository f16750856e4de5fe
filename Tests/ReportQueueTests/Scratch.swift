import Foundation
import ReportModel
import ReportQueue

/// A queue in a folder of its own that disappears with it. Passwords cost next to nothing.
final class Scratch: Sendable {
    let path: String
    let queue: ReportQueue

    init() throws {
        // In memory where that is to be had: these tests are about rules, not about the disk, and sync thousands of times.
        let memory = "/dev/shm/"
        let root = FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
        path = root + "radialog-queue-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        queue = try Self.open(path)
    }

    deinit {
        queue.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    static func open(_ path: String) throws(QueueError) -> ReportQueue {
        var options = ReportQueue.Options()
        options.passwordCost = PasswordCost(rounds: 2, blockSize: 1, parallelism: 1)
        options.patience = .seconds(60)
        return try ReportQueue(stateDirectory: path, options: options)
    }

    /// Another opening of the same file, as another program would have it.
    func another() throws -> ReportQueue { try Self.open(path) }

    func raw(_ sql: String) throws(QueueError) { try queue.executeRaw(sql) }
}

let drafts = DestinationRule(name: "PACS", receivesDrafts: true, receivesSigned: false)
let both = DestinationRule(name: "RIS", receivesDrafts: true, receivesSigned: true)
let signedOnly = DestinationRule(name: "EPR", receivesDrafts: false, receivesSigned: true)

/// A synthetic object. `patient` is a letter that stands for one made-up person.
func received(
    study: String = "1.2.3", sop: String, patient: String = "A", accession: String = "ACC1", content: String = "x", path: String? = nil,
    change: (inout ReceivedInstance) -> Void = { _ in }
) -> ReceivedInstance {
    var description = StudyDescription()
    description.studyInstanceUID = study
    description.accessionNumber = accession
    description.patient.patientID = "PID-\(patient)"
    description.patient.patientName = "SYNTHETIC^\(patient)"
    description.patient.patientBirthDate = "19500101"
    var instance = InstanceDescription()
    instance.sopClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    instance.sopInstanceUID = sop
    instance.seriesInstanceUID = study + ".1"
    instance.transferSyntaxUID = "1.2.840.10008.1.2.1"
    instance.modality = "DX"
    var result = ReceivedInstance(
        study: description, instance: instance, relativePath: path ?? "\(study)/\(sop)-\(content).dcm", byteCount: 10,
        dataSetSHA256: SHA256Text.of(content), callingAETitle: "MODALITY", calledAETitle: "RADIALOG", peerAddress: "192.0.2.1")
    change(&result)
    return result
}

func draftReport(_ text: String = "No focal consolidation.") -> DraftReport {
    DraftReport(
        text: text, findings: [Finding(label: .cardiomegaly, score: 0.25, threshold: 0.5, isPositive: false, activationMap: nil)],
        promptFindings: "no common findings",
        provenance: DraftProvenance(
            bundleName: "test", bundleVersion: "1", bundleKind: .demo, bundleSHA256: String(repeating: "b", count: 64), algorithms: [],
            build: "test", arithmetic: "none", sopInstanceUID: "1.2.3.4", selectionReason: "PA", inputSHA256: nil, rendering: "voi",
            renderedSHA256: String(repeating: "c", count: 64), promptSHA256: String(repeating: "d", count: 64), generatedTokens: 5,
            finishReason: "stop", timings: .init()))
}

extension Scratch {
    /// One object received, quiet, claimed.
    func claimed(study: String = "1.2.3", sop: String? = nil, patient: String? = nil, lease: Duration = .seconds(600)) throws -> ClaimedJob {
        _ = try queue.recordInstance(received(study: study, sop: sop ?? study + ".4", patient: patient ?? study, accession: "ACC-" + study))
        _ = try queue.closeQuietStudies(quietPeriod: .zero)
        guard let job = try queue.claimJob(owner: "worker", lease: lease) else { throw QueueError.notFound(what: "a ready job") }
        return job
    }

    /// The same, drafted as version 1.
    @discardableResult
    func drafted(study: String = "1.2.3", text: String = "No focal consolidation.", destinations: [DestinationRule] = []) throws -> ClaimedJob {
        let job = try claimed(study: study)
        _ = try queue.finish(job, draft: draftReport(text), keyImage: study + ".4", destinations: destinations)
        return job
    }

    func user(_ name: String, _ role: UserRole = .radiologist) throws -> AuthenticatedUser {
        if try !queue.users().contains(where: { $0.name == name }) {
            try queue.addUser(name: name, role: role, personName: "Family^\(name)", organization: "Test Hospital", password: "password of \(name)", by: "test")
        }
        return try queue.authenticate(user: name, password: "password of \(name)")
    }

    /// Signs what the newest version says, or another text.
    @discardableResult
    func sign(
        study: String = "1.2.3", by name: String = "reader", text: String? = nil, version: Int? = nil, destinations: [DestinationRule] = []
    ) throws -> Int {
        let shown = try queue.study(study).report
        return try queue.sign(
            study: study, by: try user(name), text: text, shownTextSHA256: SHA256Text.of(text ?? shown?.text ?? ""),
            expectedVersion: version ?? shown?.version ?? 0, destinations: destinations)
    }
}
