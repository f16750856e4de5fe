import Foundation

/// An independent program of Debian's, run to its end.
enum ExternalTool {
    struct Result {
        var status: Int32
        /// Both streams.
        var output: String
        var lines: [Substring] { output.split(separator: "\n") }

        /// The first value of an attribute in a dcmdump, "gggg,eeee".
        func value(_ tag: String) -> String? {
            guard let line = lines.first(where: { $0.contains("(\(tag))") }),
                let start = line.firstIndex(of: "["), let end = line.lastIndex(of: "]")
            else { return nil }
            return String(line[line.index(after: start)..<end])
        }

        /// The lines from a top-level sequence to its end.
        func block(_ tag: String) -> String {
            guard let start = lines.firstIndex(where: { $0.hasPrefix("(\(tag))") }) else { return "" }
            let end = lines[start...].firstIndex { $0.hasPrefix("(fffe,e0dd)") } ?? lines.endIndex
            return lines[start..<end].joined(separator: "\n")
        }
    }

    static func run(_ name: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/" + name)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }
}

import DICOM

/// The decoder under test, and files made for it.
enum DecodeSupport {
    /// The child: RADIALOG_DECODE, or the one built beside the test bundle.
    static let executable = ProcessInfo.processInfo.environment["RADIALOG_DECODE"] ?? FrameDecoder.defaultExecutable()
    static let decoder = FrameDecoder(executable: executable)

    static func write(_ bytes: [UInt8], executable: Bool = false) throws -> String {
        let path = NSTemporaryDirectory() + "radialog-decode-\(UUID().uuidString)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        if executable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path) }
        return path
    }

    /// Decodes bytes as a file.
    static func decode(_ bytes: [UInt8]) throws -> DecodedFrame {
        let path = try write(bytes)
        defer { unlink(path) }
        return try decoder.decodeFrame(path: path)
    }

    /// Decodes with a shell script in the child's place.
    static func decode(with script: String, limits: DecodeLimits = DecodeLimits()) throws -> DecodedFrame {
        let path = try write(Array(("#!/bin/sh\n" + script + "\n").utf8), executable: true)
        defer { unlink(path) }
        return try FrameDecoder(executable: path, limits: limits).decodeFrame(path: "/dev/null")
    }
}

/// A small Part 10 file in explicit little endian, put together by hand: the decoder's tests need every wrong value.
struct ExampleImage {
    var rows: UInt16 = 2
    var columns: UInt16 = 3
    var samples: UInt16 = 1
    var photometric = "MONOCHROME2"
    var allocated: UInt16 = 16
    var stored: UInt16 = 12
    var highBit: UInt16 = 11
    var representation: UInt16 = 0
    var planar: UInt16?
    var frames: String?
    var rowsVR = "US"
    var transferSyntax = "1.2.840.10008.1.2.1"
    /// Further elements, in ascending order between (0028,0103) and (7FE0,0010).
    var more: [UInt8] = []
    /// Elements in front of group 0028.
    var before: [UInt8] = []
    var pixels: [UInt8] = []

    /// 16-bit cells.
    static func words(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } }

    static func element(_ group: UInt16, _ number: UInt16, _ vr: String, _ value: [UInt8]) -> [UInt8] {
        let padded = value + (value.count % 2 == 0 ? [] : [vr == "OB" || vr == "UI" ? 0 : 0x20])
        let isLong = ["OB", "OW", "SQ", "UN", "UT"].contains(vr)
        let length = UInt32(padded.count)
        let lengthBytes = (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        return words([group, number]) + Array(vr.utf8) + (isLong ? [0, 0] + lengthBytes : Array(lengthBytes.prefix(2))) + padded
    }

    static func number(_ group: UInt16, _ number: UInt16, _ value: UInt16, vr: String = "US") -> [UInt8] {
        element(group, number, vr, words([value]))
    }

    static func text(_ group: UInt16, _ number: UInt16, _ vr: String, _ value: String) -> [UInt8] {
        element(group, number, vr, Array(value.utf8))
    }

    var bytes: [UInt8] {
        let e = Self.self
        let meta = e.element(2, 1, "OB", [0, 1]) + e.text(2, 2, "UI", "1.2.840.10008.5.1.4.1.1.7")
            + e.text(2, 3, "UI", "2.25.1") + e.text(2, 0x10, "UI", transferSyntax)
        let length = UInt32(meta.count)
        var file = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8)
        file += e.element(2, 0, "UL", (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }) + meta
        file += e.text(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.7") + e.text(8, 0x18, "UI", "2.25.1") + before
        file += e.number(0x28, 2, samples) + e.text(0x28, 4, "CS", photometric)
        if let planar { file += e.number(0x28, 6, planar) }
        if let frames { file += e.text(0x28, 8, "IS", frames) }
        file += e.number(0x28, 0x10, rows, vr: rowsVR) + e.number(0x28, 0x11, columns)
        file += e.number(0x28, 0x100, allocated) + e.number(0x28, 0x101, stored) + e.number(0x28, 0x102, highBit)
        file += e.number(0x28, 0x103, representation) + more
        return file + (transferSyntax == "1.2.840.10008.1.2.1"
            ? e.element(0x7FE0, 0x10, allocated == 8 ? "OB" : "OW", pixels) : encapsulated)
    }

    /// One fragment behind an empty offset table.
    private var encapsulated: [UInt8] {
        let length = UInt32(pixels.count)
        return Self.words([0x7FE0, 0x10]) + Array("OB".utf8) + [0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
            + Self.words([0xFFFE, 0xE000, 0, 0]) + Self.words([0xFFFE, 0xE000])
            + (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + pixels + Self.words([0xFFFE, 0xE0DD, 0, 0])
    }
}
