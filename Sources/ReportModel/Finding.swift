/// The fourteen labels of CheXpert (Irvin et al. 2019), in the order of the classifier's outputs.
public enum FindingLabel: String, Sendable, Codable, CaseIterable {
    case noFinding = "No Finding"
    case enlargedCardiomediastinum = "Enlarged Cardiomediastinum"
    case cardiomegaly = "Cardiomegaly"
    case lungOpacity = "Lung Opacity"
    case lungLesion = "Lung Lesion"
    case edema = "Edema"
    case consolidation = "Consolidation"
    case pneumonia = "Pneumonia"
    case atelectasis = "Atelectasis"
    case pneumothorax = "Pneumothorax"
    case pleuralEffusion = "Pleural Effusion"
    case pleuralOther = "Pleural Other"
    case fracture = "Fracture"
    case supportDevices = "Support Devices"
}

/// What the classifier says of one label. A model's score, never a fact.
public struct Finding: Sendable, Codable, Equatable {
    public var label: FindingLabel
    /// Sigmoid of the logit, 0...1.
    public var score: Double
    /// From the bundle; `isPositive` is `score > threshold`.
    public var threshold: Double
    public var isPositive: Bool
    /// Class activation map of a positive finding: row-major, `grid x grid`, gradient-weighted, ReLU, scaled to 0...1.
    public var activationMap: ActivationMap?

    public init(label: FindingLabel, score: Double, threshold: Double, isPositive: Bool, activationMap: ActivationMap?) {
        self.label = label
        self.score = score
        self.threshold = threshold
        self.isPositive = isPositive
        self.activationMap = activationMap
    }

    enum CodingKeys: String, CodingKey {
        case label, score, threshold
        case isPositive = "positive"
        case activationMap = "activation_map"
    }
}

/// Where in the classifier's crop a label's evidence lies.
public struct ActivationMap: Sendable, Codable, Equatable {
    public var rows: Int
    public var columns: Int
    /// Row-major, 0...1.
    public var values: [Float]

    public init(rows: Int, columns: Int, values: [Float]) {
        self.rows = rows
        self.columns = columns
        self.values = values
    }
}
