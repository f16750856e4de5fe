import RaDialogPipeline

func readGGUF(_ file: MappedFile) throws {
    let gguf = try GGUF(file: file)
    for key in gguf.keys.prefix(64) { readEveryWay(gguf, key) }
    for name in gguf.storedNames.prefix(64) {
        guard let tensor = gguf.block(name) else { fatalError("a name of the file has a tensor") }
        read(tensor)
    }
    // The three that follow are independent of one another; the first error is thrown when all have run.
    var failure: (any Error)?
    func attempt(_ body: () throws -> Void) { do { try body() } catch { failure = failure ?? error } }
    attempt {
        if let vocabulary = try VocabularyDescription(gguf) { use(try vocabulary.makeTokenizer(source: gguf.path), with: file.bytes) }
    }
    attempt {
        let weights = try GGUFLanguageWeights(gguf)
        for name in weights.names.prefix(64) {
            guard let tensor = weights.block(name) else { fatalError("a name of the model has a tensor") }
            read(tensor)
        }
    }
    if let failure { throw failure }
}

/// Only one of the ways fits; the others have to say so.
private func readEveryWay(_ gguf: GGUF, _ key: String) {
    func attempt(_ body: () throws(WeightsError) -> Void) { do throws(WeightsError) { try body() } catch {} }
    attempt { () throws(WeightsError) in _ = try gguf.integer(key) }
    attempt { () throws(WeightsError) in _ = try gguf.real(key) }
    attempt { () throws(WeightsError) in _ = try gguf.boolean(key) }
    attempt { () throws(WeightsError) in _ = try gguf.string(key) }
    attempt { () throws(WeightsError) in _ = try gguf.strings(key) }
    attempt { () throws(WeightsError) in _ = try gguf.floats(key) }
    attempt { () throws(WeightsError) in _ = try gguf.int32s(key) }
}

/// First and last row as floats.
private func read(_ tensor: BlockTensor) {
    require(tensor.rows > 0 && tensor.columns > 0, "no side is empty")
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.columns)
    defer { floats.deallocate() }
    guard let base = floats.baseAddress else { return }
    tensor.dequantizeRow(0, into: base)
    tensor.dequantizeRow(tensor.rows - 1, into: base)
}
