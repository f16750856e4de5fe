/// What stands in a `tokenizer.json`, read in one pass; what is not implemented is kept in `refusal`.
struct HuggingFaceTokenizerFile {
    struct AddedToken {
        var id: Int
        var content: String
        /// `special`: never plain text.
        var isSpecial: Bool
    }

    private(set) var addedTokens: [AddedToken] = []
    private(set) var vocabulary: [(text: String, id: Int)]?
    private(set) var merges: [(left: String, right: String)]?
    private(set) var modelType: String?
    private(set) var unknownToken: String?
    private(set) var fusesUnknown = false
    private(set) var preTokenizer: ByteLevelBPEPreTokenizer?
    /// The first thing that the file asks for and this program does not do, in words.
    private(set) var refusal: String?

    /// Deeper values are refused; the format needs four levels.
    private static let maximumDepth = 16

    init(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        try reader.object { reader, key throws(JSONSyntaxError) in
            switch key {
            case "added_tokens": try readAddedTokens(&reader)
            case "model": try readModel(&reader)
            case "pre_tokenizer": try readPreTokenizer(&reader)
            case "normalizer":
                if let type = try Self.component(&reader)?.type { refuse("it normalises text (\(type.quotedStart)); only none is implemented") }
            case "post_processor":
                // ByteLevel only shortens offsets, which nobody asks for here; others put tokens around the text.
                if let type = try Self.component(&reader)?.type, type != "ByteLevel" {
                    refuse("its post_processor is \(type.quotedStart); only ByteLevel and none are implemented")
                }
            case "decoder":
                if let type = try Self.component(&reader)?.type, type != "ByteLevel" {
                    refuse("its decoder is \(type.quotedStart); ByteLevel is implemented")
                }
            // What lengths a training script cut or filled to is no part of the tokens.
            default: try Self.skip(&reader)
            }
        }
        try reader.end()
    }

    private mutating func refuse(_ reason: String) { refusal = refusal ?? reason }

    // MARK: - Parts

    private mutating func readAddedTokens(_ reader: inout JSONReader) throws(JSONSyntaxError) {
        try reader.array { reader throws(JSONSyntaxError) in
            guard addedTokens.count < ByteLevelBPEVocabulary.maximumTokens else { throw reader.failure("more than \(ByteLevelBPEVocabulary.maximumTokens) added tokens") }
            var id: Int?
            var content: String?
            var special: Bool?
            var switches: [String] = []
            try reader.object { reader, key throws(JSONSyntaxError) in
                switch key {
                case "id": id = try reader.natural()
                case "content": content = try reader.string()
                case "special": special = try reader.boolean()
                case "single_word", "lstrip", "rstrip": if try reader.boolean() { switches.append(key) }
                default: try Self.skip(&reader)
                }
            }
            guard let id, let content, let special else { throw reader.failure("an added token lacks id, content or special") }
            for name in switches { refuse("added token \(id), \(content.quotedStart), asks for \(name)") }
            addedTokens.append(AddedToken(id: id, content: content, isSpecial: special))
        }
    }

    private mutating func readModel(_ reader: inout JSONReader) throws(JSONSyntaxError) {
        try reader.object { reader, key throws(JSONSyntaxError) in
            switch key {
            case "type": modelType = try reader.string()
            case "vocab":
                // Unigram's is an array.
                if try reader.kind() == .object { vocabulary = try Self.vocabulary(&reader) } else { try Self.skip(&reader) }
            case "merges": merges = try Self.merges(&reader)
            case "unk_token": unknownToken = try Self.stringOrNull(&reader)
            case "fuse_unk": fusesUnknown = try reader.boolean()
            case "byte_fallback", "ignore_merges":
                if try reader.boolean() { refuse("its model asks for \(key)") }
            case "continuing_subword_prefix", "end_of_word_suffix":
                if let text = try Self.stringOrNull(&reader), !text.isEmpty { refuse("its model asks for \(key) \(text.quotedStart)") }
            case "dropout":
                guard try reader.kind() == .number else { return try reader.null() }
                let value = try reader.number()
                if Double(value) != 0 { refuse("its model asks for dropout \(value)") }
            default: try Self.skip(&reader)
            }
        }
    }

