internal import ReportModel

extension BundleManifest {
    /// The parts through which a radiograph becomes tokens of the language model. A bundle has all of them or none.
    public struct Vision: Sendable, Equatable {
        public var preprocessing: Preprocessing
        public var imageEncoder: ImageEncoder
        public var classifier: Classifier
        public var alignment: Alignment
        /// `prompts.report_instruction`; holds `<image>` once and `{findings}` once.
        public var reportInstruction: String

        /// Tokens that stand for the image in a prompt.
        public var imageTokens: Int {
            let grid = imageEncoder.grid(side: preprocessing.encoderSide)
            return alignment.tokens(patches: grid * grid)
        }

        /// Channels of what the alignment reads; nil where that is a projection and the encoder has none.
        var alignmentChannels: Int? { alignment.readsProjection ? imageEncoder.projection : 2 * imageEncoder.patchChannels }

        /// Files with its weights, each once.
        package var weights: Set<String> { [imageEncoder.weights, classifier.encoder.weights, alignment.weights] }
    }

    /// The models that a draft goes through, in that order.
    var algorithms: [AlgorithmIdentity] {
        var models: [(AlgorithmIdentity.Role, String, String)] = []
        if let vision {
            models = [
                (.imageEncoder, ImageEncoder.architecture, vision.imageEncoder.weights),
                (.classifier, Classifier.architecture, vision.classifier.encoder.weights),
                (.alignment, vision.alignment.architecture.kind.rawValue, vision.alignment.weights),
            ]
        }
        models.append((.languageModel, LanguageModel.architecture, languageModel.weights))
        // Decoding has made sure that `files` names each.
        return models.map { AlgorithmIdentity(role: $0, architecture: $1, weightsSHA256: files[$2]?.sha256 ?? "") }
    }
}
