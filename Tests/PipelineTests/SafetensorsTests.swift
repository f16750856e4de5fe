import Foundation
import RaDialogPipeline
import Testing

@Suite struct SafetensorsTests {
    private let folder: ScratchFolder
    private let path: String

    init() throws {
        folder = try ScratchFolder()
        path = folder.path + "/weights.safetensors"
    }

    private func open(_ bytes: [UInt8]) throws -> Safetensors {
        try folder.write(bytes, as: "weights.safetensors")
        return try Safetensors(path: path)
    }

    private func reason(_ bytes: [UInt8]) throws -> String? {
        do {
            _ = try open(bytes)
            return nil
        } catch WeightsError.malformed(_, let reason) {
            return reason
        }
    }

    private static let sample = SafetensorsFile([
        .init(name: "a", type: "F32", shape: [2, 3], bytes: SafetensorsFile.bytes([1, -2, 3.5, 0, 0.25, 6] as [Float])),
        .init(name: "b", type: "F16", shape: [6], bytes: SafetensorsFile.bytes([0x3C00, 0xC000, 0x0001, 0x7C00, 0x7E00, 0x83FF] as [UInt16])),
        .init(name: "c", type: "BF16", shape: [2], bytes: SafetensorsFile.bytes([0x3F80, 0xC040] as [UInt16])),
        .init(name: "n", type: "I64", shape: [], bytes: SafetensorsFile.bytes([7] as [Int64])),
    ]).bytes

    @Test func `tensors are read by name and shape, in place or widened exactly`() throws {
        let file = try open(Self.sample)
        #expect(file.names == ["a", "b", "c", "n"])
        let a = try file.floats("a", shape: [2, 3])
        #expect(a.isInPlace && a.array == [1, -2, 3.5, 0, 0.25, 6])
        let b = try file.floats("b", shape: [6])
        #expect(!b.isInPlace && Array(b.array[..<4]) == [1, -2, 0x1p-24, .infinity])
        #expect(b.array[4].isNaN && b.array[5] == -1023 * 0x1p-24)
        #expect(try file.floats("c", shape: [2]).array == [1, -3])
        #expect(Int(bitPattern: b.pointer) % 64 == 0)
    }

    @Test func `what is let go is no longer resident, and is read again when it is used`() throws {
        let numbers = (0..<(1 << 20)).map { Float($0) }
        let file = try open(SafetensorsFile([.init(name: "a", type: "F32", shape: [numbers.count], bytes: SafetensorsFile.bytes(numbers))]).bytes)
        let tensor = try file.floats("a", shape: [numbers.count])
        #expect(tensor.isInPlace && tensor.array == numbers)
        #expect(try residentBytes() >= 4 << 20)
        file.letGo()
        #expect(try residentBytes() == 0)
        #expect(tensor.array == numbers)
    }

    /// Of the mappings of the file, by the system's account.
    private func residentBytes() throws -> Int {
        var (isOurs, kilobytes) = (false, 0)
        // A file of unknown length, of which `String(contentsOfFile:)` takes the first page alone.
        let account = try #require(try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps")).readToEnd())
        for line in String(decoding: account, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if !words[0].hasSuffix(":") { isOurs = line.hasSuffix(path) }
            if isOurs, words[0] == "Rss:" { kilobytes += try #require(Int(words[1])) }
        }
        return kilobytes << 10
    }

    @Test func `half precision is widened as the hardware type has it, all 65536 of them`() throws {
        let all = (0...UInt16.max).map { $0 }
        let file = try open(SafetensorsFile([.init(name: "h", type: "F16", shape: [65_536], bytes: SafetensorsFile.bytes(all))]).bytes)
        let wide = try file.floats("h", shape: [65_536]).array
        for bits in all {
            let expected = Float(Float16(bitPattern: bits))
            let found = wide[Int(bits)]
            #expect(found == expected && found.sign == expected.sign || found.isNaN && expected.isNaN, "\(bits)")
        }
    }

    @Test func `a tensor that is not there, of another shape or of integers is an error with its name`() throws {
        let file = try open(Self.sample)
        #expect(throws: WeightsError.missingTensor(path: path, name: "z")) { try file.floats("z", shape: [1]) }
        #expect(throws: WeightsError.wrongShape(path: path, name: "a", found: [2, 3], expected: [3, 2])) { try file.floats("a", shape: [3, 2]) }
        #expect(throws: WeightsError.wrongType(path: path, name: "n", found: "I64")) { try file.floats("n", shape: []) }
        #expect(throws: WeightsError.self) { try Safetensors(path: folder.path + "/nothing") }
        #expect(throws: WeightsError.self) { try Safetensors(path: folder.path) }
    }

    @Test func `a file cut at any byte is refused`() throws {
        for length in 0..<Self.sample.count {
            #expect(throws: WeightsError.self, "cut at \(length)") { try open(Array(Self.sample[..<length])) }
        }
    }

    @Test func `a flipped bit of the header is refused or gives tensors inside the file`() throws {
        let header = 8 + Int(Self.sample[0])  // the header is shorter than 256 bytes
        for offset in 0..<header {
            for bit in 0..<8 {
                var bytes = Self.sample
                bytes[offset] ^= 1 << bit
                do {
                    let file = try open(bytes)
                    for name in file.names { #expect(try #require(file.find(name)).bytes.count <= bytes.count) }
                } catch is WeightsError {}
            }
        }
    }

    @Test(arguments: [UInt64.max, 1 << 63, 100_000_001, 1 << 40])
    func `a header that claims to be huge is refused without being allocated`(claimed: UInt64) throws {
        let bytes = withUnsafeBytes(of: claimed.littleEndian) { Array($0) } + Array("{}".utf8)
        #expect(try reason(bytes)?.contains("claims \(claimed) bytes") == true)
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#, "impossible shape"),
        (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}"#, "not a whole number"),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#, "not a whole number"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "needs 12 bytes and has 8"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "lies at 8..<0"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, "lies at 4..<12"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "leaves unused bytes"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "end at byte"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "overlaps"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "stands twice"),
        (#"{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}"#, "unknown dtype"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, "unknown key"),
        (#"{"a":{"dtype":"F32","shape":[2]}}"#, "lacks dtype"),
        (#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}"#, "more than 8 numbers"),
        (#"{"a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"#, "'{' expected"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#, "follows the end"),
        (#" {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "does not start with"),
    ])
    func `a header that breaks the rules is refused with the reason`(header: String, expected: String) throws {
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        let found = try reason(length + Array(header.utf8) + [UInt8](repeating: 0, count: 8))
        #expect(found?.contains(expected) == true, "\(found ?? "accepted")")
    }

    @Test func `metadata and padding are allowed`() throws {
        let header = #"{"__metadata__":{"format":"pt","é":"\u00e9\ud83e\udd99"},"a":{"dtype":"U8","shape":[0,5],"data_offsets":[0,0]}}     "#
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        #expect(try open(length + Array(header.utf8)).names == ["a"])
    }

    @Test func `a header of very many keys or of a very long string is refused before it costs more than the file`() throws {
        let many = "{\"__metadata__\":{" + (0..<200_001).map { "\"\($0)\":\"\"" }.joined(separator: ",") + "}}"
        let long = "{\"" + String(repeating: "x", count: 1 << 20 + 1) + "\":1}"
        for (header, expected) in [(many, "more than 200000 keys"), (long, "a string of more than")] {
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
            #expect(try reason(length + Array(header.utf8))?.contains(expected) == true)
        }
    }
}
