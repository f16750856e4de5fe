import ReportModel

/// Decoding of manifest.json. Every number has a range (far wider than any published model's), every key is known, and what
/// has to fit together is checked here, before a byte of weights is looked at.
extension BundleManifest {
    static let format = "radialog-bundle"
    static let knownFormatVersion = 1

    init(_ value: JSONValue) throws(ManifestProblem) {
        var root = try ManifestObject(value, place: "")
        try root.fixed("format", Self.format)
        formatVersion = try root.integer("format_version", in: 1...1_000_000)
        guard formatVersion == Self.knownFormatVersion else {
            throw root.problem("format_version", "is \(formatVersion); this program reads \(Self.knownFormatVersion): use a newer radialogd")
        }
        name = try root.string("name")
        version = try root.string("version")
        kind = try root.choice("kind", of: [BundleKind.demo, .clinical])
        description = try root.string("description", maximumBytes: 16_384, mayBeEmpty: true)
        licence = try root.string("licence", maximumBytes: 16_384)
        provenance = try Self.provenance(try root.object("provenance"))
        languageModel = try LanguageModel(try root.object("language_model"))
        tokenizer = try Tokenizer(try root.object("tokenizer"))
        var prompts = try root.object("prompts")
        self.prompts = try Prompts(keysOf: &prompts)
        vision = try Vision(keysOf: &root, prompts: &prompts)
        try prompts.finish()
        generation = try Generation(try root.object("generation"))
        labeler = try Labeler(optional: try root.optionalObject("labeler"))
        files = try Self.files(try root.object("files"))
        try labeler?.checkFiles(in: files)
        try root.finish()
        try checkTogether()
    }

    /// What no single key shows.
    private func checkTogether() throws(ManifestProblem) {
        try vision?.checkTogether(with: languageModel)
        guard vision == nil || prompts.format == .vicuna else {
            throw ManifestProblem(key: "prompts.format", reason: "has to be \"vicuna\" in a bundle that reads images: the report prompt is written so")
        }
        guard vision != nil || kind == .demo else {
            throw ManifestProblem(key: "kind", reason: "has to be \"demo\": a bundle that reads no image is for experiments")
        }
        let used = (vision?.weights ?? []).union([languageModel.weights, tokenizer.model])
        for name in used.sorted() where files[name] == nil {
            throw ManifestProblem(key: "files", reason: "does not name \(name), which the model is read from")
        }
    }

    private static func provenance(_ object: ManifestObject) throws(ManifestProblem) -> [String: String] {
        var object = object
        var result: [String: String] = [:]
        for (name, value) in object.rest() {
            guard case .string(let text) = value else { throw object.problem(name, "has to be a string") }
            try ManifestObject.check(text, maximumBytes: 4096, mayBeEmpty: true, key: object.key(name))
            result[name] = text
        }
        return result
    }

    private static func files(_ object: ManifestObject) throws(ManifestProblem) -> [String: File] {
        var object = object
        var result: [String: File] = [:]
        for (name, value) in object.rest() {
            try checkFileName(name, key: object.key(name))
            guard name != ModelBundle.manifestName else { throw object.problem(name, "cannot contain its own hash") }
            var entry = try ManifestObject(value, place: object.key(name))
            let bytes = try entry.integer("bytes", in: 0...Int.max)
            let sha256 = try entry.string("sha256")
            try checkHash(sha256, key: entry.key("sha256"))
            let pieces = try entry.holds("pieces") ? pieces(of: bytes, &entry) : []
            try entry.finish()
            result[name] = File(bytes: bytes, sha256: sha256, pieces: pieces)
        }
        return result
    }

    private static func pieces(of bytes: Int, _ entry: inout ManifestObject) throws(ManifestProblem) -> [String] {
        let count = bytes / File.pieceBytes + (bytes % File.pieceBytes > 0 ? 1 : 0)
        var pieces: [String] = []
        for value in try entry.array("pieces", count: count...count) {
            guard case .string(let sha256) = value else { throw entry.problem("pieces", "has to hold strings") }
            try checkHash(sha256, key: entry.key("pieces"))
            pieces.append(sha256)
        }
        return pieces
    }

