public import ArgumentParser
import Foundation
import ModelImport
public import RaDialogPipeline
import ReportModel

extension ModelImport.Quantization: ExpressibleByArgument {}
extension ModelImport.Layout: ExpressibleByArgument {}
extension DialogueFormat: ExpressibleByArgument {}

extension ModelCommands {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a bundle from files of others.",
            discussion: "Nothing in the files is executed and nothing is downloaded. The bundle appears at --output when it is complete.",
            subcommands: [V1.self, V2.self, LanguageModelAlone.self])
    }

    struct V1: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "v1", abstract: "RaDialog, first generation (Q-Former).",
            discussion: "--alignment is checkpoint_4.pth; --base is the Vicuna-7B v1.3 folder.")
        @OptionGroup var published: PublishedOptions
        func run() throws { try published.run(.v1) }
    }

    struct V2: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "v2", abstract: "RaDialog, second generation (LLaVA).",
            discussion: "adapter_model, adapter_config.json and non_lora_trainables.bin stand in --adapter; --base is the LLaVA-1.5-7B folder.")
        @OptionGroup var published: PublishedOptions
        func run() throws { try published.run(.v2) }
    }

    /// RaDialog's files.
    struct PublishedOptions: ParsableArguments {
        @Option(help: ArgumentHelp("The language adapter (LoRA).", valueName: "DIR"), completion: .directory) var adapter: String
        @Option(help: ArgumentHelp("The base language model, Hugging Face layout.", valueName: "DIR"), completion: .directory) var base: String
        @Option(help: ArgumentHelp("BioViL-T. Default: biovil_t_image_model_proj_size_128.pt in --adapter.", valueName: "FILE"), completion: .file())
        var biovil: String?
        @Option(help: ArgumentHelp("The findings classifier. Default: ChexpertClassifier.ckpt in --adapter.", valueName: "FILE"), completion: .file())
        var classifier: String?
        @Option(help: ArgumentHelp("v1: checkpoint_4.pth. v2 default: non_lora_trainables.bin in --adapter.", valueName: "FILE"), completion: .file())
        var alignment: String?
        @Option(help: ArgumentHelp("The report labeler CheXbert: chexbert.pth. Default: the bundle gets none.", valueName: "FILE"), completion: .file())
        var chexbert: String?
        @Option(
            help: ArgumentHelp("With --chexbert: the vocabulary of the BERT it was trained from, vocab.txt of bert-base-uncased.", valueName: "FILE"),
            completion: .file())
        var chexbertVocabulary: String?
        @Option(help: "Numbers of the language model: q8_0, q4_0, q4_k, f16 or none.") var quantize: ModelImport.Quantization
        @Option(help: "How the language model lies in the bundle: panels (fast), or gguf (as llama.cpp reads it).") var layout = ModelImport.Layout.panels
        @Option(help: ArgumentHelp("The bundle's folder, which must not exist yet.", valueName: "BUNDLE")) var output: String
        @Option(help: "The bundle's name. Default: radialog-v1 or radialog-v2.") var name: String?
        @Option(help: "The bundle's version, as it stands in every report.") var bundleVersion = "1"
        @Option(help: "Threads; 0: one for each core.") var threads = 0
        @Flag(help: "Mark everything this bundle writes as demonstration.") var demonstration = false

        func validate() throws {
            guard chexbert == nil || chexbertVocabulary != nil else {
                throw ValidationError(
                    "--chexbert needs --chexbert-vocabulary FILE: chexbert.pth does not hold its vocabulary. It is vocab.txt of the published "
                        + "model bert-base-uncased (30522 lines)")
            }
            guard chexbert != nil || chexbertVocabulary == nil else { throw ValidationError("--chexbert-vocabulary belongs to --chexbert FILE") }
        }

        func run(_ generation: ModelImport.Generation) throws {
            var request = ModelImport(
                generation: generation, adapter: adapter, base: base, biovil: try file(biovil, "biovil_t_image_model_proj_size_128.pt", "--biovil"),
                classifier: try file(classifier, "ChexpertClassifier.ckpt", "--classifier"),
                alignment: try file(alignment, generation == .v1 ? "checkpoint_4.pth" : "non_lora_trainables.bin", "--alignment"),
                quantization: quantize, output: output, name: name ?? "radialog-\(generation.rawValue)", version: bundleVersion,
                isDemonstration: demonstration)
            request.layout = layout
            if let chexbert, let chexbertVocabulary { request.labeler = .init(checkpoint: chexbert, vocabulary: chexbertVocabulary) }
            try writeBundle(output) { [request] in try request.run(threads: threads, progress: $0) }
        }

        private func file(_ given: String?, _ usual: String, _ option: String) throws -> String {
            if let given { return given }
            let path = adapter + "/" + usual
            guard FileManager.default.fileExists(atPath: path) else {
                throw Failure("there is no \(path): say where it is with \(option)", Status.configuration)
            }
            return path
        }
    }
}

