/// What a SentencePiece model file says, as far as BPE encoding and decoding need it. Field numbers:
/// sentencepiece_model.proto of github.com/google/sentencepiece.
struct SentencePieceModel {
    enum PieceType: UInt64 {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    struct Piece {
        /// UTF-8; a space stands as U+2581.
        var bytes: [UInt8]
        /// Merges with a higher score come first.
        var score: Float = 0
        var type = PieceType.normal
    }

    /// The largest published vocabulary has 262144; a hostile file should not cost more memory than this makes.
    static let maximumPieces = 300_000
    static let maximumPieceBytes = 4096
    /// Of all pieces. The largest published vocabulary has 2 MB of them.
    static let maximumTotalBytes = 8 << 20

    /// By token id.
    var pieces: [Piece] = []
    var byteFallback = false
    var addDummyPrefix = true
    var removeExtraWhitespaces = true
    var escapeWhitespaces = true
    var beginPiece = Array("<s>".utf8)
    var endPiece = Array("</s>".utf8)
    /// What an unknown token is in text.
    var unknownSurface = " \u{2047} "

    /// Why a model is not used.
    enum Refusal: Error {
        case malformed(String)
        case unsupported(String)
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(Refusal) {
        do throws(ProtobufReader.Malformed) {
            try read(bytes)
        } catch {
            throw .malformed(error.reason)
        }
        guard !pieces.isEmpty else { throw .malformed("it has no pieces") }
        guard modelType == Self.bytePairEncoding else {
            throw .unsupported("its model type is \(modelType); only BPE (\(Self.bytePairEncoding)) is implemented")
        }
        guard !hasNormalizationTable else {
            throw .unsupported("it normalises text through a character map; only identity normalisation is implemented (train with --normalization_rule_name=identity)")
        }
        guard !whitespaceIsSuffix else { throw .unsupported("it treats white space as a suffix") }
        guard !pieces.contains(where: { $0.type == .unused }) else { throw .unsupported("it has pieces of type UNUSED") }
    }

    /// BPE pieces that stand in another kind of file. Switches as the format's defaults have them; white space stays as it is.
    init(pieces: [Piece]) {
        self.pieces = pieces
        removeExtraWhitespaces = false
        modelType = Self.bytePairEncoding
    }

    /// TrainerSpec.ModelType.BPE; UNIGRAM (1) is the default of the format.
    private static let bytePairEncoding: UInt64 = 2
    private var modelType: UInt64 = 1
    private var hasNormalizationTable = false
    private var whitespaceIsSuffix = false

    private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes)
        var total = 0
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let message)):
                guard pieces.count < Self.maximumPieces else { throw .init(reason: "more than \(Self.maximumPieces) pieces") }
                let piece = try Self.piece(message, id: pieces.count)
                total += piece.bytes.count
                guard total <= Self.maximumTotalBytes else { throw .init(reason: "pieces of more than \(Self.maximumTotalBytes) bytes") }
                pieces.append(piece)
            case (2, .bytes(let message)): try readTrainer(message)
            case (3, .bytes(let message)): try readNormalizer(message)
            case (5, .bytes(let message)): try readDenormalizer(message)
            case (1...3, _), (5, _): throw .init(reason: "field \(field) is not a message")
            default: break  // self_test_data and extensions
            }
        }
    }

    private static func piece(_ bytes: UnsafeRawBufferPointer, id: Int) throws(ProtobufReader.Malformed) -> Piece {
        var piece = Piece(bytes: [])
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let text)):
                guard text.count <= maximumPieceBytes else { throw .init(reason: "piece \(id) has \(text.count) bytes") }
                piece.bytes = Array(text)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint(let number)):
                guard let type = PieceType(rawValue: number) else { throw .init(reason: "piece \(id) has the unknown type \(number)") }
                piece.type = type
            case (1...3, _): throw .init(reason: "piece \(id) has a field of the wrong wire type")
            default: break
            }
        }
        guard !piece.bytes.isEmpty, String(validating: piece.bytes, as: UTF8.self) != nil else {
            throw .init(reason: "piece \(id) is empty or not UTF-8")
        }
        guard !piece.score.isNaN else { throw .init(reason: "the score of piece \(id) is not a number") }
        return piece
    }

    /// TrainerSpec.
    private mutating func readTrainer(_ bytes: UnsafeRawBufferPointer) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (3, .varint(let number)): modelType = number
            case (24, .varint(let flag)): whitespaceIsSuffix = flag != 0
            case (35, .varint(let flag)): byteFallback = flag != 0
            case (44, .bytes(let text)): unknownSurface = String(decoding: text, as: UTF8.self)
            case (46, .bytes(let text)): beginPiece = Array(text)
            case (47, .bytes(let text)): endPiece = Array(text)
            default: break
            }
        }
    }

    /// NormalizerSpec.
    private mutating func readNormalizer(_ bytes: UnsafeRawBufferPointer) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (2, .bytes(let table)): hasNormalizationTable = hasNormalizationTable || !table.isEmpty
            case (3, .varint(let flag)): addDummyPrefix = flag != 0
            case (4, .varint(let flag)): removeExtraWhitespaces = flag != 0
            case (5, .varint(let flag)): escapeWhitespaces = flag != 0
            default: break
            }
        }
    }

    /// A NormalizerSpec too; only its table would change what we decode.
    private mutating func readDenormalizer(_ bytes: UnsafeRawBufferPointer) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            if field == 2, case .bytes(let table) = value { hasNormalizationTable = hasNormalizationTable || !table.isEmpty }
        }
    }
}
