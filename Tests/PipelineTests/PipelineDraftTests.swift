import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// The whole way from stored values to marked text, on a bundle: `models/radialog-demo`, or what RADIALOG_GOLDENS names first.
@Suite(.enabled(if: Golden.anyBundle != nil, Comment(rawValue: Golden.absence)), .serialized)
struct PipelineDraftTests {
    private static let source = DraftSource(
        sopInstanceUID: "1.2.3", selectionReason: "PA", inputSHA256: String(repeating: "a", count: 64), decodeSeconds: 0.25)
    private static let questions = ["List all the findings in this report.", "From which view was the image taken?"]

    private func pipeline(threads: Int) throws -> RaDialogPipeline {
        try RaDialogPipeline(bundle: ModelBundle.open(try #require(Golden.anyBundle)), options: ComputeOptions(threads: threads))
    }

    /// Without what a clock decides.
    private func timeless(_ report: DraftReport) -> DraftReport {
        var report = report
        report.provenance.timings = .init()
        return report
    }

    @Test func `a film has the same draft and answers for any number of threads, and under load`() throws {
        let film = SyntheticFilm.chest
        let (alone, two) = (try pipeline(threads: 1), try pipeline(threads: 2))
        let first = try alone.draft(film, source: Self.source, questions: Self.questions)
        let drafts = Mutex2<[DraftReport]>([])
        let source = Self.source
        DispatchQueue.concurrentPerform(iterations: 3) { index in
            do {
                let draft = try (index == 0 ? alone : two).draft(film, source: source)
                drafts.append(draft)
            } catch {
                Issue.record(error)
            }
        }
        #expect(drafts.value.count == 3)
        for draft in drafts.value { #expect(timeless(draft) == timeless(first.report)) }
        // Each question starts at the report, whatever was asked before it.
        let reversed = try two.draft(film, source: Self.source, questions: Self.questions.reversed())
        #expect(reversed.turns.map(\.answer) == first.turns.reversed().map(\.answer))
        #expect(first.turns.map(\.question) == Self.questions)
    }

    @Test(.timeLimit(.minutes(2))) func `films that wait at the same time have the drafts that they have alone`() throws {
        let pipeline = try pipeline(threads: 2)
        // Brighter by a little each: other films, and other scores.
        let films = (0..<10).map { index in
            var film = SyntheticFilm.chest
            film.storedValues = film.storedValues.enumerated().map { $0 % 37 < index ? min(4095, $1 + 300) : $1 }
            return film
        }
        let source = Self.source
        let alone = try films.map { timeless(try pipeline.draft($0, source: source, limits: GenerationLimits(tokens: 4))) }
        #expect(Set(alone.map(\.provenance.renderedSHA256)).count == films.count)
        let drafts = Mutex2<[DraftReport]>([])
        let group = DispatchGroup()
        for film in films {
            group.enter()
            Thread.detachNewThread {
                do { drafts.append(try pipeline.draft(film, source: source, limits: GenerationLimits(tokens: 4))) } catch { Issue.record(error) }
                group.leave()
            }
        }
        group.wait()
        let found = Dictionary(uniqueKeysWithValues: drafts.value.map { ($0.provenance.renderedSHA256, timeless($0)) })
        for draft in alone { #expect(found[draft.provenance.renderedSHA256] == draft) }
    }

    @Test func `in the processor's own arithmetic every score is within 0_005 of fp32's`() throws {
        let bundle = try ModelBundle.open(try #require(Golden.anyBundle))
        let (fast, exact) = (try pipeline(threads: 2), try RaDialogPipeline(bundle: bundle, pool: KernelPool(threads: 2, panelArithmetic: .fp32)))
        #expect(!exact.arithmetic.contains("amx"))
        let (found, wanted) = (try fast.draft(SyntheticFilm.chest, source: Self.source), try exact.draft(SyntheticFilm.chest, source: Self.source))
        #expect(found.findings.count == wanted.findings.count && !found.findings.isEmpty)
        for (a, b) in zip(found.findings, wanted.findings) { #expect(abs(a.score - b.score) <= 0.005, "\(a.label)") }
    }

    @Test func `a draft says where it came from`() throws {
        let pipeline = try pipeline(threads: 2)
        let report = try pipeline.draft(SyntheticFilm.chest, source: Self.source)
        let provenance = report.provenance
        let vision = try #require(pipeline.bundle.manifest.vision)
        #expect(provenance.bundleName == pipeline.bundle.name)
        #expect(provenance.bundleSHA256 == pipeline.bundle.sha256)
        #expect(provenance.build == Build.version)
        #expect(provenance.arithmetic == pipeline.arithmetic)
        #expect(provenance.arithmetic.hasPrefix("fp32-fma+"))
        #expect(provenance.sopInstanceUID == "1.2.3")
        #expect(provenance.selectionReason == "PA")
        #expect(provenance.inputSHA256 == Self.source.inputSHA256)
        #expect(provenance.rendering == vision.preprocessing.rendering.rawValue)
        for hash in [provenance.renderedSHA256, provenance.promptSHA256] {
            #expect(hash.count == 64 && hash.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        }
        #expect(provenance.generatedTokens > 0)
        #expect(["stop", "length"].contains(provenance.finishReason))
        #expect(provenance.timings.decode == 0.25)
        #expect(report.findings.map(\.label) == vision.classifier.labels)
    }

    @Test func `every line is marked once, while it streams and at the end`() throws {
        let pipeline = try pipeline(threads: 2)
        var streamed: [String] = []
        let report = try pipeline.draft(SyntheticFilm.chest, source: Self.source, onText: { streamed.append($0) })
        #expect(streamed.last == report.text)
        for text in streamed + [report.text] where pipeline.bundle.kind == .demo {
            for line in text.split(separator: "\n") {
                #expect(line.hasPrefix("[\(MachineText.demonstrationMark)] "))
                #expect(line.components(separatedBy: MachineText.demonstrationMark).count == 2)
            }
        }
    }

    @Test func `a cancelled draft throws, whenever that is, and the next one is not disturbed`() throws {
        let (pipeline, film) = (try pipeline(threads: 2), SyntheticFilm.chest)
        let expected = timeless(try pipeline.draft(film, source: Self.source))
        for call in [1, 2, 10, 40, 60] {
            var asked = 0
            #expect(throws: PipelineError.cancelled) {
                try pipeline.draft(film, source: Self.source, isCancelled: {
                    asked += 1
                    return asked >= call
                })
            }
        }
        #expect(timeless(try pipeline.draft(film, source: Self.source)) == expected)
    }

    @Test func `questions without content or beyond all measure are refused before anything is computed`() throws {
        let pipeline = try pipeline(threads: 1)
        for question in ["", " \n", "\u{202E}\u{7}", String(repeating: "x", count: 2001)] {
            #expect { try pipeline.draft(SyntheticFilm.chest, source: Self.source, questions: [question]) } throws: {
                if case PipelineError.badQuestion = $0 { true } else { false }
            }
        }
    }
}

/// What several threads append to.
private final class Mutex2<Value: Sendable>: @unchecked Sendable {  // `lock` guards `stored`
    private let lock = NSLock()
    private var stored: Value
    init(_ value: Value) { stored = value }
    var value: Value { lock.withLock { stored } }
}

extension Mutex2 where Value == [DraftReport] {
    func append(_ report: DraftReport) { lock.withLock { stored.append(report) } }
}
