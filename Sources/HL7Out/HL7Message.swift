/// A received message, taken apart: acknowledgements now, orders later. What comes from the network is checked before
/// it is kept, and no text of it is ever taken for more than text.
public struct HL7Message: Sendable {
    /// What a message may be at most.
    public struct Limits: Sendable {
        public var bytes: Int
        public var segments: Int
        public var fieldsPerSegment: Int

        /// No acknowledgement needs more.
        public static let acknowledgement = Limits(bytes: 64 << 10, segments: 256, fieldsPerSegment: 256)

        public init(bytes: Int, segments: Int, fieldsPerSegment: Int) {
            self.bytes = bytes
            self.segments = segments
            self.fieldsPerSegment = fieldsPerSegment
        }
    }

    /// One segment; `fields[0]` is its name, `fields[n]` its field n, still escaped. In MSH, field 1 is the separator.
    public struct Segment: Sendable {
        public let fields: [String]
        public var name: String { fields[0] }
    }

    public let delimiters: HL7Delimiters
    public let segments: [Segment]

    /// - Parameter bytes: without MLLP framing. Segments end with CR; LF and CR LF are taken too. UTF-8, or else
    ///   ISO 8859-1.
    /// - Throws: `.notAMessage`.
    public init(_ bytes: [UInt8], limits: Limits = .acknowledgement) throws(HL7Error) {
        guard bytes.count <= limits.bytes else { throw .notAMessage("it has \(bytes.count) bytes; \(limits.bytes) are the most that is taken") }
        let text = String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        let scalars = text.unicodeScalars
        guard scalars.starts(with: "MSH".unicodeScalars) else { throw .notAMessage("it does not begin with MSH") }
        let delimiters = try Self.delimiters(Array(scalars.dropFirst(3).prefix(6)))

        var segments: [Segment] = []
        for line in scalars.split(whereSeparator: { $0 == "\r" || $0 == "\n" }) {
            guard segments.count < limits.segments else { throw .notAMessage("it has more than \(limits.segments) segments") }
            let separators = line.count { $0 == delimiters.field }
            guard separators < limits.fieldsPerSegment else { throw .notAMessage("a segment has more than \(limits.fieldsPerSegment) fields") }
            var fields = line.split(separator: delimiters.field, omittingEmptySubsequences: false).map(String.init)
            guard fields[0].utf8.count == 3, fields[0].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }) else {
                throw .notAMessage("segment \(segments.count + 1) has no name of three capital letters or digits")
            }
            if fields[0] == "MSH" { fields.insert(String(delimiters.field), at: 1) }
            segments.append(Segment(fields: fields))
        }
        self.delimiters = delimiters
        self.segments = segments
    }

    /// The first segment of this name.
    public func segment(_ name: String) -> Segment? { segments.first { $0.name == name } }

    /// Text of a component of the first repetition, unescaped; empty where it is missing.
    public func text(_ segment: String, _ field: Int, component: Int = 1) -> String {
        guard let fields = self.segment(segment)?.fields, fields.indices.contains(field) else { return "" }
        return text(of: fields[field], component: component)
    }

    /// As `text`, of any field.
    public func text(of field: String, component: Int) -> String {
        let repetition = field.unicodeScalars.split(separator: delimiters.repetition, maxSplits: 1, omittingEmptySubsequences: false)[0]
        let components = repetition.split(separator: delimiters.component, omittingEmptySubsequences: false)
        guard components.indices.contains(component - 1) else { return "" }
        return HL7Text.unescaped(String(components[component - 1]), delimiters: delimiters)
    }

    /// MSH-1 and MSH-2: different printable ASCII characters that are no letters, digits or spaces. A fifth one
    /// (truncation, 2.7) may follow.
    private static func delimiters(_ scalars: [Unicode.Scalar]) throws(HL7Error) -> HL7Delimiters {
        guard scalars.count >= 5 else { throw .notAMessage("MSH has no encoding characters") }
        let five = scalars.prefix(5)
        let arePunctuation = five.allSatisfy { (0x21...0x7E).contains($0.value) && !$0.properties.isAlphabetic && !("0"..."9").contains($0) }
        guard arePunctuation, Set(five).count == 5 else { throw .notAMessage("its encoding characters are not five different marks") }
        return HL7Delimiters(field: scalars[0], component: scalars[1], repetition: scalars[2], escape: scalars[3], subcomponent: scalars[4])
    }
}
