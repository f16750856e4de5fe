import Foundation
import ModelImport
import RaDialogPipeline
import Testing

@Suite struct CheckpointTests {
    private static func values(_ count: Int, start: Float = 0, step: Float = 0.25) -> [Float] { (0..<count).map { start + Float($0) * step } }

    @Test(arguments: ["kinds.pt", "kinds-protocol4.pt", "kinds-legacy.pt", "zip64.pt"])
    func `every kind of tensor is read from every layout`(name: String) throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path(name))
        let matrix = Self.values(12)
        for key in ["f32", "f16", "bf16"] {
            #expect(try file.floats(key) == matrix, "\(key)")
            #expect(try file.shape(of: key) == [3, 4])
        }
        let f64 = try file.view("f64")
        #expect(f64.type == .f64 && (0..<12).allSatisfy { f64.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) == Double(matrix[$0]) })
        #expect(try file.integers("i64", as: Int64.self) == [-2, -1, 0, 1, 2])
        #expect(try file.integers("i32", as: Int32.self) == [-2, -1, 0, 1, 2])
        #expect(try file.integers("i16", as: Int16.self) == [-2, -1, 0, 1, 2])
        #expect(try file.integers("i8", as: Int8.self) == [-2, -1, 0, 1, 2])
        #expect(try file.integers("u8", as: UInt8.self) == [0, 1, 2, 3, 4])
        #expect(try file.integers("bool", as: UInt8.self) == [1, 0, 1])
        #expect(try file.view("bool").type == .boolean)
        #expect(try file.integers("scalar", as: Int64.self) == [7] && file.shape(of: "scalar") == [])
        #expect(try file.view("empty").bytes.isEmpty && file.shape(of: "empty") == [0, 3])

        let whole = Self.values(12, start: 100)
        #expect(try file.floats("shared.whole") == whole)
        #expect(try file.floats("shared.row") == Array(whole[6...]))
        #expect(try file.floats("shared.column") == [whole[2], whole[8]])
        #expect(try file.floats("parameter") == Self.values(4))
        #expect(file.ignoredGlobals.isEmpty)
        #expect(file.names.count == 19)
    }

    @Test(arguments: ["kinds.pt", "kinds-legacy.pt"])
    func `strided tensors are copied in row-major order`(name: String) throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path(name))
        let base = Self.values(12, start: -3)
        #expect(try file.shape(of: "transposed") == [4, 3])
        #expect(try file.floats("transposed") == (0..<12).map { base[$0 % 3 * 4 + $0 / 3] })
        let cube = Self.values(24)
        var permuted: [Float] = []
        for k in 0..<4 { for i in 0..<2 { for j in 0..<3 { permuted.append(cube[i * 12 + j * 4 + k]) } } }
        #expect(try file.shape(of: "permuted") == [4, 2, 3] && file.floats("permuted") == permuted)
        #expect(try file.floats("expanded") == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5])
    }

    @Test func `a contiguous tensor is a view into the file, and two of one storage share their bytes`() throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path("kinds.pt"))
        let whole = try file.view("shared.whole")
        let row = try file.view("shared.row")
        let start = try #require(whole.bytes.baseAddress)
        #expect(row.bytes.baseAddress == start + 24)
        #expect(whole.owner === row.owner)
        let column = try file.view("shared.column")
        #expect(column.owner !== whole.owner)
        #expect(try #require(file.stored("shared.column")).strides == [6] && file.stored("shared.row")?.isContiguous == true)
    }

    @Test func `a storage that is a view of another one is read where it lies`() throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path("legacy-view.pt"))
        #expect(try file.floats("whole") == [0, 1, 2, 3, 4, 5])
        #expect(try file.floats("view") == [3, 4])
    }

    @Test func `a Lightning checkpoint gives its tensors, whatever else stands beside them`() throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path("lightning.ckpt"), under: "state_dict")
        #expect(file.names == ["model.fc1.bias", "model.fc1.weight"])
        #expect(try file.floats("model.fc1.weight") == Self.values(12))
        for name in ["argparse.Namespace", "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "pathlib.PurePosixPath"] {
            #expect(file.ignoredGlobals.contains(name), "\(file.ignoredGlobals)")
        }
        let callbacks = refusal { _ = try TorchCheckpoint(path: CheckpointFixture.path("lightning.ckpt"), under: "nothing") }
        #expect(callbacks?.contains("no \"nothing\"") == true)
        let root = refusal { _ = try TorchCheckpoint(path: CheckpointFixture.path("lightning.ckpt")).view("model.fc1.weight") }
        #expect(root?.contains("state_dict") == true || root?.contains("no tensor") == true, "\(root ?? "")")
    }

    @Test func `nothing in a hostile checkpoint runs, and what depends on it is refused by name`() throws {
        let mark = "/tmp/radialog-was-executed"
        #expect(!FileManager.default.fileExists(atPath: mark), "left from elsewhere: remove it")
        let beside = try TorchCheckpoint(path: CheckpointFixture.path("hostile-beside.pt"))
        #expect(try beside.floats("weight") == [0, 0.25])
        #expect(beside.ignoredGlobals == ["posix.system"])
        #expect(throws: ImportError.refusedGlobal(path: beside.path, wanted: "tensor \"state\"", global: "posix.system")) { try beside.view("state") }

        let rootPath = CheckpointFixture.path("hostile-root.pt")
        #expect(throws: ImportError.refusedGlobal(path: rootPath, wanted: "\"state_dict\"", global: "posix.system")) {
            try TorchCheckpoint(path: rootPath, under: "state_dict")
        }
        let tensor = try TorchCheckpoint(path: CheckpointFixture.path("hostile-tensor.pt"), under: "state_dict")
        #expect(try tensor.floats("bias") == [0, 0.25])
        #expect(throws: ImportError.refusedGlobal(path: tensor.path, wanted: "tensor \"weight\"", global: "posix.system")) { try tensor.shape(of: "weight") }
        #expect(!FileManager.default.fileExists(atPath: mark))
    }

    @Test func `types without numbers here are refused one by one`() throws {
        let file = try TorchCheckpoint(path: CheckpointFixture.path("unusual.pt"))
        #expect(try file.integers("u16", as: UInt16.self) == [0, 1, 2])
        #expect(try file.floats("f32") == [0, 0.25])
        #expect(refusal { _ = try file.view("complex") }?.contains("torch.ComplexFloatStorage") == true)
        #expect(refusal { _ = try file.view("f8") }?.contains("torch.float8_e4m3fn") == true)
    }

    @Test func `a compressed archive, another zip file and another file are refused with what to do`() throws {
        #expect(refusal { _ = try TorchCheckpoint(path: CheckpointFixture.path("deflated.pt"), under: "state_dict") }?.contains("is compressed (method 8)") == true)
        let scratch = try Scratch()
        #expect(refusal { _ = try openCheckpoint(path: try scratch.write("not a checkpoint at all", as: "x.pt")) }?.contains("neither a zip archive") == true)
        #expect(refusal { _ = try openCheckpoint(path: try scratch.write([], as: "empty.pt")) }?.contains("neither a zip archive") == true)
        #expect(refusal { _ = try openCheckpoint(path: scratch.path) }?.contains("not a regular file") == true)
        #expect(refusal { _ = try openCheckpoint(path: scratch.path + "/missing") }?.contains("cannot read") == true)
        let path = try scratch.write(ZipFile([("archive/readme", Array("hello".utf8))]).bytes, as: "other.zip")
        #expect(refusal { _ = try openCheckpoint(path: path) }?.contains("torch.save did not write it") == true)
    }

    @Test func `a file is opened by its content, not by its name`() throws {
        let scratch = try Scratch()
        let path = try scratch.write(CheckpointFixture.bytes("plain.safetensors"), as: "weights.bin")
        let file = try openCheckpoint(path: path, under: "state_dict")
        #expect(try file.floats("bf16") == Self.values(12) && file.names == ["bf16", "f32"])
        #expect(throws: ImportError.missingTensor(path: path, name: "x")) { try file.view("x") }
        #expect(throws: ImportError.wrongShape(path: path, name: "f32", found: [3, 4], expected: [4, 3])) { try file.view("f32", shape: [4, 3]) }
    }

    @Test func `big-endian numbers are refused`() throws {
        var zip = ZipFile.tensor(pickle: Pickle.dictionary([("w", Pickle.tensor())]), storage: [UInt8](repeating: 0, count: 16))
        zip.entries.append(("archive/byteorder", Array("big".utf8)))
        let scratch = try Scratch()
        let path = try scratch.write(zip.bytes, as: "big.pt")
        #expect(refusal { _ = try TorchCheckpoint(path: path) }?.contains("not little-endian") == true)
        var legacy = try CheckpointFixture.bytes("legacy-view.pt")
        // little_endian: NEWTRUE (0x88) becomes NEWFALSE.
        let place = try #require(legacy.indices.first { legacy[$0...].starts(with: Array("little_endian".utf8)) })
        let flag = try #require(legacy[place...].firstIndex(of: 0x88))
        legacy[flag] = 0x89
        let old = try scratch.write(legacy, as: "old.pt")
        #expect(refusal { _ = try TorchCheckpoint(path: old) }?.contains("not little-endian") == true)
    }
}