extension ModelCommands {
    struct LanguageModelAlone: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gguf", abstract: "A LLaMA-architecture GGUF file as a bundle that only talks.",
            discussion: "For experiments: the bundle reads no image, and everything it writes is marked as demonstration.")
        @Argument(help: ArgumentHelp("The GGUF file.", valueName: "FILE"), completion: .file()) var file: String
        @Option(help: "Numbers of the language model: q8_0, q4_0, q4_k, f16 or none. Default: as in the file.") var quantize: ModelImport.Quantization?
        @Option(help: "How the language model lies in the bundle: panels (fast), or gguf (as llama.cpp reads it).") var layout = ModelImport.Layout.panels
        @Option(help: ArgumentHelp("The bundle's folder, which must not exist yet.", valueName: "BUNDLE")) var output: String
        @Option(help: "The bundle's name. Default: the file's general.name.") var name: String?
        @Option(help: "The bundle's version.") var bundleVersion = "1"
        @Option(help: "How turns are written: vicuna, chatml or plain. Default: what the file's chat template shows; plain where it has none.")
        var format: DialogueFormat?
        @Option(help: "The system text.") var system = ""
        @Option(help: "Threads; 0: one for each core.") var threads = 0

        func run() throws {
            var request = GGUFImport(file: file, quantization: quantize, output: output, name: name, version: bundleVersion, format: format, system: system)
            request.layout = layout
            try writeBundle(output) { [request] in try request.run(threads: threads, progress: $0) }
        }
    }
}

/// Runs an import with its progress on standard error, and says what came of it.
private func writeBundle(_ output: String, _ run: ((ModelImport.Step) -> Void) throws -> Void) throws {
    let bar = ImportProgress()
    do {
        try run { bar.show($0) }
    } catch {
        throw Failure("\(error)", Status.configuration)
    }
    bar.end()
    let bundle = try Bundles.open(output)
    if bundle.manifest.labeler != nil { _ = try Bundles.labeler(bundle, threads: 0) }
    Output.print("\(bundle.name) \(bundle.version), SHA-256 \(bundle.sha256): written to \(output)")
}

/// One line on stderr that says how far the import is: share, rate, time left.
private final class ImportProgress {
    private let start = ContinuousClock.now
    private var last = ContinuousClock.now
    private let isTerminal = isatty(2) == 1

    func show(_ step: ModelImport.Step) {
        switch step {
        case .note(let text): FileHandle.standardError.write(Data((text + "\n").utf8))
        case .languageModel(let done, let total):
            let now = ContinuousClock.now
            guard done == total || now - last > (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
            last = now
            let seconds = max((now - start) / .seconds(1), 1e-3)
            let rate = Double(done) / seconds
            let text =
                "language model: \(done * 100 / max(total, 1)) %, \(Int(rate / 1e6)) million weights/s, "
                + "\(Int((Double(total - done) / max(rate, 1)).rounded(.up))) s left"
            FileHandle.standardError.write(Data((isTerminal ? "\r\(text)   " : text + "\n").utf8))
        }
    }

    func end() { if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) } }
}
