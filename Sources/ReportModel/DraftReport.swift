/// What the pipeline makes of one radiograph: the findings section, the scores behind it, and where it came from.
public struct DraftReport: Sendable, Codable, Equatable {
    /// The findings section. Lines of a demonstration bundle carry its mark already (`MachineText`).
    public var text: String
    /// All labels of the bundle, in the classifier's order.
    public var findings: [Finding]
    /// What the prompt named: "cardiomegaly, edema", or "no common findings".
    public var promptFindings: String
    public var provenance: DraftProvenance
    /// What a reader should look at before signing; nil where the draft was not compared with its findings (drafts of versions
    /// before the comparison), which is not the same as none.
    public var flags: [DraftFlag]?

    public init(text: String, findings: [Finding], promptFindings: String, provenance: DraftProvenance, flags: [DraftFlag]? = nil) {
        self.text = text
        self.findings = findings
        self.promptFindings = promptFindings
        self.provenance = provenance
        self.flags = flags
    }

    enum CodingKeys: String, CodingKey {
        case text, findings, provenance, flags
        case promptFindings = "prompt_findings"
    }
}

/// Everything needed to trace a draft, and to make it again bit for bit.
public struct DraftProvenance: Sendable, Codable, Equatable {
    public var bundleName: String
    public var bundleVersion: String
    public var bundleKind: BundleKind
    /// SHA-256 of manifest.json, lower-case hex.
    public var bundleSHA256: String
    /// Its models, in the order in which the draft goes through them.
    public var algorithms: [AlgorithmIdentity]
    /// Version of this program.
    public var build: String
    /// The arithmetic path, for example "fp32-fma+avx512".
    public var arithmetic: String
    /// The image that was read; nil for a file outside the queue.
    public var sopInstanceUID: String?
    /// Why this image of the study: "PA", "AP", …
    public var selectionReason: String?
    /// Which image of how many, and why not another; nil where no choice was made, and in drafts of earlier versions.
    public var imageChoice: ImageChoice?
    /// SHA-256 of the received object's bytes; nil where no file stands behind the radiograph.
    public var inputSHA256: String?
    /// "mimic-cxr-jpg" or "voi".
    public var rendering: String
    /// SHA-256 of the rendered 8-bit image (before resizing), row-major.
    public var renderedSHA256: String
    /// SHA-256 of the UTF-8 prompt, `<image>` unexpanded.
    public var promptSHA256: String
    public var generatedTokens: Int
    /// "stop" (the model ended the text) or "length" (the token limit did).
    public var finishReason: String
    /// What labelled the text for the flags (`TextLabeler.name`); nil where it was not compared.
    public var labeler: String?
    /// Not part of what is reproducible.
    public var timings: Timings

    /// Seconds per stage.
    public struct Timings: Sendable, Codable, Equatable {
        public var decode: Double
        public var preprocess: Double
        public var classify: Double
        public var encode: Double
        public var prefill: Double
        public var generate: Double

        public init(decode: Double = 0, preprocess: Double = 0, classify: Double = 0, encode: Double = 0, prefill: Double = 0, generate: Double = 0) {
            self.decode = decode
            self.preprocess = preprocess
            self.classify = classify
            self.encode = encode
            self.prefill = prefill
            self.generate = generate
        }
    }

    public init(
        bundleName: String, bundleVersion: String, bundleKind: BundleKind, bundleSHA256: String, algorithms: [AlgorithmIdentity], build: String,
        arithmetic: String, sopInstanceUID: String?, selectionReason: String?, inputSHA256: String?, rendering: String,
        renderedSHA256: String, promptSHA256: String, generatedTokens: Int, finishReason: String, timings: Timings
    ) {
        self.bundleName = bundleName
        self.bundleVersion = bundleVersion
        self.bundleKind = bundleKind
        self.bundleSHA256 = bundleSHA256
        self.algorithms = algorithms
        self.build = build
        self.arithmetic = arithmetic
        self.sopInstanceUID = sopInstanceUID
        self.selectionReason = selectionReason
        self.inputSHA256 = inputSHA256
        self.rendering = rendering
        self.renderedSHA256 = renderedSHA256
        self.promptSHA256 = promptSHA256
        self.generatedTokens = generatedTokens
        self.finishReason = finishReason
        self.timings = timings
    }

    enum CodingKeys: String, CodingKey {
        case bundleName = "bundle_name"
        case bundleVersion = "bundle_version"
        case bundleKind = "bundle_kind"
        case bundleSHA256 = "bundle_sha256"
        case algorithms, build, arithmetic
        case sopInstanceUID = "sop_instance_uid"
        case selectionReason = "selection_reason"
        case imageChoice = "image_choice"
        case inputSHA256 = "input_sha256"
        case rendering
        case renderedSHA256 = "rendered_sha256"
        case promptSHA256 = "prompt_sha256"
        case generatedTokens = "generated_tokens"
        case finishReason = "finish_reason"
        case labeler, timings
    }
}