    /// ByteLevel, or a Sequence of Digits and ByteLevel.
    private mutating func readPreTokenizer(_ reader: inout JSONReader) throws(JSONSyntaxError) {
        guard let component = try Self.component(&reader) else { return }
        var steps = component.type == "Sequence" ? component.parts : [component]
        var kind = ByteLevelBPEPreTokenizer.gpt2
        if steps.count == 2, steps[0].type == "Digits" {
            if steps[0].switches["individual_digits"] != true { refuse("its pre_tokenizer Digits has individual_digits off; on is implemented") }
            kind = .smollm
            steps.removeFirst()
        }
        guard steps.count == 1, steps[0].type == "ByteLevel" else {
            let names = steps.prefix(8).map { $0.type.quotedStart }.joined(separator: ", ")
            return refuse("its pre_tokenizer is \(names); ByteLevel, and Digits with ByteLevel, are implemented")
        }
        // Defaults of `tokenizers`: a prefix space, and the pattern.
        if steps[0].switches["add_prefix_space"] ?? true { refuse("its pre_tokenizer ByteLevel has add_prefix_space on; off is implemented") }
        if !(steps[0].switches["use_regex"] ?? true) { refuse("its pre_tokenizer ByteLevel has use_regex off; on is implemented") }
        preTokenizer = kind
    }

    // MARK: - Values

    /// A step of the pipeline: its type, those of its switches that are looked at, and the steps it holds.
    private struct Component {
        static let knownSwitches: Set<String> = ["individual_digits", "add_prefix_space", "use_regex"]
        /// More steps are refused whatever they are.
        static let maximumParts = 8

        var type = ""
        var switches: [String: Bool] = [:]
        var parts: [Component] = []
    }

    /// nil for null.
    private static func component(_ reader: inout JSONReader, isPart: Bool = false) throws(JSONSyntaxError) -> Component? {
        guard try reader.kind() != .null else {
            try reader.null()
            return nil
        }
        var component = Component()
        try reader.object { reader, key throws(JSONSyntaxError) in
            switch (key, try reader.kind()) {
            case ("type", .string): component.type = try reader.string()
            case (_, .boolean) where Component.knownSwitches.contains(key): component.switches[key] = try reader.boolean()
            // A sequence within a sequence is refused by its type.
            case ("pretokenizers", .array) where !isPart:
                try reader.array { reader throws(JSONSyntaxError) in
                    guard component.parts.count < Component.maximumParts else { throw reader.failure("more than \(Component.maximumParts) steps in a sequence") }
                    if let part = try Self.component(&reader, isPart: true) { component.parts.append(part) }
                }
            default: try skip(&reader)
            }
        }
        return component
    }

    /// An object from tokens to ids. The reader takes two spellings of one character for one key; GPT-2's alphabet has no such characters.
    static func vocabulary(_ reader: inout JSONReader) throws(JSONSyntaxError) -> [(text: String, id: Int)] {
        var result: [(text: String, id: Int)] = []
        try reader.object { reader, key throws(JSONSyntaxError) in
            guard key.utf8.count <= ByteLevelBPEVocabulary.maximumTokenBytes else { throw reader.failure("a token of \(key.utf8.count) bytes") }
            result.append((key, try reader.natural()))
        }
        return result
    }

    /// `"a b"` in older files, `["a", "b"]` in newer ones.
    private static func merges(_ reader: inout JSONReader) throws(JSONSyntaxError) -> [(left: String, right: String)] {
        var result: [(left: String, right: String)] = []
        var total = 0
        try reader.array { reader throws(JSONSyntaxError) in
            guard result.count < ByteLevelBPEVocabulary.maximumMerges else { throw reader.failure("more than \(ByteLevelBPEVocabulary.maximumMerges) merges") }
            var parts: [String] = []
            if try reader.kind() == .array {
                try reader.array { reader throws(JSONSyntaxError) in
                    guard parts.count < 2 else { throw reader.failure("merge \(result.count) has more than two tokens") }
                    parts.append(try reader.string())
                }
            } else {
                let text = try reader.string()
                parts = text.utf8.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false).compactMap { String($0) }
            }
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { throw reader.failure("merge \(result.count) is not two tokens") }
            total += parts[0].utf8.count + parts[1].utf8.count
            guard total <= ByteLevelBPEVocabulary.maximumTotalBytes else { throw reader.failure("merges of more than \(ByteLevelBPEVocabulary.maximumTotalBytes) bytes") }
            result.append((parts[0], parts[1]))
        }
        return result
    }

    private static func stringOrNull(_ reader: inout JSONReader) throws(JSONSyntaxError) -> String? {
        if try reader.kind() == .string { return try reader.string() }
        try reader.null()
        return nil
    }

    /// Reads a value and forgets it.
    private static func skip(_ reader: inout JSONReader, depth: Int = 0) throws(JSONSyntaxError) {
        guard depth < maximumDepth else { throw reader.failure("values nested more than \(maximumDepth) deep") }
        switch try reader.kind() {
        case .object: try reader.object { reader, _ throws(JSONSyntaxError) in try skip(&reader, depth: depth + 1) }
        case .array: try reader.array { reader throws(JSONSyntaxError) in try skip(&reader, depth: depth + 1) }
        case .string: _ = try reader.string()
        case .number: _ = try reader.number()
        case .boolean: _ = try reader.boolean()
        case .null: try reader.null()
        }
    }
}
