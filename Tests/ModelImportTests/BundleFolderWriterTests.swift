import Foundation
import ModelImport
import Testing

/// Who may write beside a bundle's place.
@Suite struct BundleFolderWriterTests {
    private let scratch: Scratch
    private var output: String { scratch.path + "/bundle" }

    init() throws { scratch = try Scratch() }

    private func write(_ text: String, _ writer: BundleFolderWriter, as name: String) throws {
        try writer.file(name) { descriptor, _ in
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
            try handle.write(contentsOf: Data(text.utf8))
        }
    }

    @Test func `a second import to the same place is refused while the first one lives`() throws {
        var first: BundleFolderWriter? = try BundleFolderWriter(output: output)
        try write("weights", try #require(first), as: "a")
        #expect(refusal { _ = try BundleFolderWriter(output: output + "/") }?.contains("bundle.partial: another import is writing it") == true)
        // Nothing of the first one's is gone.
        #expect(try FileManager.default.contentsOfDirectory(atPath: output + ".partial") == ["a"])
        // Another place is another import's.
        _ = try BundleFolderWriter(output: output + "-2")
        first = nil
        #expect(!FileManager.default.fileExists(atPath: output + ".partial"))
        let second = try BundleFolderWriter(output: output)
        try write("weights", second, as: "a")
        try second.publish(["name": "b"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "manifest.json"])
        #expect(refusal { _ = try BundleFolderWriter(output: output) }?.contains("exists already") == true)
        #expect(!FileManager.default.fileExists(atPath: output + ".partial"))
    }

    @Test func `what a dead import left is replaced`() throws {
        try FileManager.default.createDirectory(atPath: output + ".partial/deep", withIntermediateDirectories: true)
        try scratch.write("left", as: "bundle.partial/manifest.json")
        // Another process holds the lock, as an import does.
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        other.arguments = ["--no-fork", output + ".partial", "sh", "-c", "echo locked; exec sleep 600"]
        let pipe = Pipe()
        other.standardOutput = pipe
        try other.run()
        #expect(try pipe.fileHandleForReading.read(upToCount: 6) == Data("locked".utf8))
        #expect(refusal { _ = try BundleFolderWriter(output: output) }?.contains("another import") == true)
        #expect(FileManager.default.fileExists(atPath: output + ".partial/manifest.json"))
        kill(other.processIdentifier, SIGKILL)
        other.waitUntilExit()
        let writer = try BundleFolderWriter(output: output)
        #expect(try FileManager.default.contentsOfDirectory(atPath: output + ".partial").isEmpty)
        try write("weights", writer, as: "a")
        try writer.publish(["name": "b"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "manifest.json"])
    }

    @Test func `a file or a link in the staging folder's place is left alone`() throws {
        try scratch.write("mine", as: "bundle.partial")
        #expect(refusal { _ = try BundleFolderWriter(output: output) }?.contains("needs a folder of that name") == true)
        #expect(try String(contentsOfFile: output + ".partial", encoding: .utf8) == "mine")
        try FileManager.default.removeItem(atPath: output + ".partial")
        try FileManager.default.createDirectory(atPath: scratch.path + "/elsewhere", withIntermediateDirectories: true)
        try scratch.write("mine", as: "elsewhere/file")
        try FileManager.default.createSymbolicLink(atPath: output + ".partial", withDestinationPath: scratch.path + "/elsewhere")
        #expect(refusal { _ = try BundleFolderWriter(output: output) }?.contains("needs a folder of that name") == true)
        #expect(FileManager.default.fileExists(atPath: scratch.path + "/elsewhere/file"))
    }
}
