import ArgumentParser
import DICOM
import Foundation
import RaDialogPipeline
import ReportModel

/// What this machine makes of a bundle. Figures of one run belong together: compare with peers through Benchmarks/peers.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Times a bundle on this machine: its stages, its language model, and whole studies.",
        discussion: """
            language: reading prompts and writing with 1 to 16 sequences at once (each with a prompt of 256 tokens of its own). \
            trunks: the image encoder's and the classifier's, one film and eight together. \
            study: the stages of one draft of --tokens tokens. batch: --studies drafts, --together at the same time. dialogue: the first token \
            of a follow-up question, with nothing else running and beside a batch. Where nothing else is asked for, each is computed as by a daemon \
            whose drafts_at_once is as many.
            --peers runs this command and the programs of Benchmarks/peers in turn, --repetitions rounds of them, and prints ratios: llama.cpp for \
            --part language (the default), OpenVINO, PyTorch and ONNX Runtime for --part trunks; see Benchmarks/peers/README.md.
            """)

    enum InstructionSet: String, CaseIterable, ExpressibleByArgument {
        case scalar, avx2, avx512

        var set: KernelPool.InstructionSet {
            switch self {
            case .scalar: .scalar
            case .avx2: .avx2
            case .avx512: .avx512
            }
        }
    }

    enum Part: String, CaseIterable, ExpressibleByArgument {
        case language, trunks, study, batch, dialogue

        /// Of as many drafts as --together says.
        var isOfMany: Bool { self == .batch || self == .dialogue }
    }

    @Argument(help: ArgumentHelp("The bundle's folder.", valueName: "BUNDLE"), completion: .directory) var directory: String
    @Option(help: ArgumentHelp("What to time; may be repeated. Default: everything the bundle can do.", valueName: "PART")) var part: [Part] = []
    @Option(help: ArgumentHelp("The film to draft. Default: a synthetic one of 2500 x 2048.", valueName: "DICOM"), completion: .file()) var film: String?
    @Option(help: "Tokens of a report.") var tokens = 100
    @Option(help: "Studies of the batch.") var studies = 64
    @Option(help: "Studies that are drafted at the same time.") var together = 16
    @Option(help: "How often each figure is taken.") var repetitions = 5
    @OptionGroup var compute: ComputeArguments
    @Option(name: .customLong("instruction-set"), help: "No more than this: scalar, avx2 or avx512. Default: the best.") var instructionSet: InstructionSet?
    @Option(
        help: ArgumentHelp(
            "Compare with the peers: the folder that Benchmarks/peers/install.sh made. In the root of a checkout.", valueName: "DIR"), completion: .directory)
    var peers: String?
    @Option(help: ArgumentHelp("The language model for llama.cpp, with --peers.", valueName: "FILE"), completion: .file()) var gguf: String?
    @Flag(help: "As one JSON object.") var json = false

    func validate() throws {
        guard tokens > 0, studies > 0, together > 0, repetitions > 0 else { throw ValidationError("counts are 1 or more") }
        guard peers != nil else { return try require(gguf == nil, "--gguf goes with --peers") }
        try require(Set(part).isSubset(of: [.language, .trunks]), "with --peers, --part is language or trunks")
        try require(part == [.trunks] || gguf != nil, "with --peers, the language model wants --gguf")
    }

    private func require(_ condition: Bool, _ what: String) throws {
        if !condition { throw ValidationError(what) }
    }

    func run() throws {
        if let peers {
            let parts = part.isEmpty ? [.language] : part
            return try BenchPeers(folder: peers, gguf: gguf, trunks: parts.contains(.trunks)).run(
                ["bench", directory] + parts.flatMap { ["--part", $0.rawValue] } + choices, rounds: repetitions, threads: compute.threads, json: json)
        }
        let started = ContinuousClock.now
        let bundle = try Bundles.open(directory)
        let parts = part.isEmpty ? Part.allCases.filter { bundle.manifest.vision != nil || $0 == .language } : part
        var report = BenchReport(version: Build.version, file: directory)
        // What one draft goes through, and then what `together` drafts do: they may be written in another arithmetic.
        for (own, together) in [(parts.filter { !$0.isOfMany }, 1), (parts.filter(\.isOfMany), together)] where !own.isEmpty {
            // The same film again and again: its text must not be known.
            let pipeline = try Bundles.load(bundle, compute.options(together: together), instructionSet: instructionSet?.set, phrases: nil)
            if report.arithmetic.isEmpty { report.add("load", "s", [(ContinuousClock.now - started) / .seconds(1)]) }
            report.describe(pipeline)
            try measure(own, pipeline, &report)
        }
        report.add("resident memory at most", "GB", [Self.memory("VmHWM")])
        if json { try Output.print(json: report) } else { report.printTable() }
    }

    private func measure(_ parts: [Part], _ pipeline: RaDialogPipeline, _ report: inout BenchReport) throws {
        if parts.contains(.language) { try language(pipeline, &report) }
        if parts.contains(.trunks), let trunks = pipeline.trunkBenchmark() { try measure(trunks, &report) }
        guard !Set(parts).isSubset(of: [.language, .trunks]) else { return }
        let benchmark = PipelineBenchmark(pipeline, film: try radiograph(), tokens: tokens)
        if parts.contains(.study) { try study(benchmark, &report) }
        if parts.contains(.batch) { try batch(benchmark, &report) }
        if parts.contains(.dialogue) { try dialogue(benchmark, &report) }
    }

    /// What the command was told, for another run of it.
    private var choices: [String] {
        let set = instructionSet.map { ["--instruction-set", $0.rawValue] } ?? []
        return [
            "--arithmetic", compute.arithmetic.rawValue, "--writing-arithmetic", compute.writingArithmetic.rawValue, "--kv-cache", compute.cache.rawValue,
        ] + set
    }

    private func language(_ pipeline: RaDialogPipeline, _ report: inout BenchReport) throws {
        let benchmark = pipeline.languageBenchmark()
        for count in [64, 256, 512] {
            progress("prefill of \(count) tokens")
            report.add("prefill", "tokens/s", try (0..<repetitions).map { _ in Double(count) / (try benchmark.prefill(count)) }, tokens: count, sequences: 1)
        }
        for sequences in [1, 4, 8, 16] {
            progress("decode with \(sequences) sequences")
            let written = Double(sequences * LanguageModelBenchmark.steps)
            let pool = try compute.options(together: sequences).pool(instructionSet: instructionSet?.set)
            report.add(
                "decode", "tokens/s", try (0..<repetitions).map { _ in written / (try benchmark.decode(sequences, on: pool)) }, tokens: LanguageModelBenchmark.prompt,
                sequences: sequences)
            report.add("resident memory", "GB", [Self.memory("VmRSS")], sequences: sequences)
        }
    }

    private func measure(_ trunks: TrunkBenchmark, _ report: inout BenchReport) throws {
        for images in [1, 8] {
            progress("trunks, \(images) film\(images == 1 ? "" : "s")")
            var film = Array(repeating: 0.0, count: repetitions)
            for (index, side) in trunks.sides.enumerated() {
                _ = try trunks.seconds(index, images: images)
                let values = try (0..<repetitions).map { _ in try trunks.seconds(index, images: images) * 1000 / Double(images) }
                report.add("trunk", "ms/image", values, side: side, images: images)
                film = zip(film, values).map(+)
            }
            report.add("trunks of a film", "ms/film", film, images: images)
        }
    }

    private func study(_ benchmark: PipelineBenchmark, _ report: inout BenchReport) throws {
        progress("one study after the other")
        // The first draft reads the constant beginning of all prompts, and what of the weights is not in memory yet.
        _ = try benchmark.draft()
        let timings = try (0..<repetitions).map { _ in try benchmark.draft() }
        for (name, stage) in [
            ("preprocess", \DraftProvenance.Timings.preprocess), ("classify", \.classify), ("encode", \.encode), ("prefill of the prompt", \.prefill),
            ("generate", \.generate),
        ] { report.add(name, "s", timings.map { $0[keyPath: stage] }) }
        report.add("one study", "s", timings.map { $0.preprocess + $0.classify + $0.encode + $0.prefill + $0.generate }, tokens: tokens)
    }

    private func batch(_ benchmark: PipelineBenchmark, _ report: inout BenchReport) throws {
        progress("\(studies) studies, \(together) at a time")
        let seconds = try benchmark.batch(studies, together: together)
        report.add("studies in batch", "studies/hour", [Double(studies) * 3600 / seconds], tokens: tokens, sequences: together)
    }

    private func dialogue(_ benchmark: PipelineBenchmark, _ report: inout BenchReport) throws {
        progress("questions")
        let (idle, busy) = try benchmark.firstToken(besides: together)
        report.add("first token of a question, idle", "s", idle)
        report.add("first token of a question, busy", "s", busy, sequences: together)
    }

    private func progress(_ what: String) { Output.error("\(what) ...") }

    private func radiograph() throws -> Radiograph {
        guard let film else { return Self.syntheticFilm }
        let decoder = FrameDecoder(executable: FrameDecoder.defaultExecutable(), limits: DecodeLimits())
        do {
            return try decoder.decode(path: film)
        } catch {
            throw Failure("\(film): \(error)", Status.data)
        }
    }

    /// Waves: as much to do as with a real film.
    private static let syntheticFilm = Radiograph(
        rows: 2500, columns: 2048, samplesPerPixel: 1, bitsStored: 12, photometricInterpretation: .monochrome2, presentationIsInverse: false,
        modalityTransform: .identity, voiTransform: .none,
        storedValues: (0..<2500 * 2048).map { index in
            let (row, column) = (index / 2048, index % 2048)
            return Int32((row * 3 + column * 2 + row * column / 700) % 4096)
        })

    /// A line of the process's status in 10^9 bytes; 0 where the system does not tell.
    private static func memory(_ name: String) -> Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line.flatMap { $0.split(whereSeparator: { !$0.isNumber }).first }.flatMap { Double($0) } ?? 0) * 1024 / 1e9
    }
}

