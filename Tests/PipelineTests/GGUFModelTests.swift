import Foundation
import RaDialogPipeline
import Testing

/// Real models through reader, dequantiser, row order and forward pass.
struct GGUFModelTests {
    @Test(.enabled(if: TokenizerFiles.hasSmolLM2, Comment(rawValue: TokenizerFiles.needsSmolLM2)))
    func `SmolLM2 is read with its numbers, vocabulary and tensors, and knows the capital of France`() throws {
        let file = try GGUF(path: #require(TokenizerFiles.smolLM2))
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

        let model = try LanguageModel(weights, BundleManifest.LanguageModel(weights, weights: ""))
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

    @Test(.enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `stories260K tells llama2 c's story from a GGUF file of ours`() throws {
        let folder = try ScratchFolder()
        let weights = try GGUFLanguageWeights(GGUF(path: StoriesModel.write(folder)))
        let conversation = Conversation(try LanguageModel(weights, BundleManifest.LanguageModel(weights, weights: "")), pool: try KernelPool(threads: 2))
        try conversation.read([.tokens([1])])
        let answer = try conversation.write(limit: 120, end: 1).tokens
        let story = answer.map { StoriesModel.printed[Int($0)] }.joined()
        // What llama2.c's own test expects at temperature 0.
        let expected =
            "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
            + "She wanted to play with it, but it was too high.\nLily's mom said, \"Lily, let's go to the park.\""
        #expect(story.trimmingPrefix(" ").hasPrefix(expected), "\(story)")
    }
}
