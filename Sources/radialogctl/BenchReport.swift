import Foundation
import RaDialogPipeline

/// What a benchmark prints: the form that Benchmarks/peers reads (its README), so that ours and the peers' stand in one table.
struct BenchReport: Encodable {
    var peer = "radialogd"
    var version: String
    var file: String
    var threads = 0
    var arithmetic = ""
    var results: [Row] = []

    struct Row: Encodable {
        var what: String
        var tokens: Int?
        var sequences: Int?
        var side: Int?
        var images: Int?
        var unit: String
        var median: Double
        var min: Double
        var max: Double

        var shape: String {
            [(tokens, "tokens"), (sequences, "sequences"), (side, "wide"), (images, images == 1 ? "image" : "images")].compactMap { count, name in count.map { "\($0) \(name)" } }
                .joined(separator: ", ")
        }
    }

    /// Says what the figures that follow were computed with.
    mutating func describe(_ pipeline: RaDialogPipeline) {
        threads = pipeline.threads
        guard arithmetic != pipeline.arithmetic else { return }
        arithmetic += arithmetic.isEmpty ? pipeline.arithmetic : "; then \(pipeline.arithmetic)"
    }

    /// - Parameter values: at least one.
    mutating func add(_ what: String, _ unit: String, _ values: [Double], tokens: Int? = nil, sequences: Int? = nil, side: Int? = nil, images: Int? = nil) {
        let sorted = values.sorted()
        let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        results.append(
            Row(what: what, tokens: tokens, sequences: sequences, side: side, images: images, unit: unit, median: median, min: sorted[0], max: sorted[sorted.count - 1]))
    }

    func printTable() {
        Output.print("\(file), \(threads) threads, \(arithmetic)")
        func digits(_ value: Double) -> String { value < 10 ? String(format: "%.3g", value) : String(format: "%.1f", value) }
        Output.print(
            table: results.map { [$0.what, $0.shape, digits($0.median), digits($0.min), digits($0.max), $0.unit] },
            header: ["what", "", "median", "min", "max", "unit"])
    }
}
