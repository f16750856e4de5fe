import Foundation
import FuzzEntries
import Testing

/// Files of fixtures/fuzz through the calls that the fuzzer makes (Fuzz/README.md): seeds, and what once broke a reader.
@Suite struct FuzzedFilesTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures/fuzz")

    private func files(_ entry: FuzzEntry) throws -> [(name: String, bytes: Data)] {
        let place = Self.folder.appendingPathComponent(entry.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: place.path).sorted().map { ($0, try Data(contentsOf: place.appendingPathComponent($0))) }
    }

    @Test(arguments: FuzzEntry.allCases)
    func `a seed is read, and every other file is read or refused in the reader's own words`(entry: FuzzEntry) throws {
        let files = try files(entry)
        #expect(files.contains { $0.name.hasPrefix("seed-") } && files.contains { !$0.name.hasPrefix("seed-") })
        for (name, bytes) in files {
            do {
                try bytes.withUnsafeBytes { try entry.read($0) }
                #expect(!name.hasPrefix("refused-"), "\(name) was read")
            } catch {
                #expect(entry.isRefusal(error), "\(name): \(error)")
                #expect(!name.hasPrefix("seed-"), "\(name): \(error)")
            }
        }
    }

    @Test(arguments: FuzzEntry.allCases)
    func `a seed that is cut short anywhere, or has a byte changed, is read or refused`(entry: FuzzEntry) throws {
        for (name, bytes) in try files(entry) where name.hasPrefix("seed-") {
            var copy = bytes
            // Some hundred places of each: enough to see that the entry still stands between the reader and a crash.
            for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 150)) {
                #expect(isReadOrRefused(entry, bytes.prefix(place)), "\(name) cut at \(place)")
                copy[place] ^= 0xFF
                #expect(isReadOrRefused(entry, copy), "\(name) changed at \(place)")
                copy[place] = bytes[place]
            }
        }
    }

    private func isReadOrRefused(_ entry: FuzzEntry, _ bytes: Data) -> Bool {
        do {
            // A copy of its own: what lies behind the end is not the file's.
            try Array(bytes).withUnsafeBytes { try entry.read($0) }
            return true
        } catch {
            return entry.isRefusal(error)
        }
    }
}
