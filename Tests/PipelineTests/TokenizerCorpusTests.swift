import Foundation
import RaDialogPipeline
import Testing

/// LLaMA's own vocabulary against published vectors.
@Suite(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
struct TokenizerCorpusTests {
    private func llama() throws -> SentencePieceTokenizer {
        let path = try #require(Oracle.corpus) + "/G_llm/karpathy__llama2.c/tokenizer.model"
        return try MappedFile(path: path).withBytes { try SentencePieceTokenizer(bytes: $0, path: path) }
    }

    @Test func `the test vectors of llama-tokenizer-js are met, there and back`() throws {
        let tokenizer = try llama()
        let source = try String(
            contentsOfFile: #require(Oracle.corpus) + "/H_tokenizer_vectors/belladoreai__llama-tokenizer-js/llama-tokenizer.js", encoding: .utf8)
        var count = 0
        for match in source.matches(of: /testCase\((?:"((?:[^"\\]|\\.)*)"|'([^']*)'),\s*\[([0-9,\s]+)\]\)/) {
            let escaped = String(match.1 ?? match.2 ?? "")
            let text = escaped.replacingOccurrences(of: "\\n", with: "\n").replacingOccurrences(of: "\\\"", with: "\"")
            let expected = match.3.split(separator: ",").compactMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            #expect(tokenizer.encode(text, bos: true) == expected, "\(text.prefix(60))")
            #expect(tokenizer.decode(expected) == text)
            count += 1
        }
        #expect(count >= 12)
    }

    @Test func `llama cpp's vectors for the LLaMA vocabulary are met`() throws {
        let tokenizer = try llama()
        let base = try #require(Oracle.corpus) + "/G_llm/ggerganov__llama.cpp/models/ggml-vocab-llama-spm.gguf"
        let texts = try String(contentsOfFile: base + ".inp", encoding: .utf8).components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOfFile: base + ".out", encoding: .utf8).components(separatedBy: "\n")
        #expect(texts.count >= 40)
        for (text, line) in zip(texts, lines) {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            #expect(tokenizer.encode(text, bos: false) == expected, "\(text.prefix(60).debugDescription)")
        }
    }
}
