public import ReportModel

// SIGNATURES FIRST; bodies follow. The whole story of one radiograph.
public final class RaDialogPipeline: Sendable {
    /// Loads the weights of a verified bundle. `threads` work on one radiograph.
    public init(bundle: ModelBundle, threads: Int) throws { fatalError("being written") }

    /// Name, version, kind and hash of what was loaded.
    public let bundle: ModelBundle

    /// Drafts the findings section. Blocks: call it on a thread of its own, never on Swift's cooperative pool. Callers wait for each
    /// other. `isCancelled` is asked before every stage and every token (throws `PipelineError.cancelled`); `onText` gets the report as it
    /// grows: the whole text so far, marked.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, isCancelled: () -> Bool = { false }, onText: (String) -> Void = { _ in }
    ) throws -> DraftReport { fatalError("being written") }

    /// Drafts, then answers questions, each as if it were the first after the report.
    public func draft(
        _ radiograph: Radiograph, source: DraftSource, questions: [String], isCancelled: () -> Bool = { false }
    ) throws -> (report: DraftReport, turns: [DialogueTurn]) { fatalError("being written") }
}
