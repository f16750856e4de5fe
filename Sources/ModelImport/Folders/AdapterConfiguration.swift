package import RaDialogPipeline

/// adapter_config.json of a LoRA adapter. Source: peft, LoraConfig. A switch that changes what the adapter computes and is on is refused by name; an
/// unknown key is passed over only while it is off (null, false, empty).
package struct AdapterConfiguration: Sendable, Equatable {
    package var rank: Int
    package var alpha: Double
    package var targets: Targets
    /// Modules whose weights the adapter replaces as a whole.
    package var modulesToSave: [String]
    package var usesRankStabilisedScale: Bool
    /// What the adapter was trained on, for the provenance.
    package var baseModel: String?

    package enum Targets: Sendable, Equatable {
        /// Last parts of module names: "q_proj".
        case modules([String])
        /// "all-linear": every linear layer but the head.
        case allLinear
    }

    /// What B A is multiplied with.
    package var scale: Double { usesRankStabilisedScale ? alpha / Double(rank).squareRoot() : alpha / Double(rank) }

    /// Keys that say nothing about the merged weights.
    private static let neutral: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "corda_config", "ephemeral_gpu_offload", "eva_config", "inference_mode", "init_lora_weights",
        "lora_dropout", "megatron_core", "peft_version", "revision", "runtime_config", "task_type", "qalora_group_size",
        "ensure_weight_tying", "layers_pattern", "merge_weights", "enable_lora",
    ]
    private static let read: Set<String> = [
        "peft_type", "r", "lora_alpha", "target_modules", "modules_to_save", "bias", "use_rslora", "fan_in_fan_out",
    ]
    /// Initialisations that change the base weights: what is saved does not belong to the published ones.
    private static let changesBase = ["pissa", "olora", "corda", "loftq"]

    /// Reads `folder`/adapter_config.json.
    package init(folder path: String) throws(ImportError) {
        let folder = try CheckpointFolder(path)
        guard let file = try folder.map("adapter_config.json") else { throw .cannotRead(path: path, reason: "it has no adapter_config.json") }
        try self.init(try ConfigurationFile(file))
    }

    /// Reads the file, whatever its name.
    package init(file: MappedFile) throws(ImportError) {
        try self.init(try ConfigurationFile(file))
    }

    init(_ file: ConfigurationFile) throws(ImportError) {
        let kind = try file.required("peft_type", try file.string("peft_type"))
        guard kind == "LORA" else { throw file.bad("peft_type", "is \"\(kind.prefix(60))\"; only \"LORA\" is merged") }
        rank = try file.required("r", try file.integer("r", in: 1...16_384))
        alpha = try file.required("lora_alpha", try file.number("lora_alpha", in: 1e-6...1e6))
        usesRankStabilisedScale = try file.boolean("use_rslora") ?? false
        modulesToSave = try file.strings("modules_to_save") ?? []
        baseModel = try file.string("base_model_name_or_path")
        let bias = try file.string("bias") ?? "none"
        guard bias == "none" else { throw file.bad("bias", "is \"\(bias.prefix(60))\"; trained biases are not merged") }
        guard try file.boolean("fan_in_fan_out") ?? false == false else { throw file.bad("fan_in_fan_out", "is true; transposed weights are not merged") }
        switch file.value("target_modules") {
        case .string("all-linear")?: targets = .allLinear
        case .string(let pattern)?: throw file.bad("target_modules", "is the pattern \"\(pattern.prefix(60))\"; a list of module names is expected")
        default:
            let modules = try file.required("target_modules", try file.strings("target_modules"))
            guard !modules.isEmpty, Set(modules).count == modules.count else { throw file.bad("target_modules", "is empty or names a module twice") }
            targets = .modules(modules.sorted())
        }
        if case .string(let text)? = file.value("init_lora_weights"), Self.changesBase.contains(where: { text.lowercased().hasPrefix($0) }) {
            throw file.bad("init_lora_weights", "is \"\(text.prefix(60))\", which changes the base weights; convert the adapter to plain LoRA")
        }
        for (key, value) in file.members.sorted(by: { $0.key < $1.key }) where !Self.neutral.contains(key) && !Self.read.contains(key) && !value.isOff {
            throw file.bad(key, "is \(value.text); this program does not know what that does to the weights")
        }
    }
}
