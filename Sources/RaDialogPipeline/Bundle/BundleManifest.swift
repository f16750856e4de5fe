public import ReportModel

/// manifest.json of a model bundle, decoded and checked. The format stands in docs/model-bundle.md.
public struct BundleManifest: Sendable, Equatable {
    public var formatVersion: Int
    public var name: String
    public var version: String
    public var kind: BundleKind
    public var description: String
    public var licence: String
    public var provenance: [String: String]
    public var preprocessing: Preprocessing
    public var imageEncoder: ImageEncoder
    public var classifier: Classifier
    public var alignment: Alignment
    public var languageModel: LanguageModel
    public var tokenizer: Tokenizer
    public var prompts: Prompts
    public var generation: Generation
    /// Every file of the folder except manifest.json.
    public var files: [String: File]

    public struct Preprocessing: Sendable, Equatable {
        public var rendering: RenderingMode
        /// Pixels of the shorter side before cropping.
        public var shorterSide: Int
        /// Pixels of the square centre crop.
        public var encoderSide: Int
        public var classifierSide: Int

        package init(rendering: RenderingMode, shorterSide: Int, encoderSide: Int, classifierSide: Int) {
            self.rendering = rendering
            self.shorterSide = shorterSide
            self.encoderSide = encoderSide
            self.classifierSide = classifierSide
        }
    }

    /// A ResNet trunk with BioViL-T's 1x1 `backbone_to_vit` behind it.
    public struct ImageEncoder: Sendable, Equatable {
        static let architecture = "biovil-t"
        /// File with the tensors.
        public var weights: String
        public var stemChannels: Int
        /// Bottlenecks per stage; four stages.
        public var stageBlocks: [Int]
        /// Inner width per stage; the output is that times `expansion`.
        public var stageChannels: [Int]
        public var expansion: Int
        /// Outputs of `backbone_to_vit`; a patch feature is twice as wide (`missing_previous_emb` beside it).
        public var patchChannels: Int
        /// Outputs of the projector; nil where the bundle has none.
        public var projection: Int?
        public var batchNormEpsilon: Double

        /// Channels of the last stage's output.
        public var trunkChannels: Int { (stageChannels.last ?? 0) * expansion }

        /// Rows and columns of the patch grid for a square input: ceil(side / 32).
        public func grid(side: Int) -> Int { (side + Self.stride - 1) / Self.stride }

        /// Pixels per patch: stem, pooling and three stages halve the image five times.
        public static let stride = 32

        package init(
            weights: String, stemChannels: Int, stageBlocks: [Int], stageChannels: [Int], expansion: Int, patchChannels: Int,
            projection: Int?, batchNormEpsilon: Double
        ) {
            self.weights = weights
            self.stemChannels = stemChannels
            self.stageBlocks = stageBlocks
            self.stageChannels = stageChannels
            self.expansion = expansion
            self.patchChannels = patchChannels
            self.projection = projection
            self.batchNormEpsilon = batchNormEpsilon
        }
    }

    public struct Classifier: Sendable, Equatable {
        static let architecture = "chexpert"
        public var encoder: ImageEncoder
        /// Width of the classifier's projector (`encoder.projection`, which a classifier always has).
        public var projection: Int
        /// Kernel and stride of the average pooling.
        public var pool: Int
        /// Outputs of `fc1`.
        public var hidden: Int
        /// In the order of `fc2`'s outputs.
        public var labels: [FindingLabel]
        /// One per label, 0...1.
        public var thresholds: [Double]

        package init(
            encoder: ImageEncoder, projection: Int, pool: Int, hidden: Int, labels: [FindingLabel], thresholds: [Double]
        ) {
            self.encoder = encoder
            self.projection = projection
            self.pool = pool
            self.hidden = hidden
            self.labels = labels
            self.thresholds = thresholds
        }
    }

    public struct Alignment: Sendable, Equatable {
        static let architecture = "mlp"
        public var weights: String
        public var input: Int
        public var hidden: Int
        public var output: Int

        package init(
            weights: String, input: Int, hidden: Int, output: Int
        ) {
            self.weights = weights
            self.input = input
            self.hidden = hidden
            self.output = output
        }
    }

    public struct LanguageModel: Sendable, Equatable {
        static let architecture = "llama"
        public var weights: String
        public var layers: Int
        public var hidden: Int
        public var heads: Int
        public var keyValueHeads: Int
        public var feedForward: Int
        public var vocabulary: Int
        /// Positions, prompt and image and text together.
        public var context: Int
        public var rmsNormEpsilon: Double
        public var ropeTheta: Double
        public var tiedEmbeddings: Bool

        public var headDimension: Int { hidden / heads }

        package init(
            weights: String, layers: Int, hidden: Int, heads: Int, keyValueHeads: Int, feedForward: Int, vocabulary: Int,
            context: Int, rmsNormEpsilon: Double, ropeTheta: Double, tiedEmbeddings: Bool
        ) {
            self.weights = weights
            self.layers = layers
            self.hidden = hidden
            self.heads = heads
            self.keyValueHeads = keyValueHeads
            self.feedForward = feedForward
            self.vocabulary = vocabulary
            self.context = context
            self.rmsNormEpsilon = rmsNormEpsilon
            self.ropeTheta = ropeTheta
            self.tiedEmbeddings = tiedEmbeddings
        }
    }

    public struct Tokenizer: Sendable, Equatable {
        /// File name.
        public var model: String
    }

    public struct Prompts: Sendable, Equatable {
        public var system: String
        /// Holds `<image>` once and `{findings}` once.
        public var reportInstruction: String

        public static let imageMark = "<image>"
        public static let findingsMark = "{findings}"
    }

    public struct Generation: Sendable, Equatable {
        public var maxReportTokens: Int
        public var maxAnswerTokens: Int
    }

    public struct File: Sendable, Equatable {
        public var bytes: Int
        /// Lower-case hex.
        public var sha256: String
    }
}

/// How stored values become an 8-bit picture.
public enum RenderingMode: String, Sendable, Codable, CaseIterable {
    /// As MIMIC-CXR-JPG was made (the networks were trained on it): min/max, equalised histogram, JPEG.
    case mimicCXRJPG = "mimic-cxr-jpg"
    /// As a viewer shows it: VOI LUT or window, presentation LUT.
    case voi = "voi"
}

extension BundleManifest {
    /// The models that a draft goes through, in that order.
    var algorithms: [AlgorithmIdentity] {
        let models: [(AlgorithmIdentity.Role, String, String)] = [
            (.imageEncoder, ImageEncoder.architecture, imageEncoder.weights),
            (.classifier, Classifier.architecture, classifier.encoder.weights),
            (.alignment, Alignment.architecture, alignment.weights),
            (.languageModel, LanguageModel.architecture, languageModel.weights),
        ]
        // Decoding has made sure that `files` names each.
        return models.map { AlgorithmIdentity(role: $0, architecture: $1, weightsSHA256: files[$2]?.sha256 ?? "") }
    }
}
