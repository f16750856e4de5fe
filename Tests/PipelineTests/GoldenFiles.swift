import Foundation
import RaDialogPipeline
import Testing

/// Tensors and texts that `reference/write_goldens.py` wrote for one film and one bundle.
///
/// Looked for in `fixtures/goldens` with `models/radialog-demo`, and in what `RADIALOG_GOLDENS=BUNDLE:GOLDENS` names.
struct Golden: Sendable, CustomTestStringConvertible {
    let bundleDirectory: String
    let stem: URL

    var testDescription: String { "\(URL(filePath: bundleDirectory).lastPathComponent), \(stem.lastPathComponent)" }

    static let all: [Golden] = locations.flatMap { bundle, goldens in
        let files = (try? FileManager.default.contentsOfDirectory(at: goldens, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "safetensors" }.sorted { $0.path < $1.path }
            .map { Golden(bundleDirectory: bundle.path, stem: $0.deletingPathExtension()) }
    }

    /// A bundle to draft with, whether there are goldens of it or not.
    static let anyBundle: String? = locations.first?.0.path

    static let absence: String =
        "no golden tensors: neither fixtures/goldens with models/radialog-demo, nor RADIALOG_GOLDENS=BUNDLE:GOLDENS"

    /// The checkout's root, from this file's real place.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static var locations: [(URL, URL)] {
        var found = [(root.appending(path: "models/radialog-demo"), root.appending(path: "fixtures/goldens"))]
        let named = ProcessInfo.processInfo.environment["RADIALOG_GOLDENS"]?.split(separator: ":") ?? []
        if named.count == 2 { found.append((URL(filePath: String(named[0])), URL(filePath: String(named[1])))) }
        return found.filter { FileManager.default.fileExists(atPath: $0.0.appending(path: "manifest.json").path) }
    }

    struct Record: Decodable {
        var bundle_sha256: String
        var scores: [Double]
        var positive: [String]
        var prompt_findings: String
        var prompt_ids_before_image: [Int32]
        var prompt_ids_after_image: [Int32]
        var report_ids: [Int32]
        var dialogue: [Turn]

        struct Turn: Decodable {
            var question: String
            var ids: [Int32]
        }
    }

    func record() throws -> Record {
        try JSONDecoder().decode(Record.self, from: Data(contentsOf: stem.appendingPathExtension("json")))
    }

    /// Every tensor as floats; 8-bit ones as 0...255.
    func tensors() throws -> [String: (shape: [Int], values: [Float])] {
        struct Entry: Decodable {
            var dtype: String
            var shape: [Int]
            var data_offsets: [Int]
        }
        let data = try Data(contentsOf: stem.appendingPathExtension("safetensors"))
        let headerBytes = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try JSONDecoder().decode([String: Entry].self, from: data[8..<8 + headerBytes])
        return header.mapValues { entry in
            let bytes = [UInt8](data[(8 + headerBytes + entry.data_offsets[0])..<(8 + headerBytes + entry.data_offsets[1])])
            if entry.dtype == "U8" { return (entry.shape, bytes.map(Float.init)) }
            return (entry.shape, bytes.withUnsafeBytes { raw in
                (0..<raw.count / 4).map { Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self))) }
            })
        }
    }
}

/// What single precision allows for a stage, relative to the largest value of the reference.
let fp32Budget: Float = 1e-4

/// The largest difference, relative to the largest reference value.
func relativeError(_ found: [Float], _ reference: [Float]) -> Float {
    guard found.count == reference.count, !reference.isEmpty else { return .infinity }
    let scale = reference.reduce(0) { max($0, abs($1)) }
    let worst = zip(found, reference).reduce(Float(0)) { $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity }
    return worst / max(scale, .leastNormalMagnitude)
}
