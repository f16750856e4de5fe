/// Byte-level BPE, as GPT-2 and SmolLM2 have it: text to token ids and back, exactly as Hugging Face's `tokenizers` does it.
///
/// - Encoding: the text is cut into words, each word into bytes; neighbours are merged, best rank first, leftmost among equals.
///   Nothing is normalised, nothing is put in front.
/// - Special tokens are found in text only where the caller allows it. Otherwise their names are text like any other: a vocabulary in
///   which text could become a control token is refused.
/// - A byte without a token (SmolLM2 has none for some control characters) is left out before anything is merged, as the reference
///   does; llama.cpp leaves it out after merging, which can differ in that one case.
package final class ByteLevelBPETokenizer: TextTokenizer {
    package let vocabularySize: Int
    package let bosToken: Int32?
    package let eosToken: Int32?
    package let addsBOS: Bool
    /// Which pattern cuts words.
    package let preTokenizer: ByteLevelBPEPreTokenizer

    private let tokens: [String]
    private let types: [TokenType]
    let specials: SpecialTokens
    /// Per byte: its token, or -1.
    let byteTokens: [Int32]
    /// The rank of a pair, by `left << 32 | right`.
    let ranks: [UInt64: Int32]
    /// By rank: the token that the pair becomes.
    let mergedTokens: [Int32]
    let unknownToken: Int32?
    let fusesUnknown: Bool
    /// What tokens are in text: token `id` is `surface[surfaceStarts[id]..<surfaceStarts[id + 1]]`. Empty for control tokens.
    let surface: [UInt8]
    let surfaceStarts: [Int]

    /// `source` is for messages: the vocabulary's file.
    package init(_ vocabulary: ByteLevelBPEVocabulary, source: String) throws(TokenizerError) {
        func damaged(_ reason: String) -> TokenizerError { .damagedVocabulary(source: source, reason: reason) }
        let tokens = vocabulary.tokens, types = vocabulary.types
        guard !tokens.isEmpty, tokens.count <= ByteLevelBPEVocabulary.maximumTokens else {
            throw damaged("it has \(tokens.count) tokens; 1 to \(ByteLevelBPEVocabulary.maximumTokens) are read")
        }
        guard types.count == tokens.count else { throw damaged("it has \(tokens.count) tokens and \(types.count) token types") }
        guard vocabulary.merges.count <= ByteLevelBPEVocabulary.maximumMerges else {
            throw damaged("it has \(vocabulary.merges.count) merges; \(ByteLevelBPEVocabulary.maximumMerges) are read")
        }
        for (name, id) in [("begin", vocabulary.bosToken), ("end", vocabulary.eosToken), ("unknown", vocabulary.unknownToken)] {
            if let id, id < 0 || id >= tokens.count { throw damaged("its \(name) token is \(id), and it has \(tokens.count) tokens") }
        }

        var table = PieceTable(capacity: tokens.count)
        var specials = SpecialTokens()
        var surface: [UInt8] = []
        var total = 0
        var surfaceStarts = [0]
        surfaceStarts.reserveCapacity(tokens.count + 1)
        for (index, token) in tokens.enumerated() {
            let type = types[index]
            let bytes = Array(token.utf8)
            guard !bytes.isEmpty, bytes.count <= ByteLevelBPEVocabulary.maximumTokenBytes else {
                throw damaged("token \(index) has \(bytes.count) bytes; 1 to \(ByteLevelBPEVocabulary.maximumTokenBytes) are read")
            }
            total += bytes.count
            guard total <= ByteLevelBPEVocabulary.maximumTotalBytes else { throw damaged("its tokens have more than \(ByteLevelBPEVocabulary.maximumTotalBytes) bytes") }
            guard table.insert(bytes, id: Int32(index)) else { throw damaged("token \(index), \(token.quotedStart), stands twice") }
            if type.isSpecial {
                guard bytes.count <= SpecialTokens.maximumBytes else { throw damaged("special token \(index) has \(bytes.count) bytes") }
                guard specials.insert(bytes, token: Int32(index)) else { throw damaged("its special tokens are too many") }
            }
            switch type {
            case .control, .unknown: break
            case .userDefined: surface.append(contentsOf: bytes)
            // A token that is not of the alphabet cannot come out of text; a model that writes it means what it says.
            case .normal, .unused, .byte: surface.append(contentsOf: ByteLevelBPEAlphabet.bytes(of: token) ?? bytes)
            }
            surfaceStarts.append(surface.count)
        }

        func isText(_ id: Int32) -> Bool { types[Int(id)] != .control && types[Int(id)] != .unknown }
        let byteTokens: [Int32] = ByteLevelBPEAlphabet.scalars.map { scalar in
            let id = table.id(of: String(scalar))
            return id.flatMap { isText($0) ? $0 : nil } ?? -1
        }
        let missing = byteTokens.indices.filter { byteTokens[$0] < 0 && Self.needsToken(UInt8($0)) }
        guard missing.isEmpty else {
            let names = missing.prefix(8).map { "0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }
            throw damaged(
                "it has no token for \(missing.count) bytes that ordinary text needs, \(names.joined(separator: ", "))\(missing.count > 8 ? ", ..." : "")")
        }

        var ranks: [UInt64: Int32] = [:]
        ranks.reserveCapacity(vocabulary.merges.count)
        var mergedTokens: [Int32] = []
        mergedTokens.reserveCapacity(vocabulary.merges.count)
        for (rank, merge) in vocabulary.merges.enumerated() {
            func token(_ text: String) throws(TokenizerError) -> Int32 {
                guard let id = table.id(of: text) else {
                    throw damaged("merge \(rank) needs the token \(text.quotedStart), which is not in the vocabulary")
                }
                return id
            }
            let left = try token(merge.left), right = try token(merge.right), whole = try token(merge.left + merge.right)
            guard isText(whole) else {
                throw damaged("merge \(rank) makes the control token \(tokens[Int(whole)].quotedStart): a text could become it")
            }
            guard ranks.updateValue(Int32(rank), forKey: Self.pair(left, right)) == nil else {
                throw damaged("merge \(rank), \(merge.left.quotedStart) with \(merge.right.quotedStart), stands twice")
            }
            mergedTokens.append(whole)
        }

        vocabularySize = tokens.count
        bosToken = vocabulary.bosToken
        eosToken = vocabulary.eosToken
        addsBOS = vocabulary.addsBOS
        preTokenizer = vocabulary.preTokenizer
        unknownToken = vocabulary.unknownToken
        fusesUnknown = vocabulary.fusesUnknown
        self.tokens = tokens
        self.types = types
        self.specials = specials
        self.byteTokens = byteTokens
        self.ranks = ranks
        self.mergedTokens = mergedTokens
        self.surface = surface
        self.surfaceStarts = surfaceStarts
    }

    package func text(of token: Int32) -> String? { token >= 0 && token < vocabularySize ? tokens[Int(token)] : nil }

    package func type(of token: Int32) -> TokenType? { token >= 0 && token < vocabularySize ? types[Int(token)] : nil }

    package func specialToken(_ text: String) -> Int32? { specials.token(named: text) }

    static func pair(_ left: Int32, _ right: Int32) -> UInt64 { UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right)) }

    /// Printable ASCII, tab, line feed and the continuation bytes of UTF-8. Vocabularies are published without other control characters
    /// and without lead bytes that no assigned character has; they lose such characters.
    private static func needsToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x09, 0x0A, 0x20...0x7E, 0x80...0xBF: true
        default: false
        }
    }
}

extension PieceTable {
    fileprivate func id(of text: String) -> Int32? {
        var text = text
        return text.withUTF8 { id(of: $0) }
    }
}

extension String {
    /// For a message: what a file says, cut and escaped.
    var quotedStart: String { String(String.UnicodeScalarView(unicodeScalars.prefix(40))).debugDescription }
}