/// This command and the peers in turn, through the script that makes ratios of their rounds.
struct BenchPeers {
    let folder: String
    /// For llama.cpp; nil: it is left out.
    let gguf: String?
    /// Whether the vision peers take part.
    let trunks: Bool

    /// - Parameter arguments: of our command, but for those that every program gets.
    func run(_ arguments: [String], rounds: Int, threads: Int, json: Bool) throws {
        let scripts = "Benchmarks/peers"
        let python = folder + "/bin/python"
        for path in [scripts + "/interleave.py", python] where !FileManager.default.fileExists(atPath: path) {
            throw Failure("\(path) is missing: run \(scripts)/install.sh \(folder) in the root of a checkout, and this command there, too", Status.notFound)
        }
        let count = threads == 0 ? ProcessInfo.processInfo.activeProcessorCount : threads
        let alike = ["--threads", "\(count)", "--repetitions", "2"]
        var peers = gguf.map { [[python, scripts + "/language.py", $0]] } ?? []
        if trunks { peers += ["openvino-bf16", "openvino-f16", "torch-bf16", "onnxruntime-fp32"].map { [python, scripts + "/vision.py", $0] } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [scripts + "/interleave.py", "--ours", quoted([CommandLine.arguments[0]] + arguments + alike + ["--json"])]
            + peers.flatMap { ["--peer", quoted($0 + alike)] } + ["--rounds", "\(rounds)"] + (json ? ["--json"] : [])
        do {
            try process.run()
        } catch {
            throw Failure("cannot run \(python): \(error.localizedDescription)", Status.notFound)
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("the comparison ended with status \(process.terminationStatus)", Status.data) }
    }

    private func quoted(_ words: [String]) -> String {
        words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
    }
}
