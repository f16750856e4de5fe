import Foundation
import RaDialogPipeline
import Testing

/// stories260K, a model of llama2.c, from the corpus: 260,000 weights that tell stories. The corpus holds it in llama2.c's layout, whose rows of
/// q and k are paired as GGUF's.
enum StoriesModel {
    private static func data(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(filePath: #require(Oracle.corpus) + "/G_llm/DaveBben__esp32-llm/data/" + name)))
    }

    /// tok512.bin: the longest piece, then score, length and bytes of each. llama2.c writes a space for U+2581.
    private static let pieces: [(score: Float, text: String)] = {
        guard let bytes = try? data("tok512.bin") else { return [] }  // the tests that use it are disabled without a corpus
        var (at, result) = (4, [(score: Float, text: String)]())
        while at < bytes.count {
            let (score, length) = bytes.withUnsafeBytes {
                ($0.loadUnaligned(fromByteOffset: at, as: UInt32.self), Int($0.loadUnaligned(fromByteOffset: at + 4, as: Int32.self)))
            }
            result.append((Float(bitPattern: score), String(decoding: bytes[at + 8..<at + 8 + length], as: UTF8.self)))
            at += 8 + length
        }
        return result
    }()

    /// What llama2.c prints for each token.
    static var printed: [String] { pieces.map { $0.text == "<0x0A>" ? "\n" : $0.text } }

    /// Writes the model as GGUF, in 32-bit floats, with its vocabulary.
    static func write(_ folder: ScratchFolder) throws -> String {
        let model = try data("stories260K.bin")
        let sizes = (0..<7).map { index in Int(model.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self) }) }
        let (hidden, feedForward, layers, heads, groups, vocabulary, context) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6])
        #expect(vocabulary == pieces.count)  // negative: a head of its own
        let width = groups * hidden / heads
        var offset = 28
        var tensors: [(GGUFWriter.Tensor, [UInt8])] = []
        func add(_ name: String, _ shape: [Int]) {
            let count = shape.reduce(4, *)
            tensors.append((.init(name: name + ".weight", type: .f32, shape: shape), Array(model[offset..<offset + count])))
            offset += count
        }
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
        var tokens = pieces.map { $0.text.replacingOccurrences(of: " ", with: "▁") }
        for (id, name) in ["<unk>", "<s>", "</s>"].enumerated() { tokens[id] = name }
        for byte in 0..<256 { tokens[3 + byte] = "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">" }
        return try folder.writeGGUF(
            "stories.gguf",
            metadata: [
                ("general.architecture", .string("llama")), ("llama.block_count", .uint32(UInt32(layers))),
                ("llama.context_length", .uint32(UInt32(context))), ("llama.embedding_length", .uint32(UInt32(hidden))),
                ("llama.feed_forward_length", .uint32(UInt32(feedForward))), ("llama.attention.head_count", .uint32(UInt32(heads))),
                ("llama.attention.head_count_kv", .uint32(UInt32(groups))), ("llama.attention.layer_norm_rms_epsilon", .float32(1e-5)),
                ("tokenizer.ggml.model", .string("llama")), ("tokenizer.ggml.tokens", .strings(tokens)),
                ("tokenizer.ggml.scores", .floats(pieces.map(\.score))),
                ("tokenizer.ggml.token_type", .int32s(tokens.indices.map { $0 == 0 ? 2 : $0 < 3 ? 3 : $0 < 259 ? 6 : 1 })),
                ("tokenizer.ggml.bos_token_id", .uint32(1)), ("tokenizer.ggml.eos_token_id", .uint32(2)),
            ], tensors: tensors)
    }
}
