import Foundation
import ModelImport
import RaDialogPipeline
import Testing

/// Files made to break a reader.
@Suite struct HostileCheckpointTests {
    /// RADIALOG_EXHAUSTIVE=1 damages files at every byte instead of at some.
    private static let isExhaustive = ProcessInfo.processInfo.environment["RADIALOG_EXHAUSTIVE"] != nil

    /// In memory that is mapped as a file is: a read outside of it ends the process.
    private func open(_ bytes: [UInt8], under key: String? = nil) throws -> TorchCheckpoint {
        try TorchCheckpoint(file: MappedFile(path: "x.pt", count: bytes.count) { $0.copyBytes(from: bytes) }, under: key)
    }

    /// Opens a checkpoint whose only tensor "w" is made so, and says why not.
    private func refusal(ofTensor tensor: [UInt8], storage: Int = 16) -> String? {
        ModelImportTests.refusal { _ = try open(ZipFile.tensor(pickle: Pickle.dictionary([("w", tensor)]), storage: [UInt8](repeating: 0, count: storage)).bytes) }
    }

    private func refusal(ofPickle pickle: [UInt8]) -> String? {
        ModelImportTests.refusal { _ = try open(ZipFile.tensor(pickle: pickle, storage: []).bytes) }
    }

    @Test func `the archive that these tests vary is a good one`() throws {
        let file = try open(ZipFile.tensor(pickle: Pickle.dictionary([("w", Pickle.tensor())]), storage: [UInt8](repeating: 0, count: 16)).bytes)
        #expect(try file.floats("w") == [0, 0, 0, 0])
    }

