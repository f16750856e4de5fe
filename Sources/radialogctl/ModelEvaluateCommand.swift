import ArgumentParser
import Foundation
import RaDialogPipeline

extension ModelCommands {
    struct Evaluate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measures a language model on a text, or shows what it makes of prompts.",
            discussion: """
                --text gives the perplexity by llama.cpp's convention: windows of --context tokens, BOS in place of the first where the tokenizer \
                adds it, the first half of each window context only.
                --prompts takes one JSON object a line, {"text": "…", "special": false}, and prints one for each: its tokens, the likeliest next \
                ones (--top), and --greedy more tokens, past any end token. Without --top, --greedy and --logits the model does not run.
                """)
        @Argument(help: ArgumentHelp("A bundle's folder, or a GGUF file.", valueName: "MODEL"), completion: .file()) var path: String
        @Option(help: ArgumentHelp("A text in UTF-8.", valueName: "FILE"), completion: .file()) var text: String?
        @Option(help: "Tokens of a window.") var context = 512
        @Option(help: "Windows at most. Default: the whole text.") var windows: Int?
        @Option(help: ArgumentHelp("Prompts, one JSON object a line.", valueName: "FILE"), completion: .file()) var prompts: String?
        @Option(help: "Tokens that are written after each prompt.") var greedy = 0
        @Option(help: "Likeliest next tokens that are shown for each prompt.") var top = 0
        @Option(
            help: ArgumentHelp("The logits of every row of every prompt, in order: 32-bit little-endian floats [rows, vocabulary].", valueName: "FILE"),
            completion: .file())
        var logits: String?
        @OptionGroup var compute: ComputeArguments
        @Flag(help: "The perplexity as JSON.") var json = false

        func validate() throws {
            guard (text == nil) != (prompts == nil) else { throw ValidationError("give either --text or --prompts") }
            guard context >= 4 else { throw ValidationError("--context is 4 or more") }
            guard windows.map({ $0 > 0 }) ?? true else { throw ValidationError("--windows is 1 or more") }
            guard greedy >= 0, top >= 0 else { throw ValidationError("--greedy and --top are 0 or more") }
            guard text == nil || (greedy == 0 && top == 0 && logits == nil) else {
                throw ValidationError("--greedy, --top and --logits go with --prompts")
            }
        }

        func run() throws {
            let evaluation = try open()
            if let text {
                try measure(evaluation, text)
            } else if let prompts {
                try answer(evaluation, prompts)
            }
        }

        private func open() throws -> LanguageModelEvaluation {
            var isFolder: ObjCBool = false
            do {
                let pool = try compute.options.pool()
                if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
                    return try LanguageModelEvaluation(gguf: path, pool: pool, cache: compute.options.cache.type)
                }
                return try LanguageModelEvaluation(bundle: Bundles.open(path), pool: pool, cache: compute.options.cache.type)
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure("\(error)", Status.configuration)
            }
        }

        private func read(_ file: String) throws -> String {
            let data: Data
            do { data = try Data(contentsOf: URL(fileURLWithPath: file)) } catch {
                throw Failure("cannot read \(file): \(error.localizedDescription)", Status.data)
            }
            guard let text = String(validating: data, as: UTF8.self) else { throw Failure("\(file) is not UTF-8", Status.data) }
            return text
        }

        private func measure(_ evaluation: LanguageModelEvaluation, _ file: String) throws {
            let text = try read(file)
            let found: LanguageModelEvaluation.Perplexity
            do {
                found = try evaluation.perplexity(
                    of: text, context: context, windows: windows ?? .max,
                    progress: { Output.error("[\($0)/\($1)] \(Self.digits($2))") })
            } catch let error as PipelineError {
                throw Failure("\(file): \(error)", Status.data)
            }
            if json {
                return try Output.print(json: Figures(found))
            }
            Output.print(
                "perplexity \(Self.digits(found.perplexity)) +- \(Self.digits(found.standardError)): \(found.scored) of \(found.tokens) tokens, "
                    + "\(found.windows) windows of \(found.context), \(Self.digits(found.seconds)) s")
        }

        private static func digits(_ number: Double) -> String { String(format: "%.4f", number) }

        private func answer(_ evaluation: LanguageModelEvaluation, _ file: String) throws {
            let lines = try read(file).split(separator: "\n", omittingEmptySubsequences: true)
            let rows = try logits.map(LogitFile.init)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for (number, line) in lines.enumerated() {
                do {
                    let prompt = try JSONDecoder().decode(Prompt.self, from: Data(line.utf8))
                    let found = try evaluation.continuation(
                        of: prompt.text, allowSpecial: prompt.special ?? false, limit: greedy, top: top,
                        onLogits: rows.map { file in { try file.append($0) } })
                    Output.print(String(decoding: try encoder.encode(Answer(found)), as: UTF8.self))
                } catch is DecodingError {
                    throw Failure("\(file): prompt \(number + 1) is not {\"text\": \"…\", \"special\": false}", Status.data)
                } catch let error as PipelineError {
                    throw Failure("\(file): prompt \(number + 1): \(error)", Status.data)
                }
            }
        }
    }
}

/// A line of --prompts.
private struct Prompt: Decodable {
    var text: String
    var special: Bool?
}

/// What is printed for it.
private struct Answer: Encodable {
    struct Candidate: Encodable {
        var token: Int32
        var logit: Float
    }
    var tokens: [Int32]
    var top: [Candidate]
    var greedy: [Int32]
    var text: String

    init(_ found: LanguageModelEvaluation.Continuation) {
        tokens = found.tokens
        top = found.candidates.map { .init(token: $0.token, logit: $0.logit) }
        greedy = found.greedy
        text = found.text
    }
}

private struct Figures: Encodable {
    var perplexity, standardError, seconds: Double
    var tokens, scored, windows, context: Int

    init(_ found: LanguageModelEvaluation.Perplexity) {
        (perplexity, standardError, seconds) = (found.perplexity, found.standardError, found.seconds)
        (tokens, scored, windows, context) = (found.tokens, found.scored, found.windows, found.context)
    }

    enum CodingKeys: String, CodingKey {
        case perplexity, seconds, tokens, scored, windows, context
        case standardError = "standard_error"
    }
}

/// The file of --logits.
private final class LogitFile {
    private let handle: FileHandle
    private let path: String

    init(_ path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil), let handle = FileHandle(forWritingAtPath: path) else {
            throw Failure("cannot write \(path)", Status.cannotCreate)
        }
        self.handle = handle
    }

    func append(_ rows: Activations) throws {
        do {
            try handle.write(contentsOf: Data(buffer: rows.buffer))
        } catch {
            throw Failure("cannot write \(path): \(error.localizedDescription)", Status.cannotCreate)
        }
    }
}
