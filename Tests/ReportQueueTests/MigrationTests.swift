import Foundation
import ReportModel
import ReportQueue
import Testing

/// A database that an earlier program left. `fixtures/queue/schema1.sql` was written by the program of schema version 1.
@Suite struct MigrationTests {
    private static let dump = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("../../fixtures/queue/schema1.sql").standardizedFileURL

    /// A queue on the file of version 1, in a folder beside the scratch queue.
    private func upgraded(_ scratch: Scratch) throws -> (queue: ReportQueue, folder: String) {
        let folder = scratch.path + "/version1"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try ReportQueue.restore(String(contentsOf: Self.dump, encoding: .utf8), to: folder + "/radialog.db")
        return (try Scratch.open(folder), folder)
    }

    @Test func `a database of version 1 opens as version 2 and keeps its data`() throws {
        let scratch = try Scratch()
        let (queue, _) = try upgraded(scratch)
        defer { queue.close() }
        #expect(try queue.writerPragma("user_version") == "2")
        #expect(try queue.integrityProblems().isEmpty)
        #expect(try queue.verifyAudit().isIntact && queue.auditHead().sequence == 18)
        let states = try Dictionary(uniqueKeysWithValues: queue.studies().map { ($0.studyInstanceUID, $0.state) })
        #expect(states == ["1.2.1": .signed, "1.2.2": .drafted, "1.2.3": .drafted, "1.2.4": .noDraft, "1.2.5": .queued])
        let corrected = try queue.outgoingReport(study: "1.2.1", version: .final)
        #expect(corrected.status == .corrected && corrected.text == "The heart is normal in size. No effusion." && corrected.signature?.userName == "reader")
        #expect(try queue.study("1.2.2").report?.openedBy == "second")
        let report = try queue.reportID(study: "1.2.1", version: .draft)
        #expect(try queue.document(reportID: report, kind: .oru, variant: "RIS") == Data("MSH|bytes".utf8))
    }

    @Test func `its drafts were not compared, and are signed like any other`() throws {
        let scratch = try Scratch()
        let (queue, _) = try upgraded(scratch)
        defer { queue.close() }
        for study in ["1.2.1", "1.2.2", "1.2.3"] {
            let draft = try #require(try queue.study(study).draft)
            #expect(draft.flags == nil && draft.provenance.imageChoice == nil && !draft.text.isEmpty && draft.provenance.selectionReason == "PA")
        }
        #expect(try queue.outgoingReport(study: "1.2.3", version: .draft).flags == nil)
        #expect(try queue.statistics().flaggedDrafts == 0)
        let reader = try queue.authenticate(user: "reader", password: "password of reader")
        let shown = try #require(try queue.study("1.2.3").report)
        let version = try queue.sign(study: "1.2.3", by: reader, text: nil, shownTextSHA256: shown.textSHA256, expectedVersion: 1, destinations: [])
        #expect(version == 2)
    }

    @Test func `work that version 1 left is done by version 2`() throws {
        let scratch = try Scratch()
        let (queue, folder) = try upgraded(scratch)
        let job = try #require(try queue.claimJob(owner: "worker", lease: .seconds(60)))
        var draft = draftReport()
        draft.flags = [omission]
        _ = try queue.finish(job, draft: draft, keyImage: "1.2.5.4", destinations: [])
        queue.close()
        // The second opening finds nothing to migrate.
        let again = try Scratch.open(folder)
        defer { again.close() }
        #expect(try again.study("1.2.5").draft?.flags == [omission])
        #expect(try again.writerPragma("user_version") == "2")
    }
}
