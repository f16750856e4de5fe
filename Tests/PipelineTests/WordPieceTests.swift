import Foundation
import RaDialogPipeline
import Testing

/// The tokens of bert-base-uncased's tokenizer in Python, which CheXbert was trained with.
@Suite struct WordPieceTests {
    /// What reference/write_wordpiece_vectors.py wrote.
    struct Vectors: Decodable {
        struct Row: Decodable {
            var text: String
            var ids: [Int32]
        }
        var limit: Int
        var encodings: [Row]
        /// Cleaned first, as CheXbert does.
        var reports: [Row]

        func expectMet(by tokenizer: WordPieceTokenizer) {
            for row in encodings {
                #expect(tokenizer.encode(row.text, limit: limit).tokens == row.ids, "\(row.text.debugDescription.prefix(200))")
            }
            for row in reports {
                #expect(tokenizer.encode(CheXbert.plain(row.text), limit: limit).tokens == row.ids, "report \(row.text.debugDescription.prefix(200))")
            }
        }

        static func read(_ path: String) throws -> Vectors { try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: URL(filePath: path))) }
    }

    /// RADIALOG_BERT_VOCABULARY: bert-base-uncased's vocab.txt. Its vectors lie beside it: NAME.vectors.json.
    static let published = ProcessInfo.processInfo.environment["RADIALOG_BERT_VOCABULARY"].flatMap { $0.isEmpty ? nil : $0 }

    private func tokenizer(_ path: String) throws -> WordPieceTokenizer {
        try MappedFile(path: path).withBytes { try WordPieceTokenizer(vocabulary: $0, path: path) }
    }

    private func tokenizer(lines: [String], end: String = "\n") throws -> WordPieceTokenizer {
        try Array((lines.joined(separator: end) + end).utf8).withUnsafeBytes { try WordPieceTokenizer(vocabulary: $0, path: "vocab.txt") }
    }

    @Test func `a vocabulary of our own gives the tokens of Hugging Face's BertTokenizer`() throws {
        let vectors = try Vectors.read(TokenizerFiles.fixtures + "/wordpiece.vectors.json")
        #expect(vectors.encodings.count >= 400 && vectors.reports.count >= 30 && vectors.limit == 512)
        vectors.expectMet(by: try tokenizer(TokenizerFiles.fixtures + "/wordpiece.vocab.txt"))
    }

    @Test(.enabled(if: published != nil, "RADIALOG_BERT_VOCABULARY does not name the vocab.txt of bert-base-uncased"))
    func `bert-base-uncased's own vocabulary gives the tokens of Hugging Face's BertTokenizer`() throws {
        let path = try #require(Self.published)
        let vectors = try Vectors.read((path as NSString).deletingPathExtension + ".vectors.json")
        let tokenizer = try tokenizer(path)
        #expect(tokenizer.vocabularySize == 30_522 && tokenizer.classToken == 101 && tokenizer.separatorToken == 102 && tokenizer.unknownToken == 100)
        #expect(vectors.encodings.count >= 400)
        vectors.expectMet(by: tokenizer)
    }

    private static let small = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lung", "##s", "##sclear", "s", "e", "##e"]

    @Test(arguments: [
        ("lungs", [4, 5]), ("LUNGS lung s", [4, 5, 4, 7]), ("lungsclear", [4, 6]), ("lungx", [1]), ("", []), ("é É e\u{301} ê", [8, 8, 8, 8]), ("[SEP]", [1, 1, 1]),
        ("##s", [1, 1, 7]), ("lung\u{0}\u{200B}s", [4, 5]),
    ] as [(String, [Int32])])
    func `the longest piece comes first, and a word that does not go up in pieces is unknown as a whole`(_ text: String, _ tokens: [Int32]) throws {
        #expect(try tokenizer(lines: Self.small).encode(text, limit: 20).tokens == [2] + tokens + [3])
    }

    @Test func `a text is cut behind its last position but one`() throws {
        let tokenizer = try tokenizer(lines: Self.small)
        for (count, isTruncated) in [(3, false), (4, true), (400, true)] {
            let (tokens, found) = tokenizer.encode(String(repeating: "lung ", count: count), limit: 5)
            #expect(tokens == [2, 4, 4, 4, 3] && found == isTruncated)
        }
        #expect(tokenizer.encode("lungs lungs", limit: 5).tokens == [2, 4, 5, 4, 3])
        #expect(tokenizer.encode("lung", limit: 2).tokens == [2, 3])
    }

    @Test func `lines may end as Windows ends them, and the last need not`() throws {
        for tokenizer in try [tokenizer(lines: Self.small, end: "\r\n"), tokenizer(lines: Self.small.dropLast() + ["##e"], end: "\n")] {
            #expect(tokenizer.vocabularySize == 10 && tokenizer.encode("lungs", limit: 9).tokens == [2, 4, 5, 3])
        }
        let open = try Array("[UNK]\n[CLS]\n[SEP]\nx".utf8).withUnsafeBytes { try WordPieceTokenizer(vocabulary: $0, path: "") }
        #expect(open.encode("x", limit: 3).tokens == [1, 3, 2])
    }

    @Test(arguments: [
        (["x"], "[UNK]"), (["[UNK]", "[CLS]", "x"], "[SEP]"), (["[UNK]", "[CLS]", "[SEP]", "x", "y", "x"], "line 6 stands twice"),
        (["[UNK]", "", "[CLS]", "[SEP]"], "line 2 is empty"),
    ] as [([String], String)])
    func `a file that is no vocabulary of BERT's is refused`(_ lines: [String], _ reason: String) {
        #expect { try tokenizer(lines: lines) } throws: { "\($0)".contains(reason) && "\($0)".contains("vocab.txt") }
    }

    @Test func `a vocabulary that is not UTF-8 is refused by its line`() {
        let bytes = Array("[UNK]\n[CLS]\n[SEP]\n".utf8) + [0xFF, 0x0A]
        #expect { try bytes.withUnsafeBytes { try WordPieceTokenizer(vocabulary: $0, path: "v") } } throws: { "\($0)".contains("line 4") }
    }
}
