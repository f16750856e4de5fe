import Foundation

/// Where results and complaints go: results on standard output, everything else on standard error.
enum Output {
    static func print(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
    }

    static func print(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    /// A piece of a line.
    static func stream(_ piece: String) { FileHandle.standardOutput.write(Data(piece.utf8)) }

    /// What stands in front of what a person types.
    static func prompt(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    static func error(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    /// Columns as wide as their widest cell.
    static func print(table rows: [[String]], header: [String]) {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for row in all {
            let cells = zip(row, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
            print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
        }
    }

    /// Writes a document to a file, or to standard output for "-".
    static func write(_ bytes: [UInt8], to path: String) throws {
        if path == "-" { return FileHandle.standardOutput.write(Data(bytes)) }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure("cannot write \(path): \(error.localizedDescription)", Status.cannotCreate)
        }
    }
}
