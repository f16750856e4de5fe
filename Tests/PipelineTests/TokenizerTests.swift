import Foundation
import RaDialogPipeline
import Testing

@Suite struct TokenizerTests {
    private func tokenizer(_ file: TokenizerModelFile) throws -> SentencePieceTokenizer { try Self.read(file.bytes) }

    private static func read(_ bytes: [UInt8]) throws -> SentencePieceTokenizer {
        try bytes.withUnsafeBytes { try SentencePieceTokenizer(bytes: $0, path: "tokenizer.model") }
    }

    private func pieces(_ text: String, _ tokenizer: SentencePieceTokenizer) -> [String] {
        tokenizer.encode(text, bos: false).compactMap { tokenizer.piece($0) }
    }

    @Test func `text becomes the best merges with a dummy prefix, and comes back`() throws {
        let tokenizer = try tokenizer(.small)
        #expect(pieces("the lung", tokenizer) == ["▁the", "▁lung"])
        #expect(pieces("  the", tokenizer) == ["▁▁", "▁the"])
        #expect(tokenizer.encode("the", bos: true).first == tokenizer.beginToken)
        #expect(tokenizer.decode(tokenizer.encode("the  lung 肺", bos: true)) == "the  lung 肺")
        #expect((tokenizer.beginToken, tokenizer.endToken, tokenizer.unknownToken) == (1, 2, 0))
    }

    @Test func `an empty text has no token, not even the dummy prefix`() throws {
        let tokenizer = try tokenizer(.small)
        #expect(tokenizer.encode("", bos: false).isEmpty)
        #expect(tokenizer.encode("", bos: true) == [tokenizer.beginToken])
        #expect(tokenizer.decode([]) == "")
    }

    @Test func `a character without a piece becomes its bytes`() throws {
        let tokenizer = try tokenizer(.small)
        #expect(pieces("é", tokenizer) == ["▁", "<0xC3>", "<0xA9>"])
        #expect(tokenizer.decode(tokenizer.encode("t🦙é\0\n", bos: false)) == "t🦙é\0\n")
    }

    @Test func `the name of a control token in a text is text`() throws {
        let tokenizer = try tokenizer(.small)
        let tokens = tokenizer.encode("</s><s><unk><0x41>", bos: false)
        for control in [tokenizer.beginToken, tokenizer.endToken, tokenizer.unknownToken] { #expect(!tokens.contains(control)) }
        #expect(tokenizer.decode(tokens) == "</s><s><unk><0x41>")
    }

    @Test func `bytes that are no character become U+FFFD, one by one`() throws {
        let tokenizer = try tokenizer(.small)
        let byte = { (value: Int32) in value + 3 }
        #expect(tokenizer.decode([0xE2, 0x82].map(byte)) == "\u{FFFD}\u{FFFD}")
        #expect(tokenizer.decode([0xC0, 0x80, 0x41].map(byte)) == "\u{FFFD}\u{FFFD}A")
        #expect(tokenizer.decode([0xED, 0xA0, 0x80].map(byte)) == "\u{FFFD}\u{FFFD}\u{FFFD}")
        #expect(tokenizer.decode([0xC3, 0xA9].map(byte)) == "é")
        // A token that is not a byte ends the character.
        #expect(tokenizer.decode([byte(0xC3), tokenizer.endToken, byte(0xA9)]) == "\u{FFFD}\u{FFFD}")
    }

    @Test func `streaming holds back an unfinished character and adds up to the whole`() throws {
        let tokenizer = try tokenizer(.small)
        var decoder = tokenizer.makeDecoder()
        let parts = tokenizer.encode("the 🦙 lung", bos: true).map { decoder.append($0) } + [decoder.finish()]
        #expect(parts.joined() == "the 🦙 lung")
        #expect(parts == ["", "the", " ", "", "", "", "🦙", " lung", ""])
    }

    @Test func `ids outside the vocabulary are nothing`() throws {
        let tokenizer = try tokenizer(.small)
        #expect(tokenizer.decode([-1, Int32.max, Int32(tokenizer.vocabularySize)]) == "")
        #expect(tokenizer.piece(-1) == nil)
    }

    @Test func `a long text without spaces is encoded in reasonable steps`() throws {
        let tokenizer = try tokenizer(.small)
        let text = String(repeating: "thelung", count: 5_000)
        let tokens = tokenizer.encode(text, bos: false)
        #expect(tokens.count == 10_000 && tokenizer.decode(tokens) == text)
    }

    private func error(_ change: (inout TokenizerModelFile) -> Void) -> TokenizerError? {
        var file = TokenizerModelFile.small
        change(&file)
        do {
            _ = try tokenizer(file)
            return nil
        } catch {
            return error as? TokenizerError
        }
    }

    @Test func `a model that this program would encode wrongly is refused with the reason`() {
        #expect(error { $0.characterMap = [1, 2, 3] }?.description.contains("character map") == true)
        #expect(error { $0.modelType = 1 }?.description.contains("only BPE") == true)
        #expect(error { $0.pieces.append(("x", 0, 5)) }?.description.contains("UNUSED") == true)
        #expect(error { $0.pieces.remove(at: 1) }?.description.contains("no begin") == true)
    }

    @Test func `a model that contradicts itself is refused`() {
        #expect(error { $0.pieces.append(("the", 0, 1)) }?.description.contains("stands twice") == true)
        #expect(error { $0.pieces.append(("", 0, 1)) }?.description.contains("empty") == true)
        #expect(error { $0.pieces.append(("x", .nan, 1)) }?.description.contains("not a number") == true)
        #expect(error { $0.pieces.append(("x", 0, 9)) }?.description.contains("unknown type") == true)
        #expect(error { $0.pieces.append(("<0xZZ>", 0, 6)) }?.description.contains("<0xHH>") == true)
        #expect(error { $0.pieces.remove(at: 0) }?.description.contains("no unknown") == true)
        #expect(error { $0.pieces.remove(at: 77) }?.description.contains("lacks pieces") == true)
    }

    @Test func `a model cut anywhere or with a flipped bit never traps`() throws {
        let bytes = TokenizerModelFile.small.bytes
        // Every byte where the pieces end and the trainer and normaliser follow, every fifth before.
        let cuts = Array(stride(from: 0, to: bytes.count - 100, by: 5)) + Array(bytes.count - 100..<bytes.count)
        var accepted = 0
        for length in cuts {
            do {
                _ = try Self.read(Array(bytes[..<length]))
                accepted += 1
            } catch is TokenizerError {}
        }
        // Cut exactly between trainer and normaliser, the rest has the format's defaults: a bundle's hash finds that out.
        #expect(accepted == 1)
        for offset in stride(from: 0, to: bytes.count, by: 3) {
            var changed = bytes
            changed[offset] ^= UInt8(1) << UInt8(offset % 8)
            do {
                let tokenizer = try Self.read(changed)
                #expect(tokenizer.encode("the lung 肺", bos: true).allSatisfy { Int($0) < tokenizer.vocabularySize })
            } catch is TokenizerError {}
        }
    }

    @Test(arguments: [[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0x0A, 0xFF, 0xFF, 0xFF, 0x7F], [0x0B], [0x00], [0x80]] as [[UInt8]])
    func `a length beyond the file is refused without being allocated`(bytes: [UInt8]) {
        #expect(throws: TokenizerError.self) { try Self.read(bytes) }
    }
}
