import Configuration
import DICOM
import Foundation
import RaDialogPipeline
import ReportModel
import ReportQueue
import WorklistDaemon

/// The films of one `radialogctl chat`, each with its dialogue, opened when they are first spoken of.
final class ChatStudies {
    struct Opened {
        var draft: DraftReport?
        var dialogue: Dialogue
    }

    private let pipeline: RaDialogPipeline
    private let drafting: Drafting
    private let common: CommonOptions
    private let dialogues = DialogueStore()
    private var drafts: [String: DraftReport] = [:]

    init(pipeline: RaDialogPipeline, common: CommonOptions) {
        self.pipeline = pipeline
        self.common = common
        drafting = Drafting(pipeline: pipeline, decoder: FrameDecoder(executable: FrameDecoder.defaultExecutable()))
    }

    /// - Parameters:
    ///   - name: a file or a study; nil for a dialogue without image.
    ///   - onText: gets the report as it grows, where it has to be drafted.
    func open(_ name: String?, isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }) throws -> Opened {
        if let dialogue = dialogues.dialogue(of: name ?? "") { return Opened(draft: drafts[name ?? ""], dialogue: dialogue) }
        guard let name else {
            let dialogue = pipeline.openDialogue()
            dialogues.keep(dialogue, of: "")
            return Opened(dialogue: dialogue)
        }
        let film = try FileManager.default.fileExists(atPath: name) ? file(name) : stored(name)
        switch try Failure.ofPipeline({ try drafting.openDialogue(study: film.study, images: [film.image], isCancelled: isCancelled, onText: onText) }) {
        case .none(let reason, let detail): throw Failure("\(name): no draft: \(reason.rawValue): \(detail)", Status.data)
        case .dialogue(let draft, let dialogue):
            if let stored = film.draft, stored.text != draft.text {
                Output.error(
                    "\(name): the queue's draft is by \(stored.provenance.bundleName) \(stored.provenance.bundleVersion), \(stored.provenance.build), and reads "
                        + "differently; this dialogue is about the report drafted now")
            }
            drafts[name] = draft
            dialogues.keep(dialogue, of: name)
            return Opened(draft: draft, dialogue: dialogue)
        }
    }

    /// After a turn: other films' caches give way where memory is short.
    func settle() { dialogues.shrink() }

    func close(_ name: String?) { dialogues.close(name ?? "") }

    private struct Film {
        var study: StudyDescription
        var image: Drafting.Image
        /// The queue's.
        var draft: DraftReport?
    }

    private func file(_ path: String) throws -> Film {
        do {
            let object = try DICOMFile.describe(path: path)
            return Film(study: object.study, image: .init(description: object.instance, path: path, sha256: object.dataSetSHA256))
        } catch {
            throw Failure("\(path): \(error)", Status.data)
        }
    }

    /// The image that the study's draft was made from.
    private func stored(_ name: String) throws -> Film {
        let configuration = try common.configuration()
        let queue = try common.queue(configuration)
        let uid = try queue.studyInstanceUID(for: name)
        guard let draft = try queue.study(uid).draft else {
            throw Failure("study \(uid) has no draft to talk about: radialogctl study show \(uid)", Status.conflict)
        }
        guard let image = try queue.storedInstances(study: uid).first(where: { $0.description.sopInstanceUID == draft.provenance.sopInstanceUID }) else {
            throw Failure("study \(uid): the image that its draft was made from is not stored any more", Status.notFound)
        }
        let path = configuration.stateDirectory + "/" + image.relativePath
        var film = try file(path)
        film.draft = draft
        return film
    }
}

extension Failure {
    /// The pipeline's errors as the command line tells them; `.cancelled`, which is no error, as it is.
    static func ofPipeline<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch PipelineError.cancelled {
            throw PipelineError.cancelled
        } catch let error as PipelineError {
            throw Failure("\(error)", error.isQuestion ? Status.data : Status.software)
        } catch let error as DecodeError {
            throw Failure("\(error)", Status.temporary)
        }
    }
}

extension PipelineError {
    /// Whether another question would do.
    fileprivate var isQuestion: Bool {
        switch self {
        case .badQuestion, .contextOverflow: true
        default: false
        }
    }
}
