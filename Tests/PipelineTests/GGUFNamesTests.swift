import RaDialogPipeline
import Testing

struct GGUFNamesTests {
    @Test(arguments: [
        ("token_embd.weight", "model.embed_tokens.weight"), ("output_norm.weight", "model.norm.weight"), ("output.weight", "lm_head.weight"),
        ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"), ("blk.31.attn_output.weight", "model.layers.31.self_attn.o_proj.weight"),
        ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"), ("blk.7.attn_norm.weight", "model.layers.7.input_layernorm.weight"),
        ("blk.7.ffn_norm.weight", "model.layers.7.post_attention_layernorm.weight"), ("blk.2.attn_k.bias", "model.layers.2.self_attn.k_proj.bias"),
    ])
    func `names are translated both ways`(gguf: String, huggingFace: String) {
        #expect(GGUFNames.huggingFace(gguf) == huggingFace)
        #expect(GGUFNames.gguf(huggingFace) == gguf)
    }

    @Test(arguments: ["rope_freqs.weight", "blk.01.attn_q.weight", "blk.-1.attn_q.weight", "blk.attn_q.weight", "blk.1.attn_x.weight", "output", ""])
    func `a name without a counterpart has none`(name: String) {
        #expect(GGUFNames.huggingFace(name) == nil)
    }

    @Test func `rows of q and k are turned as llama cpp's converter turns them, and back`() {
        // reshape(heads, 2, half, columns).swapaxes(1, 2): row (head, index, part) of the file is row (head, part, index).
        #expect(GGUFRotaryRows.halfSplit(heads: 2, headDimension: 6) == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11])
        let (there, back) = (GGUFRotaryRows.interleaved(heads: 3, headDimension: 8), GGUFRotaryRows.halfSplit(heads: 3, headDimension: 8))
        #expect(back.map { there[Int($0)] } == Array(0..<24))
    }
}
