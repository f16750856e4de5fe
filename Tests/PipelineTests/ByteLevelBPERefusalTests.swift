import Foundation
import RaDialogPipeline
import Testing

/// Files that are not what this program reads: each refusal says what.
@Suite struct ByteLevelBPERefusalTests {
    /// All 256 bytes, then "ab" and a control token.
    private var description: VocabularyDescription {
        var next: UInt32 = 0x100
        var tokens = (UInt32(0)..<256).map { byte -> String in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) { return String(UnicodeScalar(UInt8(byte))) }
            defer { next += 1 }
            return UnicodeScalar(next).map { String($0) } ?? ""
        }
        tokens += ["ab", "<|end|>"]
        return VocabularyDescription(
            model: "gpt2", preTokenizer: "gpt-2", tokens: tokens, types: Array(repeating: 1, count: 257) + [3], merges: ["a b"], eosToken: 257)
    }

    private func refusal(_ change: (inout VocabularyDescription) -> Void) -> String {
        var description = description
        change(&description)
        do {
            _ = try description.makeTokenizer(source: "model.gguf")
            return "accepted"
        } catch {
            return error.description
        }
    }

    private func expect(_ message: String, says part: String, at location: SourceLocation = #_sourceLocation) {
        #expect(message.contains(part), sourceLocation: location)
    }

    @Test func `the vocabulary the other tests damage is read`() throws {
        let tokenizer = try description.makeTokenizer(source: "model.gguf")
        #expect(tokenizer.encode("cab", addBOS: true, allowSpecial: false) == [0x63, 256])
        #expect(tokenizer.encode("<|end|>", addBOS: false, allowSpecial: true) == [257])
    }

    @Test func `a GGUF vocabulary that contradicts itself is refused with what is wrong`() {
        expect(refusal { $0.tokens[256] = "a" }, says: #"token 256, "a", stands twice"#)
        expect(refusal { $0.merges = ["a b", "a b"] }, says: "merge 1, \"a\" with \"b\", stands twice")
        expect(refusal { $0.merges = ["a c"] }, says: #"merge 0 needs the token "ac", which is not in the vocabulary"#)
        expect(refusal { $0.merges = ["x yz"] }, says: #"needs the token "yz""#)
        for merge in ["ab", "a  b", "a b c", " b", "a "] { expect(refusal { $0.merges = [merge] }, says: "is not two tokens") }
        expect(refusal { $0.tokens[0x65] = "ee" }, says: "no token for 1 bytes that ordinary text needs, 0x65")
        expect(refusal { $0.types?[0x65] = 3 }, says: "0x65")
        expect(refusal { $0.types?[256] = 3 }, says: "makes the control token")
        expect(refusal { $0.types?.removeLast() }, says: "258 tokens and 257 token types")
        expect(refusal { $0.types?[0] = 9 }, says: "unknown type 9")
        expect(refusal { $0.eosToken = 258 }, says: "its end token is 258")
        expect(refusal { $0.bosToken = -1 }, says: "its begin token is -1")
        expect(refusal { $0.merges = nil }, says: "no merges")
        expect(refusal { $0.tokens = [] }, says: "0 tokens")
        expect(refusal { $0.tokens[257] = "" }, says: "token 257 has 0 bytes")
        expect(refusal { $0.tokens[256] = String(repeating: "a", count: 5000) }, says: "5000 bytes")
        expect(refusal { $0.tokens[257] = String(repeating: "a", count: 600) }, says: "special token 257 has 600 bytes")
        expect(refusal { $0.tokens = Array(repeating: "a", count: VocabularyDescription.maximumTokens + 1) }, says: "are read")
        expect(refusal { $0.merges = Array(repeating: "a b", count: VocabularyDescription.maximumMerges + 1) }, says: "are read")
    }

    @Test func `another tokenizer model or pre-tokenizer is refused by name`() {
        expect(refusal { $0.model = "bert" }, says: #"tokenizer model is "bert""#)
        expect(refusal { $0.preTokenizer = "llama-bpe" }, says: #"pre-tokenizer is "llama-bpe"; implemented: gpt-2, smollm"#)
        expect(refusal { $0.preTokenizer = nil }, says: "is not named")
        expect(refusal { $0.addSpacePrefix = true }, says: "add_space_prefix")
    }

    @Test func `a byte of no importance may lack its token and is left out of the text`() throws {
        var description = description
        description.tokens[0x04] = "unused"
        let tokenizer = try description.makeTokenizer(source: "model.gguf")
        #expect(tokenizer.encode("!\u{4}a\u{4}b", addBOS: false, allowSpecial: false) == [0x21, 0x61, 0x62])
    }

    /// `<unk>`, `<s>`, `</s>`, 256 bytes, "▁", "a", "▁a".
    private var llama: VocabularyDescription {
        let tokens = ["<unk>", "<s>", "</s>"]
            + (0..<256).map { "<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">" } + ["▁", "a", "▁a"]
        return VocabularyDescription(
            model: "llama", tokens: tokens, scores: Array(repeating: -1, count: tokens.count),
            types: [2, 3, 3] + Array(repeating: 6, count: 256) + [1, 1, 1], bosToken: 1, eosToken: 2)
    }

    private func llamaRefusal(_ change: (inout VocabularyDescription) -> Void) -> String {
        var description = llama
        change(&description)
        do {
            _ = try description.makeTokenizer(source: "model.gguf")
            return "accepted"
        } catch {
            return error.description
        }
    }

    @Test func `a SentencePiece vocabulary in GGUF falls back to bytes and has its prefix switch`() throws {
        #expect(try llama.makeTokenizer(source: "").encode("a\n", addBOS: true, allowSpecial: false) == [1, 261, 13])
        var description = llama
        description.addSpacePrefix = false
        description.addBOS = false
        let tokenizer = try description.makeTokenizer(source: "")
        #expect(tokenizer.encode("a", addBOS: false, allowSpecial: false) == [260] && !tokenizer.addsBOS)
        description.tokens.append("[PAD262]")
        description.scores?.append(-10_000)
        description.types?.append(5)
        #expect(try description.makeTokenizer(source: "").encode("[PAD262]", addBOS: false, allowSpecial: false).contains(262) == false)
    }

    @Test func `a SentencePiece vocabulary in GGUF that contradicts itself is refused with what is wrong`() {
        expect(llamaRefusal { $0.scores = nil }, says: "262 tokens and no scores")
        expect(llamaRefusal { $0.scores?.removeLast() }, says: "261 scores")
        expect(llamaRefusal { $0.scores?[5] = .nan }, says: "score of token 5")
        expect(llamaRefusal { $0.types = nil }, says: "no token types")
        expect(llamaRefusal { $0.types?[70] = 1 }, says: "lacks pieces")
        expect(llamaRefusal { $0.types?[261] = 6 }, says: "no <0xHH>")
        expect(llamaRefusal { $0.types?[2] = 1 }, says: "is no control token")
        expect(llamaRefusal { $0.types?[261] = 5 }, says: "UNUSED")
        expect(llamaRefusal { $0.types?[0] = 1 }, says: "no unknown piece")
        expect(llamaRefusal { $0.tokens[261] = "a" }, says: "stands twice")
        expect(llamaRefusal { $0.eosToken = nil }, says: "no end token")
        for message in [llamaRefusal { $0.tokens[261] = "a" }, llamaRefusal { $0.tokens[261] = "" }] {
            #expect(message.contains("the vocabulary of model.gguf is damaged"))
        }
    }

    private func own() throws -> String { try String(contentsOfFile: TokenizerFiles.fixtures + "/own-digits.tokenizer.json", encoding: .utf8) }

    private func refusal(replacing old: String, with new: String) throws -> String {
        let json = try own()
        try #require(json.contains(old), "the fixture has no \(old)")
        do {
            _ = try TokenizerFiles.tokenizer(json: json.replacingOccurrences(of: old, with: new))
            return "accepted"
        } catch let error as TokenizerError {
            return error.description
        }
    }

    @Test func `what a tokenizer json asks for and we do not do is refused by name`() throws {
        #expect(try refusal(replacing: #""normalizer":null"#, with: #""normalizer":{"type":"NFC"}"#).contains(#"it normalises text ("NFC")"#))
        #expect(try refusal(replacing: #""post_processor":null"#, with: #""post_processor":{"type":"TemplateProcessing","single":[]}"#).contains("TemplateProcessing"))
        #expect(try refusal(replacing: #""decoder":{"type":"ByteLevel""#, with: #""decoder":{"type":"Metaspace""#).contains("Metaspace"))
        #expect(try refusal(replacing: #""type":"BPE""#, with: #""type":"WordPiece""#).contains(#"model type is "WordPiece""#))
        #expect(try refusal(replacing: #""type":"Digits""#, with: #""type":"Split""#).contains(#""Split", "ByteLevel""#))
        #expect(try refusal(replacing: #""individual_digits":true"#, with: #""individual_digits":false"#).contains("individual_digits"))
        #expect(try refusal(replacing: #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]"#, with: #"{"type":"ByteLevel"}]"#).contains("add_prefix_space"))
        #expect(try refusal(replacing: #""use_regex":true}]"#, with: #""use_regex":false}]"#).contains("use_regex"))
        #expect(try refusal(replacing: #""byte_fallback":false"#, with: #""byte_fallback":true"#).contains("byte_fallback"))
        #expect(try refusal(replacing: #""ignore_merges":false"#, with: #""ignore_merges":true"#).contains("ignore_merges"))
        #expect(try refusal(replacing: #""end_of_word_suffix":null"#, with: #""end_of_word_suffix":"</w>""#).contains("</w>"))
        #expect(try refusal(replacing: #""dropout":null"#, with: #""dropout":0.1"#).contains("dropout 0.1"))
        #expect(try refusal(replacing: #""unk_token":null"#, with: #""unk_token":"[UNK]""#).contains("[UNK]"))
        #expect(try refusal(replacing: #""content":"<IMG>","single_word":false"#, with: #""content":"<IMG>","single_word":true"#).contains("single_word"))
        #expect(try refusal(replacing: #""content":"<IMG>""#, with: #""content":"<|im_end|>""#).contains("stands twice"))
        #expect(try refusal(replacing: #"{"id":0,"content":"<|endoftext|>""#, with: #"{"id":0,"content":"<|other|>""#).contains("among the added tokens"))
        #expect(try refusal(replacing: #"{"id":640,"#, with: #"{"id":4000000000000,"#).contains("4000000000000"))
        #expect(try refusal(replacing: #""truncation":null"#, with: #""truncation":"# + String(repeating: "[", count: 100_000)).contains("deep"))
    }

    @Test func `a tokenizer json cut anywhere is refused`() throws {
        let bytes = Array(try own().utf8)
        for count in stride(from: 0, to: bytes.count, by: 97) {
            #expect(throws: TokenizerError.self) {
                try bytes[0..<count].withUnsafeBytes { try HuggingFaceTokenizer.read(tokenizerJSON: $0, roles: .init(), path: "cut") }
            }
        }
    }

    @Test func `vocab json and merges txt give the tokens of the same tokenizer json`() throws {
        let file = try #require(JSONSerialization.jsonObject(with: Data(own().utf8)) as? [String: Any])
        let model = try #require(file["model"] as? [String: Any])
        let vocabulary = try JSONSerialization.data(withJSONObject: #require(model["vocab"]))
        let merges = try #require(model["merges"] as? [[String]]).map { $0.joined(separator: " ") }
        func read(_ lines: [String], control: [String] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) throws -> ByteLevelBPETokenizer {
            try vocabulary.withUnsafeBytes { vocabulary in
                try Array(lines.joined(separator: "\r\n").utf8).withUnsafeBytes {
                    try HuggingFaceTokenizer.read(
                        vocabularyJSON: vocabulary, merges: $0, preTokenizer: .smollm, control: control, roles: .init(eosToken: 2), path: "vocab.json")
                }
            }
        }
        let tokenizer = try read(["#version: 0.2"] + merges + [""])
        for row in try TokenizerVectors.read(TokenizerFiles.fixtures + "/own-digits.vectors.json").encodings where !row.text.contains("<IMG>") {
            #expect(tokenizer.encode(row.text, addBOS: false, allowSpecial: row.special) == row.ids, "\(row.text.debugDescription.prefix(80))")
        }
        #expect(throws: TokenizerError.self) { try read(merges + ["a"]) }
        #expect(throws: TokenizerError.self) { try read(merges, control: ["<|none|>"]) }
    }
}
