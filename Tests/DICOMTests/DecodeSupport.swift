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
