internal import CKernels
import Glibc
package import ReportModel

// The CheXpert classifier (model.md section 3): its own image encoder with projector, average pooling, fc1, ReLU, fc2, sigmoid; and
// where each positive label's evidence lies.

/// What the classifier says of one film.
package struct Classification: Sendable {
    /// One per label of the manifest, in its order; those asked for with their activation map.
    package var findings: [Finding]
    /// As the prompt names them.
    package var promptFindings: String
}

/// Which labels get an activation map.
public enum ActivationMapSelection: Sendable {
    /// Those above their threshold.
    case positive
    case all
}

package struct Classifier: Sendable {
    private let manifest: BundleManifest.Classifier
    let encoder: ImageEncoder
    /// Inputs in the order of our pooled grid: cell by cell, channels within. The checkpoint's is channel-major.
    private let first: Linear
    private let second: Linear
    /// `first` and `second` transposed, for the gradient.
    private let firstTransposed: Linear
    private let secondRows: FloatTensor
    private let cells: Int

    /// - Parameter arithmetic: of the encoder's trunk; everything behind it is fp32.
    package init(
        _ source: any TensorSource, side: Int, _ manifest: BundleManifest.Classifier, arithmetic: KernelPool.ImageArithmetic = .fp32
    ) throws {
        let grid = manifest.encoder.grid(side: side)
        guard manifest.pool > 0, grid % manifest.pool == 0 else {
            throw PipelineError.inconsistent("classifier.pool \(manifest.pool) does not divide the grid of \(grid)")
        }
        let cells = (grid / manifest.pool) * (grid / manifest.pool)
        let channels = manifest.projection
        let inputs = channels * cells
        let weight = try source.floats("fc1.weight", shape: [manifest.hidden, inputs])
        let bias = try source.floats("fc1.bias", shape: [manifest.hidden])

        self.manifest = manifest
        self.cells = cells
        encoder = try ImageEncoder(source, prefix: "biovil_encoder.", manifest.encoder, arithmetic: arithmetic)
        first = try Linear(outputs: manifest.hidden, inputs: inputs, bias: bias) { output, row in
            for cell in 0..<cells {
                for channel in 0..<channels {
                    row[cell * channels + channel] = weight.pointer[output * inputs + channel * cells + cell]
                }
            }
        }
        firstTransposed = try Linear(outputs: inputs, inputs: manifest.hidden, bias: nil) { input, row in
            let (cell, channel) = input.quotientAndRemainder(dividingBy: channels)
            for unit in 0..<manifest.hidden { row[unit] = weight.pointer[unit * inputs + channel * cells + cell] }
        }
        second = try Linear(source, "fc2", outputs: manifest.labels.count, inputs: manifest.hidden, hasBias: true)
        secondRows = try source.floats("fc2.weight", shape: [manifest.labels.count, manifest.hidden])
    }

    /// - Parameters:
    ///   - plane: `[side, side]`, 0...1.
    ///   - maps: which labels get an activation map; one costs a product with `fc1` and a pass over the patches.
    package func callAsFunction(
        _ pool: KernelPool, plane: [Float], side: Int, maps: ActivationMapSelection = .positive, check: () throws -> Void = {}
    ) throws -> Classification {
        try classification(pool, forward(pool, planes: [plane], side: side, check: check)[0], maps: maps)
    }

    /// - Parameter pass: of this classifier.
    /// - Throws: `PipelineError.notFinite`.
    package func classification(_ pool: KernelPool, _ pass: Pass, maps: ActivationMapSelection) throws(PipelineError) -> Classification {
        guard pass.logits.isFinite else { throw PipelineError.notFinite(stage: "classifier") }
        let findings = manifest.labels.indices.map { index in
            // The sigmoid in double precision: a score near a threshold must not depend on a single's rounding.
            let score = 1 / (1 + exp(-Double(pass.logits.pointer[index])))
            let isPositive = score > manifest.thresholds[index]
            return Finding(
                label: manifest.labels[index], score: score, threshold: manifest.thresholds[index], isPositive: isPositive,
                activationMap: isPositive || maps == .all ? activationMap(pool, label: index, pass) : nil)
        }
        return Classification(findings: findings, promptFindings: Self.promptFindings(findings))
    }

    /// Everything between the plane and the logits that the activation maps need.
    package struct Pass {
        /// [grid * grid, projection]
        package let patches: Activations
        /// [1, hidden], after the ReLU.
        package let hidden: Activations
        /// [1, labels]
        package let logits: Activations
        package let grid: Int
    }

    /// - Parameter planes: `[side, side]` each, 0...1. What one gives does not depend on the others.
    package func forward(_ pool: KernelPool, planes: [[Float]], side: Int, check: () throws -> Void = {}) throws -> [Pass] {
        let grid = manifest.encoder.grid(side: side)
        return try encoder.patchFeatures(pool, planes: planes, side: side, check: check).map { features in
            let patches = encoder.project(pool, features)  // [grid * grid, projection]
            let pooled = Activations(rows: 1, columns: cells * patches.columns)
            ck_average_pool(pooled.pointer, patches.pointer, grid, grid, patches.columns, manifest.pool)
            let hidden = first(pool, pooled, activation: .relu)
            return Pass(patches: patches, hidden: hidden, logits: second(pool, hidden), grid: grid)
        }
    }

    /// Where a label's evidence lies: gradient times activation, summed over the channels, ReLU, scaled to a largest value of 1.
    ///
    /// The gradient of a logit with respect to the projected patches is exact here: behind the patches stand only an average and two
    /// linear layers, whose ReLU is a mask. It is not averaged over the grid before it is multiplied (HiResCAM, Draelos and Carin 2020, rather
    /// than Grad-CAM), so that the map's values before the ReLU add up to the logit, but for the biases: it shows what the score was
    /// made of and nothing else. All zero where no patch speaks for the label.
    private func activationMap(_ pool: KernelPool, label: Int, _ pass: Pass) -> ActivationMap {
        let contributions = contributions(pool, label: label, pass)
        let largest = contributions.max() ?? 0
        let values = contributions.map { largest > 0 ? max(0, $0) / largest : 0 }
        return ActivationMap(rows: pass.grid, columns: pass.grid, values: values)
    }

    /// What each patch adds to the logit of `label`: `grid * grid` values, row-major.
    package func contributions(_ pool: KernelPool, label: Int, _ pass: Pass) -> [Float] {
        let channels = pass.patches.columns
        let masked = Activations(rows: 1, columns: pass.hidden.columns)
        for unit in 0..<masked.columns {
            masked.pointer[unit] = pass.hidden.pointer[unit] > 0 ? secondRows.pointer[label * masked.columns + unit] : 0
        }
        let gradient = firstTransposed(pool, masked)  // [1, cells * projection]: with respect to the pooled patches
        let cellsPerRow = pass.grid / manifest.pool
        let share = 1 / Float(manifest.pool * manifest.pool)
        return (0..<pass.patches.rows).map { patch in
            let cell = patch / pass.grid / manifest.pool * cellsPerRow + patch % pass.grid / manifest.pool
            return ck_dot(pool.handle, gradient.pointer + cell * channels, pass.patches.row(patch), channels) * share
        }
    }

    /// Positive labels in the classifier's order, lower case, joined by ", ". "No Finding" is dropped where anything besides it and
    /// "Support Devices" is positive; nothing positive is "no common findings". Source: model.md section 3.
    package static func promptFindings(_ findings: [Finding]) -> String {
        let positive = findings.filter(\.isPositive).map(\.label)
        let hasPathology = positive.contains { $0 != .noFinding && $0 != .supportDevices }
        let named = positive.filter { $0 != .noFinding || !hasPathology }
        return named.isEmpty ? "no common findings" : named.map { $0.rawValue.lowercased() }.joined(separator: ", ")
    }
}
