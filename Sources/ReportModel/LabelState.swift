/// What a text says of one of the fourteen labels.
public enum LabelState: String, Sendable, Codable, CaseIterable {
    /// The text states it.
    case positive
    /// The text denies it.
    case negative
    /// The text weighs it: "may represent", "cannot be excluded".
    case uncertain
    /// The text does not speak of it.
    case blank
}

/// A stretch of the labelled text, in UTF-8 bytes from its start. Both ends lie between characters.
public struct TextRange: Sendable, Codable, Equatable, Hashable {
    public var start: Int
    /// First byte behind the stretch.
    public var end: Int

    public init(start: Int, end: Int) {
        self.start = start
        self.end = end
    }

    /// The stretch of `text`, which must be the text that was labelled; empty where the range does not fit it.
    public func slice(of text: String) -> String {
        let bytes = text.utf8
        guard start >= 0, end >= start, end <= bytes.count else { return "" }
        return String(decoding: bytes.dropFirst(start).prefix(end - start), as: UTF8.self)
    }
}
