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
    /// What reads radiographs; nil for a bundle that only talks.
    public var vision: Vision?
    public var languageModel: LanguageModel
    public var tokenizer: Tokenizer
    public var prompts: Prompts
    public var generation: Generation
    /// nil where the bundle has none.
    public var labeler: Labeler?
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
        /// The pooler for a prior image; nil where the bundle does not ask for it.
        public var prior: Prior?

        /// BioViL-T's `vit_pooler`, as wide as `patchChannels`.
        public struct Prior: Sendable, Equatable {
            public var blocks: Int
            public var heads: Int
            /// Inner width of a block's MLP.
            public var feedForward: Int
            public var layerNormEpsilon: Double

            package init(blocks: Int, heads: Int, feedForward: Int, layerNormEpsilon: Double) {
                self.blocks = blocks
                self.heads = heads
                self.feedForward = feedForward
                self.layerNormEpsilon = layerNormEpsilon
            }
        }

        /// Channels of the last stage's output.
        public var trunkChannels: Int { (stageChannels.last ?? 0) * expansion }

        /// Rows and columns of the patch grid for a square input: ceil(side / 32).
        public func grid(side: Int) -> Int { (side + Self.stride - 1) / Self.stride }

        /// Pixels per patch: stem, pooling and three stages halve the image five times.
        public static let stride = 32

        package init(
            weights: String, stemChannels: Int, stageBlocks: [Int], stageChannels: [Int], expansion: Int, patchChannels: Int,
            projection: Int?, batchNormEpsilon: Double, prior: Prior? = nil
        ) {
            self.weights = weights
            self.stemChannels = stemChannels
            self.stageBlocks = stageBlocks
            self.stageChannels = stageChannels
            self.expansion = expansion
            self.patchChannels = patchChannels
            self.projection = projection
            self.batchNormEpsilon = batchNormEpsilon
            self.prior = prior
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
        public var weights: String
        /// Channels of what it reads.
        public var input: Int
        /// Width of the language model.
        public var output: Int
        public var architecture: Architecture

        public enum Architecture: Sendable, Equatable {
            /// v2: one token per patch.
            case mlp(hidden: Int)
            /// v1: one token per learned query.
            case qFormer(QFormer)

            /// As the manifest writes it.
            var kind: Kind {
                switch self {
                case .mlp: .mlp
                case .qFormer: .qFormer
                }
            }
        }

        enum Kind: String, CaseIterable {
            case mlp
            case qFormer = "q-former"
        }

        /// A BERT encoder over learned queries.
        public struct QFormer: Sendable, Equatable {
            public var queries: Int
            public var layers: Int
            public var hidden: Int
            public var heads: Int
            public var feedForward: Int
            /// Layers 0, n, 2n, … read the image.
            public var crossAttentionEvery: Int
            public var layerNormEpsilon: Double
            /// Of the norm over the image tokens, `ln_vision`.
            public var visionNormEpsilon: Double

            package init(
                queries: Int, layers: Int, hidden: Int, heads: Int, feedForward: Int, crossAttentionEvery: Int,
                layerNormEpsilon: Double, visionNormEpsilon: Double
            ) {
                self.queries = queries
                self.layers = layers
                self.hidden = hidden
                self.heads = heads
                self.feedForward = feedForward
                self.crossAttentionEvery = crossAttentionEvery
                self.layerNormEpsilon = layerNormEpsilon
                self.visionNormEpsilon = visionNormEpsilon
            }
        }

        /// Whether it reads the encoder's projection of the patches instead of the patch features.
        public var readsProjection: Bool {
            switch architecture {
            case .mlp: false
            case .qFormer: true
            }
        }

        /// How many tokens of the language model an image becomes.
        public func tokens(patches: Int) -> Int {
            switch architecture {
            case .mlp: patches
            case .qFormer(let shape): shape.queries
            }
        }

        package init(weights: String, input: Int, output: Int, architecture: Architecture) {
            self.weights = weights
            self.input = input
            self.output = output
            self.architecture = architecture
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
        public var ropeScaling: RopeScaling
        public var tiedEmbeddings: Bool

        public var headDimension: Int { hidden / heads }

        package init(
            weights: String, layers: Int, hidden: Int, heads: Int, keyValueHeads: Int, feedForward: Int, vocabulary: Int,
            context: Int, rmsNormEpsilon: Double, ropeTheta: Double,
            ropeScaling: RopeScaling = .unscaled, tiedEmbeddings: Bool
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
            self.ropeScaling = ropeScaling
            self.tiedEmbeddings = tiedEmbeddings
        }
    }

    /// How a model's rotary embedding was stretched to a longer context.
    public enum RopeScaling: Sendable, Equatable {
        case unscaled
        /// Every frequency is divided by `factor`.
        case linear(factor: Double)
        /// Frequencies whose wave is long against `originalContext` are divided by `factor`, the short ones kept.
        case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContext: Int)
    }

    public struct Tokenizer: Sendable, Equatable {
        public var architecture: Architecture
        /// File name.
        public var model: String

        public enum Architecture: String, Sendable, CaseIterable {
            /// `tokenizer.model` of SentencePiece: BPE with byte fallback.
            case sentencePieceBPE = "sentencepiece-bpe"
            /// The vocabulary in the metadata of a GGUF file, which may be the language model's.
            case gguf
        }
    }

    public struct Prompts: Sendable, Equatable {
        /// Empty where the language model knows no system text.
        public var system: String
        public var format: DialogueFormat
    }

    public struct Generation: Sendable, Equatable {
        public var maxReportTokens: Int
        public var maxAnswerTokens: Int
    }

    public struct File: Sendable, Equatable {
        public var bytes: Int
        /// Lower-case hex.
        public var sha256: String
        /// The same of every `pieceBytes` of the file, which several threads can check; empty where the file was not cut.
        public var pieces: [String]

        /// The last piece of a file may be shorter.
        package static let pieceBytes = 64 << 20

        package init(bytes: Int, sha256: String, pieces: [String] = []) {
            self.bytes = bytes
            self.sha256 = sha256
            self.pieces = pieces
        }
    }
}

/// How stored values become an 8-bit picture.
public enum RenderingMode: String, Sendable, Codable, CaseIterable {
    /// As MIMIC-CXR-JPG was made (the networks were trained on it): min/max, equalised histogram, JPEG.
    case mimicCXRJPG = "mimic-cxr-jpg"
    /// As a viewer shows it: VOI LUT or window, presentation LUT.
    case voi = "voi"
}
