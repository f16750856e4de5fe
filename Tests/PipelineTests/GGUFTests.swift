import Foundation
import RaDialogPipeline
import Testing

/// The container: what the reader makes of right files and of wrong ones, and what the writer writes.
struct GGUFTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    private func reason(_ bytes: [UInt8]) throws -> String? {
        do {
            _ = try folder.gguf(bytes)
            return nil
        } catch let error as WeightsError {
            return "\(error)"
        }
    }

    private var sample: String { BlockFixtures.folder.appending(path: "sample.gguf").path }

    @Test func `a file of the gguf package is read: metadata of every type, shapes in row order, blocks and plain numbers`() throws {
        let file = try GGUF(path: sample)
        #expect(file.version == 3 && file.alignment == 32)
        #expect(try file.string("general.architecture") == "llama")
        for bits in [8, 16, 32, 64] {
            #expect(try file.integer("t.u\(bits)") == Int(truncatingIfNeeded: UInt64.max >> (65 - bits)))
            #expect(try file.integer("t.i\(bits)") == -1 << (bits - 1))
        }
        #expect(try file.real("t.f32") == 0.5 && file.real("t.f64") == -0.1 && file.boolean("t.bool") == true)
        #expect(try file.string("t.string") == "Röntgen" && file.strings("t.strings") == ["a", "", "Ġé"])
        #expect(try file.floats("t.floats") == [0.25, -1.5] && file.int32s("t.ints") == [3, -4])
        #expect(try file.integer("absent") == nil && file.strings("absent") == nil)

        #expect(file.storedNames == ["matrix", "half", "q8"])
        let source = try BlockFixtures.floats("source.floats")
        #expect(try file.floats("matrix", shape: [2, 96]).array == Array(source[..<96]) + source[512..<608])
        #expect(file.find("half")?.shape == [2, 3] && file.find("half")?.type == .f16 && file.find("q8") == nil)
        let blocks = try file.block("q8", shape: [3, 64])
        #expect(blocks.type == .q8_0 && blocks.rowBytes == 68)
        let values = try file.floats("q8", shape: [3, 64]).array
        #expect(relativeError(Array(values[..<64]), Array(source[..<64])) < 0.01)
        #expect(throws: WeightsError.wrongShape(path: sample, name: "q8", found: [3, 64], expected: [64, 3])) { try file.floats("q8", shape: [64, 3]) }
        #expect(throws: WeightsError.missingTensor(path: sample, name: "z")) { try file.floats("z", shape: [1]) }
        for key in ["t.string", "t.strings", "t.f32"] { #expect(throws: WeightsError.self) { try file.integer(key) } }
        #expect(throws: WeightsError.self) { try file.strings("t.floats") }
    }

    @Test func `a file cut short is refused, or was only padding`() throws {
        let whole = try [UInt8](Data(contentsOf: URL(filePath: sample)))
        for length in Array(0..<600) + stride(from: 600, to: whole.count, by: 5) {
            guard try reason(Array(whole[..<length])) == nil else { continue }
            #expect(length >= whole.count - 32, "\(length) of \(whole.count)")
        }
        #expect(try reason(whole) == nil)
    }

    @Test func `damaged bytes give an error or a file whose tensors lie within it`() throws {
        let whole = try [UInt8](Data(contentsOf: URL(filePath: sample)))
        var numbers = SeededNumbers(77)
        for round in 0..<900 {
            var bytes = whole
            for _ in 0...Int.random(in: 0...3, using: &numbers) {
                let at = round < 700 ? round : Int.random(in: 0..<bytes.count, using: &numbers)
                bytes[min(at, bytes.count - 1)] = [0, 0xFF, 0x7F, 0x80, UInt8.random(in: 0...255, using: &numbers)].randomElement(using: &numbers) ?? 0
            }
            do {
                let file = try folder.gguf(bytes)
                for name in file.names {
                    let tensor = try #require(file.block(name))
                    #expect(tensor.bytes.count <= bytes.count)
                    _ = try file.floats(name, shape: tensor.shape).array.count
                }
                for key in file.keys {
                    do { _ = try file.integer(key) } catch {}
                    do { _ = try file.strings(key) } catch {}
                    do { _ = try file.floats(key) } catch {}
                    do { _ = try file.int32s(key) } catch {}
                }
                _ = try VocabularyDescription(file)
            } catch is WeightsError {}
        }
    }

    @Test func `what breaks the rules is refused with the reason`() throws {
        func expect(_ part: String, _ make: (inout GGUFBytes) -> Void, version: UInt32 = 3, tensors: UInt64 = 0, entries: UInt64 = 0) throws {
            var file = GGUFBytes(version: version, tensors: tensors, entries: entries)
            make(&file)
            let found = try reason(file.bytes)
            #expect(found?.contains(part) == true, "\(part): \(found ?? "accepted")")
        }
        #expect(try reason(Array("GGML".utf8) + [UInt8](repeating: 0, count: 40))?.contains("does not begin with GGUF") == true)
        try expect("version 1", { _ in }, version: 1)
        try expect("big-endian", { _ in }, version: 3 << 24)
        try expect("claims \(UInt64.max) tensors", { _ in }, tensors: .max)
        try expect("claims \(UInt64.max) metadata", { _ in }, entries: .max)
        try expect("claims \(UInt64.max) bytes", { $0.add(UInt64.max) }, entries: 1)
        try expect("unknown type 13", { $0.add("k"); $0.add(UInt32(13)); $0.add(UInt64(0)) }, entries: 1)
        try expect("array of arrays", { $0.add("k"); $0.add(UInt32(9)); $0.add(UInt32(9)); $0.add(UInt64(1)) }, entries: 1)
        try expect("claims \(UInt64.max) elements", { $0.add("k"); $0.add(UInt32(9)); $0.add(UInt32(8)); $0.add(UInt64.max) }, entries: 1)
        try expect("claims \(UInt64(1) << 62) elements", { $0.add("k"); $0.add(UInt32(9)); $0.add(UInt32(10)); $0.add(UInt64(1) << 62) }, entries: 1)
        try expect("\"k\" stands twice", { for _ in 0..<2 { $0.add("k"); $0.add(UInt32(0)); $0.add(UInt8(1)) } }, entries: 2)
        for wrong: UInt32 in [0, 3, 48] {
            try expect("not a power of two", { $0.add("general.alignment"); $0.add(UInt32(4)); $0.add(wrong) }, entries: 1)
        }
        try expect("5 dimensions", { $0.addInfo("a", shape: [1, 1, 1, 1, 8]) }, tensors: 1)
        try expect("impossible side", { $0.addInfo("a", shape: [.max]) }, tensors: 1)
        try expect("impossible side 0", { $0.addInfo("a", shape: [1 << 62, 4, 0]) }, tensors: 1)
        try expect("impossible shape", { $0.addInfo("a", shape: [1 << 62, 4]) }, tensors: 1)
        try expect("not whole blocks", { $0.addInfo("a", shape: [2, 48], type: 8); $0.addData(200) }, tensors: 1)
        try expect("has type Q2_K", { $0.addInfo("a", shape: [256], type: 10); $0.addData(200) }, tensors: 1)
        try expect("has type number 99", { $0.addInfo("a", shape: [256], type: 99); $0.addData(200) }, tensors: 1)
        try expect("not a multiple of 32", { $0.addInfo("a", shape: [4], offset: 4); $0.addData(64) }, tensors: 1)
        try expect("cut short", { $0.addInfo("a", shape: [4], offset: 1 << 62); $0.addData(64) }, tensors: 1)
        try expect("cut short", { $0.addInfo("a", shape: [20], offset: 0); $0.addData(64) }, tensors: 1)
        try expect("stands twice", { for _ in 0..<2 { $0.addInfo("a", shape: [4]) }; $0.addData(64) }, tensors: 2)
        try expect("overlaps", { $0.addInfo("a", shape: [16]); $0.addInfo("b", shape: [4], offset: 32); $0.addData(64) }, tensors: 2)
    }

    @Test func `strings that would cost far more memory than the file has bytes are refused`() throws {
        var file = GGUFBytes(entries: 1)
        file.add("k")
        file.add(UInt32(9))
        file.add(UInt32(8))
        // Swift keeps up to 15 bytes in place and allocates for 16.
        let count = 950_000
        file.add(UInt64(count))
        let string = [16] + [UInt8](repeating: 0, count: 7) + [UInt8](repeating: 0x61, count: 16)
        file.bytes.reserveCapacity(file.bytes.count + count * string.count)
        for _ in 0..<count { file.bytes += string }
        #expect(try reason(file.bytes)?.contains("too many") == true)
    }

    @Test(arguments: [1, 7, 1 << 20])
    func `what the writer writes is read back, whatever the pieces, and always the same bytes`(piece: Int) throws {
        var numbers = SeededNumbers(1)
        let shapes: [(BlockType, [Int])] = [(.f32, [3]), (.q4_K, [2, 512]), (.f16, [5, 7]), (.q8_0, [1, 32]), (.bf16, [])]
        let tensors = shapes.enumerated().map { index, item in
            let tensor = GGUFWriter.Tensor(name: "t\(index)", type: item.0, shape: item.1)
            return (tensor, (0..<(tensor.byteCount ?? 0)).map { _ in UInt8.random(in: 0...255, using: &numbers) })
        }
        let metadata: [(key: String, value: GGUFWriter.Value)] = [
            ("a.u", .uint32(7)), ("a.i", .int32(-7)), ("a.l", .uint64(1 << 40)), ("a.f", .float32(1.5)), ("a.b", .boolean(true)), ("a.s", .string("é")),
            ("a.strings", .strings(["x", "", "Ġ"])), ("a.floats", .floats([1, -0.5])), ("a.ints", .int32s([1, -2])),
        ]
        let file = try GGUF(path: folder.writeGGUF("own.gguf", metadata: metadata, tensors: tensors, piece: piece))
        #expect(try file.integer("a.u") == 7 && file.integer("a.i") == -7 && file.integer("a.l") == 1 << 40 && file.real("a.f") == 1.5)
        #expect(try file.boolean("a.b") == true && file.string("a.s") == "é" && file.strings("a.strings") == ["x", "", "Ġ"])
        #expect(try file.floats("a.floats") == [1, -0.5] && file.int32s("a.ints") == [1, -2])
        #expect(file.storedNames == tensors.map(\.0.name))
        for (tensor, bytes) in tensors {
            let found = try file.block(tensor.name, shape: tensor.shape)
            #expect(found.type == tensor.type && Array(found.bytes) == bytes)
            #expect((Int(bitPattern: found.bytes.baseAddress) & 31) == 0)
        }
        let again = try folder.writeGGUF("again.gguf", metadata: metadata, tensors: tensors)
        #expect(try Data(contentsOf: URL(filePath: again)) == Data(contentsOf: URL(filePath: file.path)))
    }

    @Test func `the writer refuses names that stand twice, shapes that do not fit, and too few or too many bytes`() throws {
        let one = GGUFWriter.Tensor(name: "a", type: .f32, shape: [2])
        let eight = [UInt8](repeating: 0, count: 8)
        for tensors in [[(one, eight), (one, eight)], [(.init(name: "a", type: .q8_0, shape: [40]), eight)], [(one, eight + eight)], [(one, [0])]] {
            #expect(throws: WeightsError.self) { try folder.writeGGUF("bad.gguf", metadata: [], tensors: tensors) }
        }
        #expect(throws: WeightsError.self) { try folder.writeGGUF("bad.gguf", metadata: [("k", .int32(1)), ("k", .int32(1))], tensors: []) }
        #expect(throws: WeightsError.self) { try folder.writeGGUF("bad.gguf", metadata: [("general.alignment", .uint32(64))], tensors: []) }
    }

    @Test func `a disk that is full is an error`() throws {
        let handle = try FileHandle(forWritingTo: URL(filePath: "/dev/full"))
        let writer = try GGUFWriter(descriptor: handle.fileDescriptor, path: "/dev/full", metadata: [], tensors: [])
        #expect(throws: WeightsError.self) { try writer.finish() }
    }
}
