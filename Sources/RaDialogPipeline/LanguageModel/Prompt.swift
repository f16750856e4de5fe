/// The report prompt, byte for byte as the model was trained on it (model.md section 6, docs/model-bundle.md).
package struct ReportPrompt: Sendable, Equatable {
    package static let imageMark = "<image>"
    package static let findingsMark = "{findings}"

    /// Tokenised with BOS, in front of the image's tokens.
    package var beforeImage: String
    /// Tokenised as a piece of its own, behind them.
    package var afterImage: String

    /// The whole prompt, `<image>` unexpanded: what provenance hashes.
    package var text: String { beforeImage + Self.imageMark + afterImage }

    /// - Parameters:
    ///   - instruction: the bundle's `report_instruction`, with one `<image>`.
    ///   - findings: what stands for `{findings}`: "cardiomegaly, edema".
    package init(system: String, instruction: String, findings: String) throws(PipelineError) {
        let parts = instruction.split(separator: Self.imageMark, omittingEmptySubsequences: false)
            .map { $0.split(separator: Self.findingsMark, omittingEmptySubsequences: false).joined(separator: findings) }
        guard parts.count == 2 else {
            throw .inconsistent("the report instruction holds \(Self.imageMark) \(parts.count - 1) times; once is right")
        }
        beforeImage = "\(system) USER: \(parts[0])"
        afterImage = "\(parts[1]) ASSISTANT:"
    }
}

/// How a language model was taught to tell the turns of a dialogue apart.
public enum DialogueFormat: String, Sendable, Equatable, CaseIterable {
    /// "SYSTEM USER: … ASSISTANT:", an answer, the end token, "USER: …": Vicuna, LLaVA, RaDialog.
    case vicuna
    /// `<|im_start|>user`, a line feed, the question, `<|im_end|>`: SmolLM2 and others.
    case chatML = "chatml"
    /// No marks: the model goes on with the text. For base models.
    case plain

    private static let turnStart = "<|im_start|>"
    private static let turnEnd = "<|im_end|>"

    /// What ends an answer; nil where the vocabulary has no such token.
    package func endToken(_ tokenizer: any TextTokenizer) -> Int32? {
        switch self {
        case .vicuna, .plain: tokenizer.eosToken
        case .chatML: tokenizer.specialToken(Self.turnEnd)
        }
    }

    /// The first turn of a dialogue without an image, with BOS where the vocabulary asks for it.
    package func opening(system: String, question: String, _ tokenizer: any TextTokenizer) -> [Int32] {
        switch self {
        case .vicuna: tokenizer.encode(system.isEmpty ? Self.vicuna(question) : "\(system) \(Self.vicuna(question))", bos: tokenizer.addsBOS)
        case .chatML:
            (system.isEmpty ? [] : Self.chatML("system", system, tokenizer) + tokenizer.encode("\n", bos: false))
                + chatMLTurn(question, tokenizer)
        case .plain: tokenizer.encode(question, bos: tokenizer.addsBOS)
        }
    }

    /// A later turn, behind the end token of the answer before; tokenised as a piece of its own, without BOS.
    package func followUp(question: String, _ tokenizer: any TextTokenizer) -> [Int32] {
        switch self {
        case .vicuna: tokenizer.encode(Self.vicuna(question), bos: false)
        case .chatML: tokenizer.encode("\n", bos: false) + chatMLTurn(question, tokenizer)
        case .plain: tokenizer.encode(question, bos: false)
        }
    }

    private static func vicuna(_ question: String) -> String { "USER: \(question) ASSISTANT:" }

    private func chatMLTurn(_ question: String, _ tokenizer: any TextTokenizer) -> [Int32] {
        Self.chatML("user", question, tokenizer) + tokenizer.encode("\n\(Self.turnStart)assistant\n", addBOS: false, allowSpecial: true)
    }

    /// The marks are tokens, and the text between never becomes one. The line feed in front of it is a word of its own for the
    /// pre-tokenizers of this family as long as the text does not begin with white space.
    private static func chatML(_ role: String, _ text: String, _ tokenizer: any TextTokenizer) -> [Int32] {
        tokenizer.encode("\(turnStart)\(role)\n", addBOS: false, allowSpecial: true) + tokenizer.encode(text, bos: false)
            + tokenizer.encode(turnEnd, addBOS: false, allowSpecial: true)
    }
}
