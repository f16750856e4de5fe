/// Whether a bundle may be used for patients. From its manifest.
public enum BundleKind: String, Sendable, Codable {
    case demo
    case clinical
}

/// The marks every machine text carries. A text is marked once, where it leaves the model, so that no later
/// layer can forget to.
public enum MachineText {
    /// Stands in front of every line a demonstration bundle wrote.
    public static let demonstrationMark = "DEMONSTRATION MODEL - NOT FOR CLINICAL USE"
    /// Stands in every document that no human has signed.
    public static let unreviewedMark = "UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS"

    /// Puts the demonstration mark in front of every non-empty line of `text`; a clinical bundle's text is unchanged.
    public static func marked(_ text: String, kind: BundleKind) -> String {
        guard kind == .demo else { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : lineMark + $0 }
            .joined(separator: "\n")
    }

    fileprivate static let lineMark = "[\(demonstrationMark)] "

    /// What the model itself wrote: `text` without the marks in front of its lines.
    public static func unmarked(_ text: String) -> UnmarkedText { UnmarkedText(text) }
}

/// A machine's text without its marks, which knows where its words stand in the marked text.
public struct UnmarkedText: Sendable, Equatable {
    public private(set) var text = ""
    /// One for each line: where it begins, in UTF-8 bytes, here and in the marked text.
    private var lines: [Line] = []

    private struct Line: Equatable {
        var start: Int
        var markedStart: Int
    }

    fileprivate init(_ marked: String) {
        var (start, markedStart) = (0, 0)
        var bytes: [UInt8] = []
        let mark = Array(MachineText.lineMark.utf8)
        for line in marked.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let isMarked = line.starts(with: mark)
            if !lines.isEmpty { bytes.append(UInt8(ascii: "\n")) }
            lines.append(Line(start: start, markedStart: markedStart + (isMarked ? mark.count : 0)))
            bytes += isMarked ? line.dropFirst(mark.count) : line
            markedStart += line.count + 1
            start = bytes.count + 1
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// The same stretch in the marked text. One that runs over a line's end has the next line's mark inside.
    public func markedRange(_ range: TextRange) -> TextRange {
        // An end belongs to the line of the last byte, not to the line that begins behind it.
        let last = max(range.end - 1, range.start)
        return TextRange(start: marked(range.start), end: marked(last) + (range.end - last))
    }

    private func marked(_ offset: Int) -> Int {
        guard let line = lines.last(where: { $0.start <= offset }) else { return offset }
        return line.markedStart + offset - line.start
    }
}
