public import ReportModel

/// CheXbert (Smit et al. 2020, arXiv:2004.09167): a BERT that reads a report and says for each of the fourteen labels whether the text
/// states it, denies it, weighs it, or does not speak of it.
///
/// It reads what its authors' program reads: white space as single blanks, at most as many tokens as there are positions. Its words are
/// no evidence: it does not say where in the text a label comes from.
public final class CheXbert: Sendable {
    private let pool: KernelPool
    private let tokenizer: WordPieceTokenizer
    private let encoder: BERTEncoder
    private let heads: [Head]
    private let positions: Int

    /// One linear layer over the encoder's [CLS] for one label.
    private struct Head: Sendable {
        let label: FindingLabel
        let linear: Linear
    }

    /// - Parameter threads: 0 for all cores. The labels do not depend on it.
    /// - Throws: `BundleError`, `.noLabeler` where the bundle has none; `WeightsError`; `PipelineError`.
    public convenience init(bundle: ModelBundle, threads: Int) throws {
        let (weights, tokenizer, shape) = try bundle.openLabeler()
        try self.init(weights, tokenizer, shape, pool: KernelPool(threads: threads))
    }

    package init(_ source: any TensorSource, _ tokenizer: WordPieceTokenizer, _ shape: BundleManifest.Labeler, pool: KernelPool) throws {
        guard tokenizer.vocabularySize <= shape.vocabulary, shape.positions >= 2 else {
            throw PipelineError.inconsistent(
                "labeler: a tokenizer of \(tokenizer.vocabularySize) pieces, \(shape.vocabulary) embeddings, \(shape.positions) positions")
        }
        self.pool = pool
        self.tokenizer = tokenizer
        positions = shape.positions
        encoder = try BERTEncoder(source, "bert.", shape)
        heads = try shape.labels.enumerated().map { index, label in
            Head(label: label, linear: try Linear(
                source, "linear_heads.\(index)", outputs: Self.states(of: label).count, inputs: shape.hidden, hasBias: true))
        }
        source.letGo()
    }

    /// Rows of the segment embedding, of which a report's tokens use the first.
    package static let segments = BERTEncoder.segmentCount

    /// What the outputs of a label's head stand for, in their order. Whether nothing was found is stated, or it is not.
    package static func states(of label: FindingLabel) -> [LabelState] {
        label == .noFinding ? [.blank, .positive] : [.blank, .positive, .negative, .uncertain]
    }

    /// Labels a report's text. No text is too long: what lies behind the last position is not read, and `isTruncated` says so. The result
    /// has no mentions and no comparisons.
    /// - Throws: `PipelineError.notFinite`.
    public func label(_ text: String) throws(PipelineError) -> LabeledReport {
        let (tokens, isTruncated) = tokenizer.encode(Self.plain(text), limit: positions)
        var states: [FindingLabel: LabelState] = [:]
        for (label, values) in logits(tokens) {
            guard values.allSatisfy(\.isFinite) else { throw .notFinite(stage: "report labeler") }
            // The first of equals, as PyTorch's argmax.
            let best = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
            states[label] = Self.states(of: label)[best]
        }
        let entries = FindingLabel.allCases.map { LabeledReport.Entry(label: $0, state: states[$0] ?? .blank) }
        return LabeledReport(labels: entries, mentions: [], comparisons: [], isTruncated: isTruncated)
    }

    /// The outputs of every head, in the order of the heads.
    /// - Parameter tokens: `[CLS]` first; no more than positions; ids of the vocabulary.
    package func logits(_ tokens: [Int32]) -> [(label: FindingLabel, values: [Float])] {
        let x = encoder(pool, tokens)
        let first = Activations(rows: 1, columns: x.columns)
        first.pointer.update(from: x.pointer, count: x.columns)
        return heads.map { ($0.label, $0.linear(pool, first).array) }
    }

    /// White space as Python's `\s` knows it (Unicode's, and four separators of ASCII), each a blank. BERT itself would drop a form feed
    /// and join the words around it.
    package static func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            result.append(scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value) ? " " : scalar)
        }
        return String(result)
    }
}