    private static func checkHash(_ text: String, key: String) throws(ManifestProblem) {
        guard text.utf8.count == 64, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            throw ManifestProblem(key: key, reason: "has to be 64 lower-case hexadecimal digits")
        }
    }

    /// A name that cannot leave the folder: no separator, no leading dot, ASCII.
    fileprivate static func checkFileName(_ name: String, key: String) throws(ManifestProblem) {
        let plain = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
            default: false
            }
        }
        guard plain, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 255 else {
            throw ManifestProblem(key: key, reason: "is not a plain file name (letters, digits, '.', '_', '-', '+'; no leading dot)")
        }
    }
}

extension ManifestObject {
    mutating func fileName(_ name: String) throws(ManifestProblem) -> String {
        let file = try string(name)
        try BundleManifest.checkFileName(file, key: key(name))
        return file
    }
}

extension BundleManifest.LanguageModel {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        try object.fixed("architecture", Self.architecture)
        weights = try object.fileName("weights")
        layers = try object.integer("layers", in: 1...1024)
        hidden = try object.integer("hidden", in: 2...65_536)
        heads = try object.integer("heads", in: 1...1024)
        keyValueHeads = try object.integer("key_value_heads", in: 1...1024)
        feedForward = try object.integer("feed_forward", in: 1...262_144)
        vocabulary = try object.integer("vocabulary", in: 3...1_000_000)
        context = try object.integer("context", in: 16...1_048_576)
        rmsNormEpsilon = try object.number("rms_norm_eps", in: 1e-12...0.1)
        ropeTheta = try object.number("rope_theta", in: 1...1e12)
        if let scaling = try object.optionalObject("rope_scaling") {
            ropeScaling = try BundleManifest.RopeScaling(scaling)
        } else {
            ropeScaling = .unscaled
        }
        tiedEmbeddings = try object.boolean("tied_embeddings")
        guard hidden % heads == 0, (hidden / heads) % 2 == 0 else {
            throw object.problem("heads", "has to divide hidden into even head dimensions (rotary embedding turns pairs)")
        }
        guard heads % keyValueHeads == 0 else { throw object.problem("key_value_heads", "has to divide heads") }
        try object.finish()
    }
}

extension BundleManifest.RopeScaling {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        let type = try object.string("type")
        let factor = try object.number("factor", in: 1...1e6)
        switch type {
        case "linear": self = .linear(factor: factor)
        case "llama3":
            let low = try object.number("low_freq_factor", in: 1e-3...1e6)
            let high = try object.number("high_freq_factor", in: 1e-3...1e6)
            guard high > low else { throw object.problem("high_freq_factor", "has to be more than low_freq_factor") }
            let original = try object.integer("original_context", in: 1...1_048_576)
            self = .llama3(factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext: original)
        default: throw object.problem("type", "is \"\(type)\"; this program knows \"linear\", \"llama3\"")
        }
        try object.finish()
    }
}

extension BundleManifest.Tokenizer {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        architecture = try object.choice("architecture", of: Architecture.allCases)
        model = try object.fileName("model")
        try object.finish()
    }
}

extension BundleManifest.Prompts {
    /// Leaves `report_instruction` to the vision parts.
    fileprivate init(keysOf object: inout ManifestObject) throws(ManifestProblem) {
        system = try object.string("system", maximumBytes: 16_384, mayBeEmpty: true)
        format = object.holds("format") ? try object.choice("format", of: DialogueFormat.allCases) : .vicuna
        for mark in [ReportPrompt.imageMark, ReportPrompt.findingsMark] where system.contains(mark) {
            throw object.problem("system", "must not hold \(mark)")
        }
    }
}

extension BundleManifest.Generation {
    init(_ object: ManifestObject) throws(ManifestProblem) {
        var object = object
        maxReportTokens = try object.integer("max_report_tokens", in: 1...65_536)
        maxAnswerTokens = try object.integer("max_answer_tokens", in: 1...65_536)
        try object.finish()
    }
}
