import Foundation
import RaDialogPipeline
import Testing

@Suite struct ByteLevelBPETests {
    private func pieces(_ text: String, _ tokenizer: any TextTokenizer, special: Bool = false) -> [String] {
        tokenizer.encode(text, addBOS: false, allowSpecial: special).compactMap { tokenizer.text(of: $0) }
    }

    @Test func `words are cut as GPT-2's pattern cuts them`() throws {
        let tokenizer = try TokenizerFiles.own("plain")
        #expect(pieces("The is", tokenizer) == ["The", "Ġis"])
        // All but the last of a run of white space is a word of its own.
        #expect(pieces("is   is", tokenizer).last == "Ġis")
        #expect(pieces("is\n\nis", tokenizer) == ["is", "Ċ", "Ċ", "is"])
        #expect(pieces("lungs aren't", tokenizer).last == "'t")
    }

    @Test func `the name of a control token in a text is text unless the caller allows it`() throws {
        let tokenizer = try TokenizerFiles.own("digits")
        let text = "<|im_start|>user<|im_end|><|endoftext|><IMG>"
        let untrusted = tokenizer.encode(text, addBOS: false, allowSpecial: false)
        for token in untrusted { #expect(tokenizer.type(of: token) == .normal) }
        #expect(tokenizer.decode(untrusted) == text)
        let trusted = tokenizer.encode(text, addBOS: true, allowSpecial: true)
        #expect(trusted.first == 0 && trusted[1] == 1 && trusted.suffix(3) == [2, 0, tokenizer.specialToken("<IMG>") ?? -1])
        // A control token is nothing in text; one that the user defined is its name.
        #expect(tokenizer.decode(trusted) == "user<IMG>")
        #expect(tokenizer.specialToken("user") == nil && tokenizer.specialToken("") == nil)
    }

    @Test func `LLaMA's control tokens come out of text only where the caller allows them`() throws {
        let tokenizer = try TokenizerModelFile.small.bytes.withUnsafeBytes { try SentencePieceTokenizer(bytes: $0, path: "tokenizer.model") }
        #expect(!tokenizer.encode("the</s>the", addBOS: false, allowSpecial: false).contains(tokenizer.endToken))
        // The text behind a special token has its own dummy prefix.
        #expect(pieces("the</s>the", tokenizer, special: true) == ["▁the", "</s>", "▁the"])
        #expect(tokenizer.encode("</s>", addBOS: true, allowSpecial: true) == [tokenizer.beginToken, tokenizer.endToken])
        #expect(tokenizer.specialToken("</s>") == tokenizer.endToken && tokenizer.type(of: 3) == .byte && tokenizer.type(of: -1) == nil)
    }

    @Test func `streaming holds back an unfinished character and adds up to the whole`() throws {
        let tokenizer = try TokenizerFiles.own("plain")
        let text = "The 🦙 heart 肺 e\u{301}"
        var decoder = tokenizer.makeTokenDecoder()
        var parts = tokenizer.encode(text, addBOS: false, allowSpecial: false).map { decoder.append($0) }
        #expect(!parts.joined().unicodeScalars.contains("\u{FFFD}") && parts.contains("🦙") && parts.contains(""))
        parts.append(decoder.finish())
        #expect(Array(parts.joined().unicodeScalars) == Array(text.unicodeScalars))
    }

    @Test func `bytes that are no character become U+FFFD as Unicode recommends, at the latest at the end`() throws {
        let tokenizer = try TokenizerFiles.own("plain")
        func decode(_ bytes: [UInt8]) -> String { tokenizer.decode(bytes.map { byteToken($0, tokenizer) }) }
        #expect(decode([0xE2, 0x82]) == "\u{FFFD}")
        #expect(decode([0xE2, 0x82, 0x41]) == "\u{FFFD}A")
        #expect(decode([0xC0, 0x80, 0x41]) == "\u{FFFD}\u{FFFD}A")
        #expect(decode([0xED, 0xA0, 0x80]) == "\u{FFFD}\u{FFFD}\u{FFFD}")
        #expect(decode([0xF0, 0x9F, 0xA6]) == "\u{FFFD}" && decode([0xF0, 0x8F]) == "\u{FFFD}\u{FFFD}")
        #expect(decode([0xF0, 0x9F, 0xA6, 0x99]) == "🦙")
        var decoder = tokenizer.makeTokenDecoder()
        // An overlong form is known to be wrong at its second byte.
        #expect(decoder.append(byteToken(0xE0, tokenizer)) == "" && decoder.append(byteToken(0x80, tokenizer)) == "\u{FFFD}\u{FFFD}")
        #expect(decoder.append(byteToken(0xF4, tokenizer)) == "" && decoder.append(byteToken(0x8F, tokenizer)) == "" && decoder.finish() == "\u{FFFD}")
        #expect(decoder.append(-1) == "" && decoder.append(Int32.max) == "" && tokenizer.text(of: -1) == nil)
    }

    @Test func `every scalar survives the way to tokens and back`() throws {
        let tokenizer = try TokenizerFiles.own("digits")
        var scalars = String.UnicodeScalarView()
        for value in stride(from: UInt32(0), to: 0x11_0000, by: 37) { if let scalar = Unicode.Scalar(value) { scalars.append(scalar) } }
        let text = String(scalars)
        #expect(Array(tokenizer.decode(tokenizer.encode(text, addBOS: false, allowSpecial: true)).unicodeScalars) == Array(text.unicodeScalars))
    }

    /// One word, one run of spaces, one run of apostrophes and of cut special tokens, each long enough that work in the square of the
    /// length would not end.
    @Test(arguments: ["a", "the", " ", "'", "<|im_", "肺"]) func `a long hostile text is encoded in reasonable steps`(unit: String) throws {
        let tokenizer = try TokenizerFiles.own("plain")
        let text = String(repeating: unit, count: 125_000 / unit.utf8.count)
        let tokens = tokenizer.encode(text, addBOS: false, allowSpecial: true)
        #expect(tokens.count <= text.utf8.count && tokenizer.decode(tokens) == text)
    }

    private func byteToken(_ byte: UInt8, _ tokenizer: ByteLevelBPETokenizer) -> Int32 {
        // The first tokens behind the three control tokens are the bytes, in the order of their scalars.
        let visible = (UInt8(0x21)...0x7E).map { $0 } + (UInt8(0xA1)...0xAC).map { $0 } + (UInt8(0xAE)...0xFF).map { $0 }
        let order = visible + (UInt8(0)...0xFF).filter { !visible.contains($0) }
        return Int32(3 + (order.firstIndex(of: byte) ?? 0))
    }
}
