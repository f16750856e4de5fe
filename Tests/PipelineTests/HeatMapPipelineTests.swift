import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// Heat maps from a bundle: of a draft that was made before, and of every label.
@Suite(.enabled(if: Golden.anyBundle != nil, Comment(rawValue: Golden.absence)))
struct HeatMapPipelineTests {
    private func pipeline(_ rendering: RenderingMode? = nil) throws -> RaDialogPipeline {
        try RaDialogPipeline(bundle: ModelBundle.open(try #require(Golden.anyBundle)), options: ComputeOptions(threads: 1), rendering: rendering)
    }

    private func radiograph(rows: Int = 300, columns: Int = 260) -> Radiograph {
        let values = (0..<rows * columns).map { Int32(($0 / columns) * ($0 % columns) % 4001) }
        return Radiograph(
            rows: rows, columns: columns, samplesPerPixel: 1, bitsStored: 12, photometricInterpretation: .monochrome2,
            presentationIsInverse: false, modalityTransform: .identity, voiTransform: .none, storedValues: values)
    }

    @Test func `a draft's positive findings have heat maps of the film's size, and maps of all labels are there for the asking`() throws {
        let (pipeline, film) = (try pipeline(), radiograph())
        let draft = try pipeline.draft(film, source: DraftSource())
        let all = try pipeline.findings(in: film, maps: .all)
        #expect(all.map(\.label) == draft.findings.map(\.label) && all.map(\.score) == draft.findings.map(\.score))
        #expect(all.allSatisfy { $0.activationMap != nil })
        #expect(try pipeline.findings(in: film, maps: .positive) == draft.findings)

        let maps = try pipeline.heatMaps(over: film, findings: all, renderedSHA256: draft.provenance.renderedSHA256)
        #expect(maps.map(\.label) == all.map(\.label) && maps.map(\.map) == all.map(\.activationMap))
        let fullSize = try #require(maps.first).fullSize()
        #expect(fullSize.rows == 300 && fullSize.columns == 260)
        let positive = try pipeline.heatMaps(over: film, findings: draft.findings)
        #expect(positive.map(\.label) == draft.findings.filter(\.isPositive).map(\.label))
        #expect(try pipeline.heatMaps(over: film, findings: []).isEmpty)
    }

    @Test func `a map is not drawn over another film, nor over the film rendered otherwise`() throws {
        let (pipeline, film) = (try pipeline(), radiograph())
        let findings = try pipeline.findings(in: film, maps: .all)
        let rendering = try #require(pipeline.bundle.manifest.vision).preprocessing.rendering
        let hash = try Rendering.render(film, rendering).sha256
        #expect(try !pipeline.heatMaps(over: film, findings: findings, renderedSHA256: hash).isEmpty)
        #expect(throws: HeatMapError.otherFilm) {
            try pipeline.heatMaps(over: radiograph(rows: 299), findings: findings, renderedSHA256: hash)
        }
        let other: RenderingMode = rendering == .voi ? .mimicCXRJPG : .voi
        #expect(throws: HeatMapError.otherFilm) {
            try self.pipeline(other).heatMaps(over: film, findings: findings, renderedSHA256: hash)
        }
    }

    @Test func `the classifier alone can be cancelled`() throws {
        let pipeline = try pipeline()
        #expect(throws: PipelineError.cancelled) { try pipeline.findings(in: radiograph(), maps: .all, isCancelled: { true }) }
    }
}
