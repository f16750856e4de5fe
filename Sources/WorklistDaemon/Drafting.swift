public import DICOM
internal import Foundation
public import RaDialogPipeline
public import ReportModel

/// From the images of a study to its draft with its flags, or to the coded reason why there is none. The daemon's worker and
/// `radialogctl draft` run this same code.
public struct Drafting: Sendable {
    /// One received image, and where its file lies.
    public struct Image: Sendable {
        public var description: InstanceDescription
        public var path: String
        /// SHA-256 of the data set as received; nil for a file from outside.
        public var sha256: String?

        public init(description: InstanceDescription, path: String, sha256: String?) {
            self.description = description
            self.path = path
            self.sha256 = sha256
        }
    }

    public enum Outcome: Sendable {
        case draft(DraftReport, keyImage: InstanceDescription, turns: [DialogueTurn])
        case none(NoDraftReason, detail: String)
    }

    public enum DialogueOutcome: Sendable {
        case dialogue(DraftReport, Dialogue)
        case none(NoDraftReason, detail: String)
    }

    let pipeline: RaDialogPipeline
    let decoder: FrameDecoder
    /// Values of Body Part Examined that the site adds to those that mean a chest.
    private let chestBodyParts: [String]
    /// A labeler of the bundle's, whose labels go before those of the rules.
    private let labeler: (any TextLabeler)?

    public init(pipeline: RaDialogPipeline, decoder: FrameDecoder, chestBodyParts: [String] = [], labeler: (any TextLabeler)? = nil) {
        self.pipeline = pipeline
        self.decoder = decoder
        self.chestBodyParts = chestBodyParts
        self.labeler = labeler
    }

    /// With the labeler of the pipeline's bundle where it has one; without, the rules label alone.
    ///
    /// - Parameter threads: that the labeler works with; 0 for all cores.
    /// - Throws: `BundleError`, `WeightsError`, `PipelineError`: the labeler's files do not hold what the manifest says.
    public init(pipeline: RaDialogPipeline, decoder: FrameDecoder, chestBodyParts: [String] = [], threads: Int) throws {
        let labeler = try BundleLabeler(of: pipeline.bundle, threads: threads)
        self.init(pipeline: pipeline, decoder: decoder, chestBodyParts: chestBodyParts, labeler: labeler)
    }

    /// Drafts the study. Blocks and computes: call it on a thread of its own.
    ///
    /// An image that cannot be decoded does not end the study while another frontal one is there.
    /// - Throws: what may pass by itself (a decoder that did not start, a cancelled run, memory); what lies in the
    ///   images is an outcome.
    public func draft(
        study: StudyDescription, images: [Image], questions: [String] = [], urgency: Urgency = .routine, isCancelled: () -> Bool = { false }
    ) throws -> Outcome {
        try withChosenImage(study: study, images: images) { radiograph, source, keyImage, choice in
            let (report, turns) = try pipeline.draft(radiograph, source: source, questions: questions, urgency: urgency, isCancelled: isCancelled)
            return .draft(try report.checked(choice: choice, labeler: labeler), keyImage: keyImage, turns: turns)
        } none: {
            .none($0, detail: $1)
        }
    }

    /// Drafts the study and stays ready for questions.
    /// - Parameter onText: gets the report as it grows.
    /// - Throws: as `draft`.
    public func openDialogue(
        study: StudyDescription, images: [Image], urgency: Urgency = .dialogue, isCancelled: () -> Bool = { false },
        onText: (String) -> Void = { _ in }
    ) throws -> DialogueOutcome {
        try withChosenImage(study: study, images: images) { radiograph, source, _, choice in
            let (report, dialogue) = try pipeline.openDialogue(radiograph, source: source, urgency: urgency, isCancelled: isCancelled, onText: onText)
            return .dialogue(try report.checked(choice: choice, labeler: labeler), dialogue)
        } none: {
            .none($0, detail: $1)
        }
    }

    /// Chooses the image, decodes it, and hands it to `body`; or says to `none` why there is no draft.
    private func withChosenImage<Result>(
        study: StudyDescription, images: [Image], body: (Radiograph, DraftSource, InstanceDescription, ImageChoice?) throws -> Result,
        none: (NoDraftReason, String) -> Result
    ) throws -> Result {
        var undecodable: Set<Int> = []
        var firstFailure: String?
        while true {
            switch ImageSelection.choose(
                from: images.map(\.description), study: study, chestBodyParts: chestBodyParts, undecodable: undecodable)
            {
            case .none(let reason, let detail):
                guard let firstFailure else { return none(reason, detail) }
                return none(.undecodable, firstFailure)
            case .image(let index, let reason, let choice):
                let image = images[index]
                let started = ContinuousClock.now
                let radiograph: Radiograph
                do throws(DecodeError) {
                    radiograph = try decoder.decode(path: image.path)
                } catch {
                    if error.isTransient { throw error }
                    firstFailure = firstFailure ?? "\(error)"
                    undecodable.insert(index)
                    continue
                }
                let source = DraftSource(
                    sopInstanceUID: image.description.sopInstanceUID, selectionReason: reason, inputSHA256: image.sha256,
                    decodeSeconds: (ContinuousClock.now - started).seconds)
                do {
                    return try body(radiograph, source, image.description, choice)
                } catch PreprocessError.noImageContent(let reason) {
                    return none(.noImageContent, reason)
                }
            }
        }
    }
}
