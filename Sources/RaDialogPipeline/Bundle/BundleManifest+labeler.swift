public import ReportModel

extension BundleManifest {
    /// A CheXbert that labels report texts. Drafting does not need it.
    public struct Labeler: Sendable, Equatable {
        static let architecture = "chexbert"
        /// File with the tensors.
        public var weights: String
        /// File with the vocabulary: the `vocab.txt` of the BERT it was trained from.
        public var tokenizer: String
        public var layers: Int
        public var hidden: Int
        public var heads: Int
        public var feedForward: Int
        /// Rows of the token embedding; at least the vocabulary's lines.
        public var vocabulary: Int
        /// Tokens of a text, `[CLS]` and `[SEP]` with them.
        public var positions: Int
        public var layerNormEpsilon: Double
        /// All fourteen, in the order of the heads.
        public var labels: [FindingLabel]

        package init(
            weights: String, tokenizer: String, layers: Int, hidden: Int, heads: Int, feedForward: Int, vocabulary: Int, positions: Int,
            layerNormEpsilon: Double, labels: [FindingLabel]
        ) {
            self.weights = weights
            self.tokenizer = tokenizer
            self.layers = layers
            self.hidden = hidden
            self.heads = heads
            self.feedForward = feedForward
            self.vocabulary = vocabulary
            self.positions = positions
            self.layerNormEpsilon = layerNormEpsilon
            self.labels = labels
        }
    }
}

extension BundleManifest.Labeler {
    init?(optional object: ManifestObject?) throws(ManifestProblem) {
        guard var object else { return nil }
        try object.fixed("architecture", Self.architecture)
        weights = try object.fileName("weights")
        tokenizer = try object.fileName("tokenizer")
        layers = try object.integer("layers", in: 1...1024)
        hidden = try object.integer("hidden", in: 1...65_536)
        heads = try object.integer("heads", in: 1...1024)
        feedForward = try object.integer("feed_forward", in: 1...262_144)
        vocabulary = try object.integer("vocabulary", in: 3...1_000_000)
        positions = try object.integer("positions", in: 2...65_536)
        layerNormEpsilon = try object.number("layer_norm_eps", in: 1e-12...0.1)
        let all = FindingLabel.allCases.count
        labels = try object.labels("labels", count: all...all)
        guard hidden % heads == 0 else { throw object.problem("heads", "has to divide hidden") }
        try object.finish()
    }

    func checkFiles(in files: [String: BundleManifest.File]) throws(ManifestProblem) {
        for name in [weights, tokenizer] where files[name] == nil {
            throw ManifestProblem(key: "files", reason: "does not name \(name), which the labeler is read from")
        }
    }
}

extension ManifestObject {
    /// Labels of CheXpert, each at most once.
    mutating func labels(_ name: String, count: ClosedRange<Int>) throws(ManifestProblem) -> [FindingLabel] {
        var labels: [FindingLabel] = []
        for (index, value) in try array(name, count: count).enumerated() {
            guard case .string(let text) = value, let label = FindingLabel(rawValue: text) else {
                throw problem("\(name)[\(index)]", "is not one of CheXpert's fourteen labels")
            }
            guard !labels.contains(label) else { throw problem("\(name)[\(index)]", "\"\(text)\" stands twice") }
            labels.append(label)
        }
        return labels
    }
}
