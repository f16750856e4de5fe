import Foundation
import Testing

import Configuration

/// `etc/radialogd.conf` and the code tell the same.
struct ShippedFileTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../etc/radialogd.conf").standardizedFileURL.path

    private func shipped() throws -> String { try String(contentsOfFile: Self.path, encoding: .utf8) }

    /// Every commented key made active.
    private func allKeys() throws -> String {
        try shipped().split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("#") && line.dropFirst().first.map { $0.isLetter || $0 == "[" } == true ? String(line.dropFirst()) : String(line)
        }.joined(separator: "\n")
    }

    @Test func `the shipped file is accepted as it is, and changes no default`() throws {
        let shipped = try Configuration.load(file: Self.path)
        let defaults = try Configuration.load(file: nil)
        #expect(shipped.settings == defaults.settings)
        #expect(shipped.settings.allSatisfy { $0.origin == "default" })
    }

    @Test func `every key of the code stands in the shipped file with its default`() throws {
        let file = try Configuration.load(text: allKeys(), file: Self.path)
        // What must be given has no default: these values are examples.
        let required: [String: String] = [
            "dicom.peer[0].ae_title": "\"PACS\"", "dicom.peer[0].address": "\"10.1.2.3\"",
            "destination[0].name": "\"ris\"", "destination[0].kind": "\"hl7\"", "destination[0].host": "\"ris.example.org\"",
            "destination[0].port": "2575",
            "destination[1].name": "\"pacs\"", "destination[1].kind": "\"dicom\"", "destination[1].host": "\"pacs.example.org\"",
            "destination[1].port": "104", "destination[1].ae_title": "\"PACS\"",
            "destination[2].name": "\"outbox\"", "destination[2].kind": "\"folder\"", "destination[2].path": "\"/srv/reports\"",
        ]
        let defaults = try Configuration.load(
            text: """
                [[dicom.peer]]
                ae_title = "PACS"
                address = "10.1.2.3"
                [[destination]]
                name = "ris"
                kind = "hl7"
                host = "ris.example.org"
                port = 2575
                [[destination]]
                name = "pacs"
                kind = "dicom"
                host = "pacs.example.org"
                port = 104
                ae_title = "PACS"
                [[destination]]
                name = "outbox"
                kind = "folder"
                path = "/srv/reports"
                """, file: Self.path)
        #expect(file.settings.map(\.key) == defaults.settings.map(\.key))
        #expect(file.settings.map(\.value) == defaults.settings.map(\.value))
        for setting in file.settings {
            #expect(setting.origin != "default", "\(setting.key) does not stand in the shipped file")
            if let value = required[setting.key] { #expect(setting.value == value) }
        }
        for setting in defaults.settings where setting.origin == "default" { #expect(required[setting.key] == nil) }
    }

    @Test func `the shipped file stands in the order in which keys are read`() throws {
        let lines = try Configuration.load(text: allKeys(), file: Self.path).settings.compactMap { Int($0.origin.split(separator: ":").last ?? "") }
        #expect(lines.count > 80)
        // Within [[destination]] blocks the kinds share readers; across sections the order is that of the file.
        let sections = try Configuration.load(text: allKeys(), file: Self.path).settings.map { $0.key.split(separator: ".")[0].prefix { $0 != "[" } }
        var seen: [Substring] = []
        for section in sections where seen.last != section {
            #expect(!seen.contains(section))
            seen.append(section)
        }
        #expect(seen == ["state_dir", "dicom", "study", "model", "decode", "report", "destination", "audit", "web", "log"])
    }
}
