import Foundation
import RaDialogPipeline
import Testing

/// Token for token what the reference implementations write.
@Suite struct ByteLevelBPEVectorTests {
    @Test(arguments: ["plain", "digits"]) func `a vocabulary of our own gives the tokens of Hugging Face's library`(name: String) throws {
        let vectors = try TokenizerVectors.read("\(TokenizerFiles.fixtures)/own-\(name).vectors.json")
        #expect(vectors.encodings.count >= 140 && vectors.decodings.count >= 40)
        vectors.expectMet(by: try TokenizerFiles.own(name))
    }

    @Test(arguments: ["plain", "digits"]) func `the same vocabulary as GGUF arrays gives the same tokens`(name: String) throws {
        let json = try Data(contentsOf: URL(filePath: "\(TokenizerFiles.fixtures)/own-\(name).tokenizer.json"))
        let file = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
        let model = try #require(file["model"] as? [String: Any])
        let added = try #require(file["added_tokens"] as? [[String: Any]])
        let vocabulary = try #require(model["vocab"] as? [String: Int])
        var tokens = [String](repeating: "", count: vocabulary.count + 1)
        var types = [Int32](repeating: 1, count: tokens.count)
        for (token, id) in vocabulary { tokens[id] = token }
        for entry in added {
            let id = try #require(entry["id"] as? Int)
            tokens[id] = try #require(entry["content"] as? String)
            types[id] = entry["special"] as? Bool == true ? 3 : 4
        }
        let merges = try #require(model["merges"] as? [[String]])
        let description = VocabularyDescription(
            model: "gpt2", preTokenizer: name == "digits" ? "smollm" : "gpt-2", tokens: tokens, types: types, merges: merges.map { $0.joined(separator: " ") },
            bosToken: 0, eosToken: 2, addBOS: true)
        let tokenizer = try description.makeTokenizer(source: name)
        #expect(tokenizer.addsBOS && tokenizer.bosToken == 0 && tokenizer.eosToken == 2)
        try TokenizerVectors.read("\(TokenizerFiles.fixtures)/own-\(name).vectors.json").expectMet(by: tokenizer)
    }

    @Test(.enabled(if: TokenizerFiles.hasSmolLM2, Comment(rawValue: TokenizerFiles.needsSmolLM2)))
    func `SmolLM2's vocabulary gives the tokens of Hugging Face's library and of llama cpp`() throws {
        let path = try #require(TokenizerFiles.smolLM2)
        let tokenizer = try TokenizerFiles.description(gguf: path).makeTokenizer(source: path)
        #expect(tokenizer.vocabularySize == 49_152 && tokenizer.eosToken == 2 && !tokenizer.addsBOS)
        #expect(tokenizer.specialToken("<|im_start|>") == 1)
        let vectors = try TokenizerVectors.read(TokenizerFiles.smolLM2Vectors)
        #expect(vectors.encodings.count >= 200)
        vectors.expectMet(by: tokenizer)
    }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `llama cpp's vectors for GPT-2's vocabulary are met`() throws { try expectLlamaCppVectors("gpt-2") }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `llama cpp's vectors for LLaMA's vocabulary are met from the GGUF arrays`() throws { try expectLlamaCppVectors("llama-spm") }

    private func expectLlamaCppVectors(_ name: String) throws {
        let path = try #require(Oracle.corpus) + "/G_llm/ggerganov__llama.cpp/models/ggml-vocab-\(name).gguf"
        let tokenizer = try TokenizerFiles.description(gguf: path).makeTokenizer(source: path)
        let texts = try String(contentsOfFile: path + ".inp", encoding: .utf8).components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOfFile: path + ".out", encoding: .utf8).components(separatedBy: "\n")
        #expect(texts.count >= 40)
        for (text, line) in zip(texts, lines) {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            #expect(tokenizer.encode(text, addBOS: false, allowSpecial: false) == expected, "\(text.prefix(60).debugDescription)")
        }
    }

    /// LLaMA's vocabulary twice: from `tokenizer.model` and from the arrays of a GGUF file.
    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `LLaMA's vectors of llama-tokenizer-js are met from the GGUF arrays, there and back`() throws {
        let corpus = try #require(Oracle.corpus)
        let path = corpus + "/G_llm/ggerganov__llama.cpp/models/ggml-vocab-llama-spm.gguf"
        let tokenizer = try TokenizerFiles.description(gguf: path).makeTokenizer(source: path)
        #expect(tokenizer.addsBOS && tokenizer.bosToken == 1 && tokenizer.eosToken == 2)
        let source = try String(contentsOfFile: corpus + "/H_tokenizer_vectors/belladoreai__llama-tokenizer-js/llama-tokenizer.js", encoding: .utf8)
        var count = 0
        for match in source.matches(of: /testCase\((?:"((?:[^"\\]|\\.)*)"|'([^']*)'),\s*\[([0-9,\s]+)\]\)/) {
            let text = String(match.1 ?? match.2 ?? "").replacingOccurrences(of: "\\n", with: "\n").replacingOccurrences(of: "\\\"", with: "\"")
            let expected = match.3.split(separator: ",").compactMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            #expect(tokenizer.encode(text, addBOS: true, allowSpecial: false) == expected, "\(text.prefix(60))")
            #expect(tokenizer.decode(expected) == text)
            count += 1
        }
        #expect(count >= 12)
        // The files are of two makes; on texts of every kind they agree.
        let model = corpus + "/G_llm/karpathy__llama2.c/tokenizer.model"
        let other = try MappedFile(path: model).withBytes { try SentencePieceTokenizer(bytes: $0, path: model) }
        for row in try TokenizerVectors.read("\(TokenizerFiles.fixtures)/smollm2.vectors.json").encodings {
            let ids = tokenizer.encode(row.text, addBOS: false, allowSpecial: true)
            #expect(ids == other.encode(row.text, addBOS: false, allowSpecial: true), "\(row.text.debugDescription.prefix(80))")
        }
    }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `the vocabulary of stories260K gives the tokens of Google's library`() throws {
        let data = try Data(contentsOf: URL(filePath: #require(Oracle.corpus) + "/G_llm/DaveBben__esp32-llm/data/tok512.bin"))
        var tokens: [String] = [], scores: [Float] = []
        var offset = 4
        while offset < data.count {
            let (bits, count) = data.withUnsafeBytes { ($0.loadUnaligned(fromByteOffset: offset, as: UInt32.self), Int($0.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))) }
            scores.append(Float(bitPattern: bits))
            // llama2.c writes a space for U+2581.
            tokens.append(String(decoding: data[offset + 8..<offset + 8 + count], as: UTF8.self).replacingOccurrences(of: " ", with: "▁"))
            offset += 8 + count
        }
        for (id, name) in ["<unk>", "<s>", "</s>"].enumerated() { tokens[id] = name }
        for byte in 0..<256 { tokens[3 + byte] = "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">" }
        let types = tokens.indices.map { Int32($0 == 0 ? 2 : $0 < 3 ? 3 : $0 < 259 ? 6 : 1) }
        let description = VocabularyDescription(model: "llama", tokens: tokens, scores: scores, types: types, bosToken: 1, eosToken: 2)
        let vectors = try TokenizerVectors.read("\(TokenizerFiles.fixtures)/stories260k.vectors.json")
        #expect(vectors.encodings.count >= 120)
        vectors.expectMet(by: try description.makeTokenizer(source: "tok512.bin"))
    }
}
