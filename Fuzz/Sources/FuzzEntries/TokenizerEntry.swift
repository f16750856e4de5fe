import RaDialogPipeline

func readTokenizer(_ file: MappedFile) throws(TokenizerError) {
    if file.bytes.first == UInt8(ascii: "{") {
        use(try HuggingFaceTokenizer.read(tokenizerJSON: file.bytes, roles: .init(), path: file.path), with: file.bytes)
    } else {
        use(try SentencePieceTokenizer(bytes: file.bytes, path: file.path), with: file.bytes)
    }
}

/// Texts through the tokenizer and back: one of ours, and the file's own end.
func use(_ tokenizer: any TextTokenizer, with bytes: UnsafeRawBufferPointer) {
    let texts = ["Heart  size is\tnormal.\n\u{0}é 心\u{301}\u{1F600} 12,5 mm's <s></s>", String(decoding: bytes.suffix(64), as: UTF8.self)]
    for text in texts {
        for allowSpecial in [false, true] {
            let tokens = tokenizer.encode(text, addBOS: allowSpecial, allowSpecial: allowSpecial)
            for token in tokens {
                require(token >= 0 && token < tokenizer.vocabularySize, "tokens are of the vocabulary")
                require(allowSpecial || tokenizer.type(of: token) != .control, "text does not become a control token")
            }
            _ = tokenizer.decode(tokens)
        }
    }
    _ = tokenizer.decode(Int32(-1)...Int32(min(tokenizer.vocabularySize, 600)))
}