    @Test func `a tensor outside its storage is refused whatever its numbers are`() {
        let last = Int.max
        let bad: [(String, [UInt8])] = [
            ("offset", Pickle.tensor(offset: 1)), ("offset", Pickle.tensor(offset: last)), ("negative offset", Pickle.tensor(offset: -1)),
            ("shape", Pickle.tensor(shape: [2, 3])), ("shape", Pickle.tensor(shape: [last, 2])), ("negative shape", Pickle.tensor(shape: [-2, -2])),
            ("empty but huge", Pickle.tensor(shape: [1 << 62, 0])), ("empty but huge", Pickle.tensor(shape: [1 << 40, 1 << 40, 0], strides: [0, 0, 0])),
            ("strides", Pickle.tensor(strides: [3, 1])), ("strides", Pickle.tensor(strides: [last, last])), ("negative strides", Pickle.tensor(strides: [-1, 1])),
            ("ranks", Pickle.tensor(strides: [1])), ("rank", Pickle.tensor(shape: .init(repeating: 1, count: 9), strides: .init(repeating: 1, count: 9))),
            ("elements", Pickle.tensor(elements: 5)), ("elements", Pickle.tensor(elements: 3)), ("elements", Pickle.tensor(elements: last)),
            ("elements", Pickle.tensor(elements: -4)), ("wider type", Pickle.tensor(type: "DoubleStorage")), ("missing storage", Pickle.tensor(key: "1")),
            ("storage outside the folder", Pickle.tensor(key: "../data.pkl")),
        ]
        for (what, tensor) in bad { #expect(refusal(ofTensor: tensor)?.contains("x.pt is damaged") == true, "\(what)") }
        #expect(refusal(ofTensor: Pickle.tensor(shape: [0, 1 << 40, 1 << 40], strides: [1, 1 << 40, 1])) == nil)
    }

    @Test func `a tensor that repeats one element is not blown up`() throws {
        let tensor = Pickle.tensor(shape: [1 << 20, 1 << 20], strides: [0, 0])
        let file = try open(ZipFile.tensor(pickle: Pickle.dictionary([("w", tensor)]), storage: [UInt8](repeating: 0, count: 16)).bytes)
        #expect(throws: ImportError.tooLarge(path: file.path, name: "w", bytes: 1 << 42, limit: 16 + 16 << 20)) { try file.view("w") }
    }

    @Test func `a pickle cannot cost more than its limits`() {
        /// Doubled until it is long enough: an unoptimised build spends seconds on `joined`.
        func repeated(_ piece: [UInt8], _ count: Int, end: [UInt8] = []) -> [UInt8] {
            var pieces = piece
            while pieces.count < count * piece.count { pieces += pieces }
            return [0x80, 2] + pieces[..<(count * piece.count)] + end
        }
        #expect(refusal(ofPickle: repeated([0x4E], 200_000))?.contains("values on the pickle's stack") == true)
        #expect(refusal(ofPickle: repeated([0x28], 200_000))?.contains("marks") == true)
        #expect(refusal(ofPickle: repeated([0x5D, 0x30], 200_000))?.contains("objects in a pickle") == true)
        // A list that is nested as deep as the objects go, and one that contains itself: neither reading nor freeing follows it.
        #expect(refusal(ofPickle: repeated([0x5D], 100_000, end: Array(repeating: 0x61, count: 99_999) + [0x2E]))?.contains("not a dictionary") == true)
        #expect(refusal(ofPickle: [0x80, 2, 0x5D, 0x71, 0, 0x68, 0, 0x61, 0x2E])?.contains("not a dictionary") == true)
        let hundredThousand = [0x28] + [UInt8](repeating: 0x4E, count: 100_000) + [0x65]
        #expect(refusal(ofPickle: [0x80, 2, 0x5D] + hundredThousand + hundredThousand + hundredThousand + [0x2E])?.contains("elements in a pickle") == true)
        #expect(refusal(ofPickle: [0x80, 2, 0x4E, 0x72, 0xFF, 0xFF, 0xFF, 0xFF, 0x2E])?.contains("memo 4294967295") == true)
        #expect(refusal(ofPickle: repeated([0x4E, 0x30], 1_100_000))?.contains("opcodes in a pickle") == true)
        let names: [UInt8] = (0..<5000).flatMap { (index: Int) -> [UInt8] in Pickle.global("m", "n\(index)") + [0x30] }
        #expect(refusal(ofPickle: [0x80, 2] + names)?.contains("globals") == true)
        #expect(refusal(ofPickle: [0x80, 2] + Pickle.global(String(repeating: "m", count: 600), "n"))?.contains("a line of more than") == true)
    }

    @Test func `broken and foreign pickles say what is wrong`() {
        let cases: [(String, [UInt8], String)] = [
            ("stack", [0x80, 2, 0x30, 0x2E], "stack is empty"), ("stop", [0x80, 2, 0x2E], "stack is empty"), ("left over", [0x80, 2, 0x4E, 0x4E, 0x2E], "left over"),
            ("mark", [0x80, 2, 0x74, 0x2E], "a mark is missing"), ("memo", [0x80, 2, 0x68, 7, 0x2E], "never set"), ("protocol", [0x80, 9, 0x4E, 0x2E], "protocol 9"),
            ("text opcode", [0x80, 2, 0x49, 0x31, 0x0A, 0x2E], "opcode 0x49"), ("extension", [0x80, 2, 0x82, 1, 0x2E], "opcode 0x82"),
            ("behind the end", Pickle.dictionary([]) + [0], "follows the pickle's end"), ("no end", [0x80, 2, 0x7D], "1 bytes expected"),
            ("long text", [0x80, 2, 0x58, 0xFF, 0xFF, 0xFF, 0xFF], "bytes expected"), ("negative text", [0x80, 2, 0x54, 0xFF, 0xFF, 0xFF, 0xFF], "bytes expected"),
            ("text of 64-bit length", [0x80, 4, 0x8D] + [UInt8](repeating: 0xFF, count: 8), "not a possible length"),
            ("append to a number", [0x80, 2, 0x4B, 1, 0x4B, 1, 0x61, 0x2E], "cannot have any"), ("odd items", [0x80, 2, 0x7D, 0x28, 0x4E, 0x75, 0x2E], "without its value"),
            ("call of a number", [0x80, 2, 0x4B, 1, 0x29, 0x52, 0x2E], "not a global"), ("persistent id", [0x80, 2, 0x4B, 1, 0x51, 0x2E], "persistent id"),
            ("whole model", Pickle.whole(Pickle.global("torch.nn.modules.container", "Sequential") + [0x29, 0x81, 0x7D, 0x62]), "torch.nn.modules.container.Sequential"),
            ("no tensors", Pickle.dictionary([("epoch", [0x4B, 1])]), "holds no tensors at the top level; its keys are [\"epoch\"]"),
            ("twice", Pickle.dictionary([("w", Pickle.tensor(shape: [0], strides: [1], elements: 0)), ("w", Pickle.tensor(shape: [0], strides: [1], elements: 0))]), "stands twice"),
            ("key", Pickle.whole([0x7D, 0x4B, 1, 0x4B, 1, 0x73]), "is not text"),
        ]
        for (what, pickle, text) in cases {
            let found = refusal(ofPickle: pickle)
            #expect(found?.contains(text) == true, "\(what): \(found ?? "nothing")")
        }
    }

    @Test func `zip directories that lie are refused`() throws {
        let good = ZipFile.tensor(pickle: Pickle.dictionary([("w", Pickle.tensor())]), storage: [UInt8](repeating: 0, count: 16))
        func refused(_ change: (inout ZipFile) -> Void) throws -> String? {
            var zip = good
            change(&zip)
            return ModelImportTests.refusal { _ = try open(zip.bytes) }
        }
        #expect(try refused { $0.comment = Array("a comment".utf8) } == nil)
        #expect(try refused { $0.method = 8 }?.contains("is compressed (method 8)") == true)
        #expect(try refused { $0.flags = 1 }?.contains("is encrypted") == true)
        #expect(try refused { $0.entries.append($0.entries[1]) }?.contains("stands twice") == true)
        #expect(try refused { $0.entries.append(("other/data.pkl", [])) }?.contains("2 entries NAME/data.pkl") == true)

        // The first local header's name, and the directory's offsets and sizes.
        var bytes = good.bytes
        bytes[30] ^= 1
        #expect(ModelImportTests.refusal { _ = try open(bytes) }?.contains("contradicts the directory") == true)
        let directory = try #require(good.bytes.indices.first { good.bytes[$0...].starts(with: [0x50, 0x4B, 1, 2]) })
        for (offset, what) in [(20, "stored as"), (24, "stored as"), (42, "signature")] {
            var bytes = good.bytes
            bytes[directory + offset] ^= 0x10
            let found = ModelImportTests.refusal { _ = try open(bytes) }
            #expect(found?.contains(what) == true, "\(offset): \(found ?? "nothing")")
        }
    }

    /// Everything that a damaged file can still be made to do: open, list, view and copy.
    private func exercise(_ bytes: [UInt8]) throws {
        do {
            let file = try open(bytes)
            for name in file.names {
                do {
                    let view = try file.view(name)
                    #expect(view.bytes.count <= bytes.count + 16 << 20)
                    // Every byte is touched: one outside the mapping would end the process.
                    _ = view.bytes.reduce(UInt8(0)) { $0 ^ $1 }
                } catch { continue }
            }
        } catch is ImportError { return }
    }

    @Test(arguments: ["kinds.pt", "kinds-protocol4.pt", "kinds-legacy.pt", "zip64.pt", "hostile-beside.pt"])
    func `a file cut anywhere is refused`(name: String) throws {
        let bytes = try CheckpointFixture.bytes(name)
        for length in stride(from: 0, to: bytes.count, by: Self.isExhaustive ? 1 : 41) {
            #expect(throws: ImportError.self, "cut at \(length)") { try open(Array(bytes[..<length])) }
        }
        #expect(throws: ImportError.self) { try open(Array(bytes.dropLast())) }
    }

    @Test(arguments: ["kinds.pt", "kinds-protocol4.pt", "kinds-legacy.pt", "zip64.pt"])
    func `a flipped bit is refused or changes numbers, and never reads outside the file`(name: String) throws {
        let bytes = try CheckpointFixture.bytes(name)
        for offset in stride(from: 0, to: bytes.count, by: Self.isExhaustive ? 1 : 23) {
            var changed = bytes
            changed[offset] ^= 1 << (offset % 8)
            try exercise(changed)
        }
    }

    @Test func `random bytes in a pickle never do more than throw`() throws {
        let good = Pickle.dictionary([("w", Pickle.tensor()), ("v", Pickle.tensor(offset: 1, shape: [3], strides: [1]))])
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<(Self.isExhaustive ? 100_000 : 1000) {
            var pickle = good
            for _ in 0...random(4) { pickle[random(pickle.count)] = UInt8(random(256)) }
            try exercise(ZipFile.tensor(pickle: pickle, storage: [UInt8](repeating: 1, count: 16)).bytes)
        }
    }
}
