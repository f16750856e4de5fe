import DICOM
import RaDialogPipeline
import ReportModel
import WorklistDaemon

/// What a person is told about a draft beside its text.
extension DraftReport {
    /// "2 (1 contradiction, 1 omission)", "none", or that nobody looked.
    var flagSummary: String { flags?.summary ?? "not compared: drafted by an earlier version" }
}

extension DraftProvenance {
    /// "image 2 of 3 used: PA (ViewPosition); not used: …"; of drafts of earlier versions only the reason.
    var imageText: String { imageChoice.map(\.description) ?? "image \(selectionReason ?? "not stated")" }
}

extension Bundles {
    /// What makes drafts of files, with the bundle's labeler where it has one.
    static func drafting(_ pipeline: RaDialogPipeline, threads: Int) throws -> Drafting {
        do {
            return try Drafting(pipeline: pipeline, decoder: FrameDecoder(executable: FrameDecoder.defaultExecutable()), threads: threads)
        } catch {
            throw Failure("\(error)", Status.configuration)
        }
    }
}
