import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// The classifier's head, its prompt string, and where its evidence lies.
struct ClassifierTests {
    private static let labels: [FindingLabel] = [.noFinding, .cardiomegaly, .edema, .supportDevices]

    @Test(arguments: [
        ([], "no common findings"),
        ([FindingLabel.noFinding], "no finding"),
        ([.supportDevices], "support devices"),
        ([.noFinding, .supportDevices], "no finding, support devices"),
        ([.noFinding, .cardiomegaly], "cardiomegaly"),
        ([.noFinding, .edema, .supportDevices], "edema, support devices"),
        ([.edema, .cardiomegaly], "cardiomegaly, edema"),
    ])
    func `the prompt names positive labels in the classifier's order`(_ positive: [FindingLabel], _ expected: String) {
        let findings = Self.labels.map {
            Finding(label: $0, score: 0.5, threshold: 0.5, isPositive: positive.contains($0), activationMap: nil)
        }
        #expect(Classifier.promptFindings(findings) == expected)
    }

    @Test func `a score is positive above its own threshold, not at it, and only positive labels have a map`() throws {
        let toy = try ToyClassifier(thresholds: [0, 1, 0, 1])
        let pool = try KernelPool(threads: 2)
        let result = try toy.classifier()(pool, plane: toy.plane, side: 64)
        #expect(result.findings.map(\.isPositive) == [true, false, true, false])
        #expect(result.findings.map { $0.activationMap != nil } == [true, false, true, false])
        #expect(result.promptFindings == "edema")
        let scores = result.findings.map(\.score)
        let exact = try ToyClassifier(thresholds: scores)
        #expect(try exact.classifier()(pool, plane: toy.plane, side: 64).findings.allSatisfy { !$0.isPositive })
    }

    @Test func `logits follow from the projected patches by averaging and two layers, channel-major`() throws {
        let toy = try ToyClassifier(thresholds: [0, 0, 0, 0])
        let pass = try toy.classifier().forward(KernelPool(threads: 1), planes: [toy.plane], side: 64)[0]
        #expect(relativeError(pass.logits.array, toy.logits(pass.patches.array)) < fp32Budget)
    }

    @Test func `each patch's contribution is the slope of the logit times the patch`() throws {
        let toy = try ToyClassifier(thresholds: [0, 0, 0, 0])
        let (pool, classifier) = (try KernelPool(threads: 1), try toy.classifier())
        let pass = try classifier.forward(pool, planes: [toy.plane], side: 64)[0]
        let patches = pass.patches.array
        for label in Self.labels.indices {
            let contributions = classifier.contributions(pool, label: label, pass)
            for patch in 0..<pass.grid * pass.grid {
                // The derivative along the patch itself, by a central difference within the ReLU's linear piece.
                let step: Float = 1.0 / 64
                var (more, less) = (patches, patches)
                for channel in 0..<ToyClassifier.projection {
                    more[patch * ToyClassifier.projection + channel] *= 1 + step
                    less[patch * ToyClassifier.projection + channel] *= 1 - step
                }
                let slope = (toy.logits(more)[label] - toy.logits(less)[label]) / (2 * step)
                #expect(abs(contributions[patch] - slope) < 2e-3)
            }
            let map = try #require(try classifier(pool, plane: toy.plane, side: 64).findings[label].activationMap)
            #expect(map.rows == 2 && map.columns == 2)
            let largest = contributions.max() ?? 0
            #expect(map.values == contributions.map { largest > 0 ? max(0, $0) / largest : 0 })
        }
    }

    @Test func `weights that are not numbers give an error and no findings`() throws {
        let toy = try ToyClassifier(thresholds: [0, 0, 0, 0])
        toy.encoder.weights.set("fc2.bias", 1, to: .nan)
        #expect(throws: PipelineError.notFinite(stage: "classifier")) {
            try toy.classifier()(KernelPool(threads: 1), plane: toy.plane, side: 64)
        }
    }

    @Test func `a pool that does not divide the grid is refused`() throws {
        let toy = try ToyClassifier(thresholds: [0, 0, 0, 0], pool: 3)
        #expect(throws: PipelineError.self) { try toy.classifier() }
    }
}

/// The toy encoder with a projector and a head of six hidden units over a grid of 2 x 2.
private final class ToyClassifier {
    static let projection = 5
    let encoder: ToyEncoder
    let manifest: BundleManifest.Classifier
    let plane: [Float]

    init(thresholds: [Double], pool: Int = 1) throws {
        encoder = try ToyEncoder(seed: 9, prefix: "biovil_encoder.", projection: Self.projection)
        encoder.weights.add("fc1.weight", [6, Self.projection * 4])
        encoder.weights.add("fc1.bias", [6], in: -0.2...0.2)
        encoder.weights.add("fc2.weight", [4, 6])
        encoder.weights.add("fc2.bias", [4], in: -0.2...0.2)
        manifest = BundleManifest.Classifier(
            encoder: encoder.manifest, projection: Self.projection, pool: pool, hidden: 6,
            labels: [.noFinding, .cardiomegaly, .edema, .supportDevices], thresholds: thresholds)
        var numbers = SeededNumbers(21)
        plane = numbers.floats(64 * 64, in: 0...1)
    }

    func classifier() throws -> Classifier { try Classifier(encoder.weights.open(), side: 64, manifest) }

    /// From patches [4, projection], with a pool of 1.
    func logits(_ patches: [Float]) -> [Float] {
        let flat = (0..<Self.projection).flatMap { channel in (0..<4).map { Double(patches[$0 * Self.projection + channel]) } }
        let hidden = (0..<6).map { unit in
            max(0, flat.indices.reduce(Double(encoder.weights["fc1.bias"][unit])) { $0 + Double(encoder.weights["fc1.weight"][unit * flat.count + $1]) * flat[$1] })
        }
        return (0..<4).map { label in
            Float(hidden.indices.reduce(Double(encoder.weights["fc2.bias"][label])) { $0 + Double(encoder.weights["fc2.weight"][label * 6 + $1]) * hidden[$1] })
        }
    }
}
