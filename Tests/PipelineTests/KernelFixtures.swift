import Foundation
import RaDialogPipeline

/// Repeatable numbers: SplitMix64 (Steele et al. 2014).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// Random weights in a safetensors file of its own, removed with the value.
final class RandomWeights {
    private(set) var tensors: [String: (shape: [Int], values: [Float])] = [:]
    private var numbers: SeededNumbers
    private let folder: URL

    init(seed: UInt64) throws {
        numbers = SeededNumbers(seed)
        folder = FileManager.default.temporaryDirectory.appending(path: "radialog-weights-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(at: folder) } catch { print("left behind: \(folder.path): \(error)") }
    }

    /// Uniform in `range`; by default of the spread that keeps a layer's outputs near its inputs' size.
    func add(_ name: String, _ shape: [Int], in range: ClosedRange<Float>? = nil) {
        let fanIn = shape.dropFirst().reduce(1, *)
        let bound = (3 / Float(max(1, fanIn))).squareRoot()
        tensors[name] = (shape, numbers.floats(shape.reduce(1, *), in: range ?? -bound...bound))
    }

    func addBatchNorm(_ name: String, _ channels: Int) {
        add(name + ".weight", [channels], in: 0.5...1.5)
        add(name + ".bias", [channels], in: -0.5...0.5)
        add(name + ".running_mean", [channels], in: -0.5...0.5)
        add(name + ".running_var", [channels], in: 0.5...2)
    }

    func set(_ name: String, _ index: Int, to value: Float) { tensors[name]?.values[index] = value }
    func remove(_ name: String) { tensors[name] = nil }
    subscript(name: String) -> [Float] { tensors[name]?.values ?? [] }

    func open() throws -> Safetensors {
        var header: [String: Any] = [:]
        var body = Data()
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let begin = body.count
            tensor.values.withUnsafeBytes { body.append(contentsOf: $0) }
            header[name] = ["dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, body.count]]
        }
        let text = try JSONSerialization.data(withJSONObject: header)
        var file = Data()
        withUnsafeBytes(of: UInt64(text.count).littleEndian) { file.append(contentsOf: $0) }
        let url = folder.appending(path: "\(UUID().uuidString).safetensors")
        try (file + text + body).write(to: url)
        return try Safetensors(path: url.path)
    }
}

extension KernelPool {
    /// One pool per instruction set of this processor, the scalar specification first.
    static func everyInstructionSet(threads: Int) throws -> [KernelPool] {
        try InstructionSet.allCases.filter { $0.rawValue <= InstructionSet.best.rawValue }
            .map { try KernelPool(threads: threads, instructionSet: $0) }
    }
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

/// Equal to the bit, NaN like NaN.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool { bits(a) == bits(b) }
