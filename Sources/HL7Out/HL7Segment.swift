package import ReportModel

/// One segment that is being written: fields by their number in the standard, in their escaped form.
package struct HL7Segment: Sendable, Equatable {
    package let name: String
    private var fields: [Int: String] = [:]

    package init(_ name: String) { self.name = name }

    /// A field of one component.
    package mutating func set(_ number: Int, _ text: String) { fields[number] = HL7Text.escaped(text) }

    /// A field of several components.
    package mutating func set(_ number: Int, components: [String]) { fields[number] = Self.join(components.map(HL7Text.escaped), "^") }

    /// A field whose delimiters are in place.
    package mutating func set(_ number: Int, encoded: String) { fields[number] = encoded }

    /// Without trailing empty fields; each field with its name for messages, such as "PID-5".
    package func parts() -> [(name: String, text: String)] {
        let last = fields.filter { !$0.value.isEmpty }.keys.max() ?? 0
        // MSH-1 is the separator that stands behind the segment's name.
        let first = name == "MSH" ? 2 : 1
        var parts = [(name: name, text: name)]
        if last >= first {
            for number in first...last { parts.append(("\(name)-\(number)", fields[number] ?? "")) }
        }
        return parts
    }

    /// Joins what is encoded already, without trailing empty parts.
    package static func join(_ parts: [String], _ separator: String) -> String {
        var parts = parts
        while parts.last?.isEmpty == true { parts.removeLast() }
        return parts.joined(separator: separator)
    }
}

extension [HL7Segment] {
    /// The message's bytes, each segment ended by CR.
    ///
    /// - Throws: `.notInCharset` with the field and the character, when the character set cannot carry one.
    package func encoded(charset: ORUProfile.Charset) throws(HL7Error) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in self {
            for (index, part) in segment.parts().enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: "|")) }
                try charset.append(part.text, of: part.name, to: &bytes)
            }
            bytes.append(0x0D)
        }
        return bytes
    }
}

extension ORUProfile.Charset {
    func append(_ text: String, of field: String, to bytes: inout [UInt8]) throws(HL7Error) {
        guard self != .utf8 else {
            bytes.append(contentsOf: text.utf8)
            return
        }
        let limit: UInt32 = self == .ascii ? 0x7F : 0xFF
        for scalar in text.unicodeScalars {
            guard scalar.value <= limit else {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                throw .notInCharset(
                    field: field, character: "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits, charset: rawValue)
            }
            bytes.append(UInt8(scalar.value))
        }
    }
}
