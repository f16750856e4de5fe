import Foundation
import RaDialogPipeline

/// Random weights with golden outputs that `reference/write_alignment_goldens.py` wrote, and the manifest's object beside them.
struct AlignmentGolden: Sendable {
    let source: Safetensors
    private let specification: Data

    static let committed = Golden.root.appending(path: "fixtures/alignment").path

    /// At the published widths: the folder that `write_alignment_goldens.py --full` filled.
    static let full = ProcessInfo.processInfo.environment["RADIALOG_FULL_GOLDENS"].flatMap { $0.isEmpty ? nil : $0 }
    static let fullAbsence = "RADIALOG_FULL_GOLDENS does not name a folder of reference/write_alignment_goldens.py --full"

    init(_ name: String, in folder: String) throws {
        source = try Safetensors(path: "\(folder)/\(name).safetensors")
        specification = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).json"))
    }

    func tensor(_ name: String) throws -> (shape: [Int], values: [Float]) {
        guard let view = source.find("golden." + name) else { throw WeightsError.missingTensor(path: source.path, name: "golden." + name) }
        return (view.shape, try FloatTensor(view).array)
    }

    /// `[channels, grid, grid]` as the encoder gives it: channels last.
    func image(_ name: String) throws -> Activations {
        let (shape, values) = try tensor(name)
        let area = shape[1] * shape[2]
        return Activations(
            rows: area, columns: shape[0], values: (0..<values.count).map { values[$0 % shape[0] * area + $0 / shape[0]] })
    }

    private func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: specification)
    }

    func alignment() throws -> BundleManifest.Alignment {
        struct Keys: Decodable {
            var weights: String
            var input, output, queries, layers, hidden, heads, feedForward, crossAttentionEvery: Int
            var layerNormEps, visionNormEps: Double
        }
        let keys = try decode(Keys.self)
        return BundleManifest.Alignment(
            weights: keys.weights, input: keys.input, output: keys.output,
            architecture: .qFormer(.init(
                queries: keys.queries, layers: keys.layers, hidden: keys.hidden, heads: keys.heads, feedForward: keys.feedForward,
                crossAttentionEvery: keys.crossAttentionEvery, layerNormEpsilon: keys.layerNormEps, visionNormEpsilon: keys.visionNormEps)))
    }

    func prior() throws -> BundleManifest.ImageEncoder.Prior {
        struct Keys: Decodable {
            var blocks, heads, feedForward: Int
            var layerNormEps: Double
        }
        let keys = try decode(Keys.self)
        return .init(blocks: keys.blocks, heads: keys.heads, feedForward: keys.feedForward, layerNormEpsilon: keys.layerNormEps)
    }
}

/// Another source without one of its tensors.
struct SourceWithout: TensorSource {
    let other: any TensorSource
    let missing: String

    var path: String { other.path }
    var names: [String] { other.names.filter { $0 != missing } }
    func find(_ name: String) -> TensorView? { name == missing ? nil : other.find(name) }
}
