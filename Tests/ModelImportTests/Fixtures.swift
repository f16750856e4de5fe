import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// Files that reference/write_checkpoints.py wrote: fixtures/checkpoints.
enum CheckpointFixture {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures/checkpoints").path

    static func path(_ name: String) -> String { folder + "/" + name }
    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }
}

/// A folder of its own, removed at the end.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("model-import-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("cannot remove \(path): \(error)") }
    }

    @discardableResult
    func write(_ bytes: [UInt8], as name: String) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ text: String, as name: String) throws -> String { try write(Array(text.utf8), as: name) }
}

/// Tensors in memory, as a safetensors file.
struct TensorFile {
    struct Tensor {
        var shape: [Int]
        var values: [Float]
        var type = "F32"
    }

    var tensors: [String: Tensor] = [:]

    subscript(name: String) -> Tensor? {
        get { tensors[name] }
        set { tensors[name] = newValue }
    }

    var bytes: [UInt8] {
        var offset = 0
        var members: [String] = []
        var data: [UInt8] = []
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let bytes: [UInt8] =
                switch tensor.type {
                case "BF16": tensor.values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes { Array($0) }
                case "I32": tensor.values.map { Int32($0) }.withUnsafeBytes { Array($0) }
                default: tensor.values.withUnsafeBytes { Array($0) }
                }
            members.append(#""\#(name)":{"dtype":"\#(tensor.type)","shape":\#(tensor.shape),"data_offsets":[\#(offset),\#(offset + bytes.count)]}"#)
            offset += bytes.count
            data += bytes
        }
        let header = Array(("{" + members.joined(separator: ",") + "}").utf8)
        return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
    }
}

/// Small whole numbers over 8, so that fp32 sums of products of them are exact.
struct Numbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int(state >> 59) - 16) / 8
    }

    mutating func tensor(_ shape: [Int], type: String = "F32") -> TensorFile.Tensor {
        .init(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in next() }, type: type)
    }
}

extension CheckpointTensors {
    func floats(_ name: String) throws -> [Float] { try FloatTensor(try view(name)).array }

    func integers<Number: FixedWidthInteger & BitwiseCopyable>(_ name: String, as _: Number.Type) throws -> [Number] {
        let view = try view(name)
        return (0..<view.count).map { view.bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.size, as: Number.self) }
    }
}

/// The error's text, or nil where nothing was thrown.
func refusal(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
