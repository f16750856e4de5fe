/// SentencePiece BPE with byte fallback, as LLaMA has it: text to token ids and back, exactly as Google's library does it.
///
/// - Encoding: spaces become U+2581, one is put in front (dummy prefix), then neighbours are merged, best score first, leftmost
///   first among equals. A character without a piece becomes its UTF-8 bytes' pieces.
/// - Control pieces (`<s>`, `</s>`) are never found in text: a text cannot end a prompt or start another turn.
public final class SentencePieceTokenizer: Sendable {
    /// `<s>`
    public let beginToken: Int32
    /// `</s>`
    public let endToken: Int32
    /// `<unk>`
    public let unknownToken: Int32
    /// Number of pieces; ids are below it.
    public let vocabularySize: Int

    let model: SentencePieceModel
    /// Pieces that text is merged into: normal and user-defined ones.
    let table: PieceTable
    /// Ids of `<0x00>`...`<0xFF>`; empty without byte fallback.
    let byteTokens: [Int32]
    /// User-defined pieces: found in text before anything is merged, the longest at each place.
    let userDefined: SpecialTokens
    /// Per id: the byte a byte piece stands for, or -1.
    let byteValues: [Int16]
    /// Control and unknown pieces, for text in which the caller allows them.
    let specials: SpecialTokens
    /// Whether the file asks for `<s>` in front of every prompt. `tokenizer.model` does not say; LLaMA's does.
    package let addsBOS: Bool

    /// U+2581, which stands for a space.
    static let space: [UInt8] = [0xE2, 0x96, 0x81]

    /// Reads `tokenizer.model`, given whole. `path` is for messages. Nothing of `bytes` is kept.
    public convenience init(bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
        let model: SentencePieceModel
        do throws(SentencePieceModel.Refusal) {
            model = try SentencePieceModel(bytes)
        } catch {
            switch error {
            case .malformed(let reason): throw .malformed(path: path, reason: reason)
            case .unsupported(let reason): throw .unsupported(path: path, reason: reason)
            }
        }
        try self.init(model: model, addsBOS: true, path: path)
    }

    init(model: SentencePieceModel, addsBOS: Bool, path: String) throws(TokenizerError) {
        self.model = model
        self.addsBOS = addsBOS
        vocabularySize = model.pieces.count

        var table = PieceTable(capacity: model.pieces.count)
        // Control, unknown and byte pieces are known by name, too, but never found in text.
        var reserved = PieceTable(capacity: model.pieces.count)
        var byteValues = [Int16](repeating: -1, count: model.pieces.count)
        var byteTokens = [Int32](repeating: -1, count: 256)
        var unknown: Int32?
        var userDefined = SpecialTokens()
        var specials = SpecialTokens()
        for (index, piece) in model.pieces.enumerated() {
            let id = Int32(index)
            switch piece.type {
            case .normal, .userDefined, .unused:
                guard table.insert(piece.bytes, id: id) else { throw .malformed(path: path, reason: "piece \(id) stands twice") }
                guard piece.type == .userDefined else { continue }
                guard piece.bytes.count <= SpecialTokens.maximumBytes, userDefined.insert(piece.bytes, token: id) else {
                    throw .unsupported(path: path, reason: "its user-defined pieces are too long or too many (piece \(id))")
                }
            case .control, .unknown, .byte:
                guard reserved.insert(piece.bytes, id: id) else { throw .malformed(path: path, reason: "piece \(id) stands twice") }
                if piece.type == .unknown {
                    guard unknown == nil else { throw .malformed(path: path, reason: "it has two unknown pieces") }
                    unknown = id
                } else if piece.type == .byte {
                    guard let value = Self.byteValue(piece.bytes) else { throw .malformed(path: path, reason: "piece \(id) is no <0xHH>") }
                    byteValues[index] = Int16(value)
                    byteTokens[Int(value)] = id
                }
                guard piece.type != .byte, piece.bytes.count <= SpecialTokens.maximumBytes else { continue }
                guard specials.insert(piece.bytes, token: id) else { throw .unsupported(path: path, reason: "its control pieces are too many") }
            }
        }
        guard let unknown else { throw .malformed(path: path, reason: "it has no unknown piece") }
        unknownToken = unknown
        if model.byteFallback {
            guard !byteTokens.contains(-1) else { throw .malformed(path: path, reason: "it falls back to bytes and lacks pieces for some") }
            self.byteTokens = byteTokens
        } else {
            self.byteTokens = []
        }
        let pieces = model.pieces
        func control(_ name: [UInt8]) -> Int32? {
            name.withUnsafeBufferPointer { reserved.id(of: $0) }.flatMap { pieces[Int($0)].type == .control ? $0 : nil }
        }
        guard let begin = control(model.beginPiece), let end = control(model.endPiece) else {
            throw .unsupported(path: path, reason: "it has no begin or no end of sequence (<s>, </s>)")
        }
        beginToken = begin
        endToken = end
        self.table = table
        self.specials = specials
        self.byteValues = byteValues
        self.userDefined = userDefined
    }

    /// The piece of a token as it stands in the model, a space as U+2581; nil for an id that is none.
    public func piece(_ token: Int32) -> String? {
        guard token >= 0, token < vocabularySize else { return nil }
        return String(decoding: model.pieces[Int(token)].bytes, as: UTF8.self)
    }

    /// `<0x0A>` is 10.
    private static func byteValue(_ piece: [UInt8]) -> UInt8? {
        guard piece.count == 6, piece.starts(with: Array("<0x".utf8)), piece[5] == UInt8(ascii: ">") else { return nil }
        // A sign is no digit.
        guard piece[3] != UInt8(ascii: "+"), piece[3] != UInt8(ascii: "-") else { return nil }
        return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
    }
}
