import Foundation
import RaDialogPipeline
import Testing

/// Token for token against Google's SentencePiece.
@Suite(.enabled(if: Oracle.hasPython, Comment(rawValue: Oracle.needsPython)))
struct TokenizerOracleTests {
    private struct Answer: Decodable {
        var text: String?
        var ids: [Int32]
        var decoded: String
        var cut: String
    }

    private func compare(model: String, in folder: ScratchFolder) throws {
        let texts = Self.texts
        try folder.write(JSONEncoder().encode(texts), as: "texts.json")
        try Oracle.run("tokenizer_oracle.py", [model, folder.path + "/texts.json", folder.path + "/answers.json"])
        let answers = try JSONDecoder().decode([Answer].self, from: Data(contentsOf: URL(fileURLWithPath: folder.path + "/answers.json")))
        let tokenizer = try MappedFile(path: model).withBytes { try SentencePieceTokenizer(bytes: $0, path: model) }
        #expect(answers.count >= texts.count + 100)
        for answer in answers {
            if let text = answer.text { #expect(tokenizer.encode(text, bos: false) == answer.ids, "\(text.debugDescription)") }
            #expect(Array(tokenizer.decode(answer.ids).unicodeScalars) == Array(answer.decoded.unicodeScalars), "\(answer.ids)")
            let cut = answer.ids.dropFirst().dropLast()
            #expect(Array(tokenizer.decode(cut).unicodeScalars) == Array(answer.cut.unicodeScalars), "\(cut)")
        }
    }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `LLaMA's vocabulary gives SentencePiece's tokens for varied texts`() throws {
        try compare(model: #require(Oracle.corpus) + "/G_llm/karpathy__llama2.c/tokenizer.model", in: ScratchFolder())
    }

    @Test func `models with other white space rules, without bytes and with symbols of their own give SentencePiece's tokens`() throws {
        let folder = try ScratchFolder()
        try Oracle.run("tokenizer_oracle.py", ["train", folder.path])
        for name in ["identity", "squeezed", "no_prefix", "no_bytes", "symbols"] {
            try compare(model: "\(folder.path)/\(name).model", in: folder)
        }
        for (name, reason) in [("nfkc", "character map"), ("unigram", "only BPE")] {
            do {
                _ = try MappedFile(path: "\(folder.path)/\(name).model").withBytes { try SentencePieceTokenizer(bytes: $0, path: name) }
                Issue.record("\(name) was accepted")
            } catch let error as TokenizerError {
                #expect(error.description.contains(reason))
            }
        }
    }

    /// Hand-picked traps, then texts drawn by a fixed generator.
    private static var texts: [String] {
        var texts = [
            "", " ", "  ", "   ", "\n", " \n ", "\t\ttabs", "a", "▁", "▁▁ ▁", "the heart  is   normal", " leading", "trailing ", "trailing   ",
            "<s>", "</s>", "<unk>", "<0x41>", "<IMG><IMG>", "mildly ab<IMG>ab", "é", "e\u{301}", "ﬁ ½ ²", "🦙🦙‍🦙", "\u{FFFD}", "\u{0}", "\u{10FFFF}",
            "Überlegung", "肺心肺", "ÀÉÎÕÜ", "a\u{A0}b", "\u{2028}", "right-sided PICC; 3.5 cm (stable)", "CamelCaseWords123456",
            String(repeating: "a", count: 300), String(repeating: " ", count: 50), String(repeating: "normal ", count: 60),
            "A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist.",
            "USER: . Predicted Findings: cardiomegaly, edema. You are to act as a radiologist ASSISTANT:",
        ]
        var state: UInt64 = 42
        func next(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let parts = [
            " ", " ", " ", "  ", "\n", "the", "heart", "is", "normal", "mild", "lung", "s", "ing", ",", ".", "1", "23", "é", "ß", "肺", "🦙", "\u{301}", "Ω", "-", "<", ">", "ab",
            "Pleural effusion", "no", "(", ")", "'s", "%", "\t", "À", "한국어", "عربي", "&", "µm",
        ]
        for _ in 0..<300 { texts.append((0..<(1 + next(14))).map { _ in parts[next(parts.count)] }.joined()) }
        return texts
    }
}
