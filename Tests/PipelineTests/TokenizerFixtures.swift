/// A SentencePiece model in memory, written field by field.
struct TokenizerModelFile {
    var pieces: [(text: String, score: Float, type: UInt8)]
    var modelType: UInt8 = 2
    var byteFallback = true
    var addDummyPrefix = true
    var removeExtraWhitespaces = false
    var characterMap: [UInt8] = []

    /// `<unk>`, `<s>`, `</s>`, 256 bytes, then merges of "the lung" and some letters.
    static let small = TokenizerModelFile(
        pieces: [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)]
            + (0..<256).map { ("<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">", 0, 6) }
            + ["th", "the", "▁the", "lu", "ng", "lung", "▁lung", "▁▁"].enumerated().map { ($1, -Float($0), 1) }
            + ["▁", "t", "h", "e", "l", "u", "n", "g", "肺"].map { ($0, -100, 1) })

    var bytes: [UInt8] {
        var result: [UInt8] = []
        for piece in pieces {
            let score = withUnsafeBytes(of: piece.score.bitPattern.littleEndian) { Array($0) }
            result += Self.field(1, Self.field(1, Array(piece.text.utf8)) + [0x15] + score + [0x18, piece.type])
        }
        result += Self.field(2, [0x18, modelType] + Self.varintKey(35, 0) + [byteFallback ? 1 : 0])
        let flags: [UInt8] = [0x18, addDummyPrefix ? 1 : 0, 0x20, removeExtraWhitespaces ? 1 : 0]
        result += Self.field(3, Self.field(1, Array("identity".utf8)) + Self.field(2, characterMap) + flags)
        return result
    }

    private static func varintKey(_ number: Int, _ wire: Int) -> [UInt8] { varint(number << 3 | wire) }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80)] + varint(value >> 7)
    }

    private static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
        varintKey(number, 2) + varint(bytes.count) + bytes
    }
}
