/// Escaping of text in fields. HL7 2.5.1 chapter 2.7 (2.3.1 and 2.4: 2.9/2.10), with our encoding characters `|^~\&`.
///
/// For any `text`: `unescaped(escaped(text)) == text`, and the escaped text holds no delimiter, no CR, and no byte that
/// MLLP frames with.
public enum HL7Text {
    private static let escapes: [Unicode.Scalar: String] = [
        "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\", "\n": "\\.br\\",
    ]

    /// LF becomes a line break (`\.br\`), other control characters their hexadecimal form (`\X0D\`).
    public static func escaped(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if let escape = escapes[scalar] {
                escaped.append(contentsOf: escape.unicodeScalars)
            } else if scalar.value < 0x20 || scalar.value == 0x7F {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                escaped.append(contentsOf: "\\X\(digits.count == 1 ? "0" : "")\(digits)\\".unicodeScalars)
            } else {
                escaped.append(scalar)
            }
        }
        return String(escaped)
    }

    /// Highlighting (`\H\`, `\N\`) is dropped; an escape that is none of HL7's stays as it is, and so does a lone escape
    /// character. `\X…\` is read as UTF-8, and as ISO 8859-1 where it is none.
    public static func unescaped(_ text: String, delimiters: HL7Delimiters = .standard) -> String {
        let escape = delimiters.escape
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let start = rest.firstIndex(of: escape) {
            result.append(contentsOf: rest[..<start])
            let afterStart = rest.index(after: start)
            guard let end = rest[afterStart...].firstIndex(of: escape) else {
                result.append(contentsOf: rest[start...])
                return String(result)
            }
            if let meaning = meaning(of: String(rest[afterStart..<end]), delimiters) {
                result.append(contentsOf: meaning.unicodeScalars)
                rest = rest[rest.index(after: end)...]
            } else {
                // Not an escape: the second character may begin one.
                result.append(contentsOf: rest[start..<end])
                rest = rest[end...]
            }
        }
        result.append(contentsOf: rest)
        return String(result)
    }

    private static func meaning(of sequence: String, _ delimiters: HL7Delimiters) -> String? {
        switch sequence {
        case "F": return String(delimiters.field)
        case "S": return String(delimiters.component)
        case "R": return String(delimiters.repetition)
        case "E": return String(delimiters.escape)
        case "T": return String(delimiters.subcomponent)
        case ".br", ".BR", ".sp": return "\n"
        case "H", "N": return ""
        default:
            guard sequence.first == "X", let bytes = hexadecimal(sequence.dropFirst()) else { return nil }
            return String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
    }

    private static func hexadecimal(_ digits: Substring) -> [UInt8]? {
        let values = digits.utf8.map { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        guard !values.isEmpty, values.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: values.count, by: 2) {
            guard let high = values[index], let low = values[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

/// MSH-1 and MSH-2.
public struct HL7Delimiters: Sendable, Equatable {
    public var field: Unicode.Scalar
    public var component: Unicode.Scalar
    public var repetition: Unicode.Scalar
    public var escape: Unicode.Scalar
    public var subcomponent: Unicode.Scalar

    public static let standard = HL7Delimiters(field: "|", component: "^", repetition: "~", escape: "\\", subcomponent: "&")
}
