/// What is known of a radiograph besides its pixels: copied into the draft's provenance, never into a prompt.
public struct DraftSource: Sendable, Equatable {
    /// nil for a file outside the queue.
    public var sopInstanceUID: String?
    /// Why this image of the study: "PA", "AP", …
    public var selectionReason: String?
    /// SHA-256 of the received object's bytes, lower-case hex; nil where no file stands behind the radiograph.
    public var inputSHA256: String?
    /// Seconds the decoder took.
    public var decodeSeconds: Double

    public init(sopInstanceUID: String? = nil, selectionReason: String? = nil, inputSHA256: String? = nil, decodeSeconds: Double = 0) {
        self.sopInstanceUID = sopInstanceUID
        self.selectionReason = selectionReason
        self.inputSHA256 = inputSHA256
        self.decodeSeconds = decodeSeconds
    }
}

/// One question about a draft and the model's answer to it.
public struct DialogueTurn: Sendable, Codable, Equatable {
    public var question: String
    /// Marked like the draft's text where the bundle is a demonstration.
    public var answer: String
    public var generatedTokens: Int
    public var finishReason: FinishReason
    /// Turns that were dropped from the conversation, oldest first, to make room for this one.
    public var forgottenTurns: Int
    /// Reading the question and writing the answer.
    public var seconds: Double

    public init(question: String, answer: String, generatedTokens: Int, finishReason: FinishReason, forgottenTurns: Int, seconds: Double) {
        self.question = question
        self.answer = answer
        self.generatedTokens = generatedTokens
        self.finishReason = finishReason
        self.forgottenTurns = forgottenTurns
        self.seconds = seconds
    }

    enum CodingKeys: String, CodingKey {
        case question, answer, seconds
        case generatedTokens = "generated_tokens"
        case finishReason = "finish_reason"
        case forgottenTurns = "forgotten_turns"
    }
}

/// Why a text ends where it does.
public enum FinishReason: String, Sendable, Codable {
    /// The model ended the text.
    case stop
    /// The token limit did.
    case length
    /// The time limit did.
    case time
}

/// What the forward pass can fail with. What a bundle's files can fail with is `BundleError`'s and `WeightsError`'s, an image's is
/// `PreprocessError`'s; these come through `init` and `draft` as they are.
public enum PipelineError: Error, CustomStringConvertible, Equatable {
    /// The closure said so. Nothing is kept.
    case cancelled
    /// The prompt and its answer do not fit the model.
    case contextOverflow(needed: Int, context: Int)
    /// Sizes of the manifest that cannot go together.
    case inconsistent(String)
    /// A bundle that only talks was given a radiograph.
    case readsNoImages(bundle: String)
    /// The model ended the report before its first word. Nobody must read that as "nothing found".
    case emptyReport
    /// A question holds nothing that can be asked, or is too long.
    case badQuestion(String)
    /// A text or prompt that cannot be evaluated.
    case badText(String)
    /// A stage's numbers are not finite: the weights or the memory are damaged. No text comes of it.
    case notFinite(stage: String)
    /// Memory or threads could not be had.
    case outOfResources(String)
    /// The processor has not what was asked for.
    case unsupported(String)

    public var description: String {
        switch self {
        case .cancelled: "drafting was cancelled"
        case .contextOverflow(let needed, let context):
            "the prompt and its answer need \(needed) tokens, and the model has a context of \(context): ask less, or begin a new conversation"
        case .inconsistent(let detail): "loading the bundle: \(detail)"
        case .readsNoImages(let bundle):
            "bundle \(bundle) only talks: it has no image encoder; name a RaDialog bundle to read films"
        case .emptyReport: "the model wrote an empty report"
        case .badText(let detail): "the text cannot be evaluated: \(detail)"
        case .badQuestion(let detail): "the question cannot be asked: \(detail)"
        case .notFinite(let stage):
            "the \(stage) gave a number that is not finite: verify the bundle (radialogctl model verify)"
        case .outOfResources(let detail), .unsupported(let detail): "starting the model: \(detail)"
        }
    }
}
