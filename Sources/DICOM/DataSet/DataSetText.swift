internal import CDCMTK
import Foundation

/// Turns raw values into UTF-8 through the data set's Specific Character Set. PS3.3 C.12.1.1.2, PS3.5 6.1.
///
/// Nothing is dropped: bytes that the character set does not know, and control characters, are shown as `\xHH`, and the
/// data set is flagged. Padding (trailing spaces and NULs) goes.
package struct DataSetText {
    package private(set) var flags: Set<DataSetFlag> = []
    /// Value of (0008,0005) with the field's misspellings repaired; empty: the default repertoire.
    package let characterSet: String
    /// Every component is a defined term.
    private let isKnown: Bool

    /// - Parameter specificCharacterSet: raw value of (0008,0005), nil when absent.
    package init(specificCharacterSet: [UInt8]?) {
        let raw = String(decoding: specificCharacterSet ?? [], as: UTF8.self)
        let terms = raw.split(separator: "\\", omittingEmptySubsequences: false).map { Self.definedTerm($0) }
        isKnown = terms.allSatisfy { $0.isEmpty || Self.definedTerms.contains($0) }
        characterSet = terms.joined(separator: "\\")
        if !isKnown { flags.insert(.unknownCharacterSet) }
    }

    /// How a VR treats its value. PS3.5 Table 6.2-1.
    package enum Kind {
        /// SH, LO, UC: through the character set; a backslash separates values.
        case text(maximumCharacters: Int)
        /// PN: as text; `^` and `=` separate components and groups as well. Kept with all its delimiters.
        case personName
        /// CS, DA, TM, IS, DS, UI, AS: the default repertoire.
        case code

        var delimiters: String {
            switch self {
            case .text, .code: "\\"
            case .personName: "\\^="
            }
        }
    }

    /// - Returns: UTF-8 without padding; empty for an absent value.
    package mutating func string(_ raw: [UInt8]?, _ kind: Kind) -> String {
        guard var bytes = raw, !bytes.isEmpty else { return "" }
        while let last = bytes.last, last == 0 || last == 0x20 { bytes.removeLast() }
        if case .personName = kind {} else { bytes = Array(bytes.drop { $0 == 0x20 }) }
        let text = escapingControls(converted(bytes, kind))
        checkLength(text, kind)
        return text
    }

    // MARK: - Conversion

    private mutating func converted(_ bytes: [UInt8], _ kind: Kind) -> String {
        // Where no escape sequence stands, ASCII is ASCII in every character set of DICOM but ISO_IR 13 (yen and overline
        // in place of backslash and tilde, which everybody reads as ASCII all the same).
        if bytes.allSatisfy({ $0 < 0x80 && $0 != 0x1B }) { return String(decoding: bytes, as: UTF8.self) }
        if case .code = kind { return escaped(bytes) }
        guard isKnown else { return escaped(bytes) }
        switch characterSet {
        case "", "ISO_IR 6": return escaped(bytes)
        case "ISO_IR 192": return utf8(bytes)
        default: break
        }
        if let text = throughDCMTK(bytes, kind.delimiters) { return text }
        // Character by character where a byte is a character; the rest of a value stays readable.
        if Self.singleByte.contains(characterSet) {
            return bytes.map { $0 < 0x80 ? escaped([$0]) : throughDCMTK([$0], "") ?? escaped([$0]) }.joined()
        }
        // Component by component: one that is broken does not take the others with it. Only where no byte of a longer
        // character can be a delimiter.
        if characterSet.contains("ISO 2022"), bytes.contains(where: { kind.delimiters.utf8.contains($0) }) {
            return components(of: bytes, at: Array(kind.delimiters.utf8)).map { component in
                if component.allSatisfy({ $0 < 0x80 && $0 != 0x1B }) { return String(decoding: component, as: UTF8.self) }
                return throughDCMTK(component, kind.delimiters) ?? escaped(component)
            }.joined()
        }
        return escaped(bytes)
    }

    private func throughDCMTK(_ bytes: [UInt8], _ delimiters: String) -> String? {
        var result = cdcmtk_bytes(bytes: nil, count: 0)
        var error = cdcmtk_error()
        guard cdcmtk_text_to_utf8(characterSet, delimiters, bytes, bytes.count, &result, &error) == CDCMTK_OK else {
            return nil
        }
        defer { cdcmtk_bytes_free(result) }
        return String(validating: UnsafeBufferPointer(start: result.bytes, count: result.count), as: UTF8.self)
    }

    /// UTF-8 with its invalid bytes escaped.
    private mutating func utf8(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            if let character = String(validating: rest.prefix(length), as: UTF8.self) {
                text += character
                rest = rest.dropFirst(length)
            } else {
                text += escaped([first])
                rest = rest.dropFirst()
            }
        }
        return text
    }

    /// ASCII as it is, all else as `\xHH`.
    private mutating func escaped(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            if byte < 0x80, byte != 0x1B { return String(UnicodeScalar(byte)) }
            return escape(byte)
        }.joined()
    }

    private mutating func escapingControls(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: Self.isControl) else { return text }
        return text.unicodeScalars.map { scalar in
            Self.isControl(scalar) ? String(scalar).utf8.map { escape($0) }.joined() : String(scalar)
        }.joined()
    }

    private mutating func escape(_ byte: UInt8) -> String {
        flags.insert(.illegalCharacters)
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count == 1 ? "0" : "") + digits
    }

    private mutating func checkLength(_ text: String, _ kind: Kind) {
        switch kind {
        case .text(let maximum):
            // The limit is each value's, in characters: PS3.5 6.2.
            if text.split(separator: "\\").contains(where: { $0.unicodeScalars.count > maximum }) {
                flags.insert(.valueTooLong)
            }
        case .personName:
            if text.split(separator: "=").contains(where: { $0.unicodeScalars.count > 64 }) { flags.insert(.valueTooLong) }
        case .code:
            break
        }
    }

    /// C0, DEL and C1: none of them belongs into a value of these kinds.
    private static func isControl(_ scalar: UnicodeScalar) -> Bool {
        scalar.properties.generalCategory == .control
    }

    private func components(of bytes: [UInt8], at delimiters: [UInt8]) -> [[UInt8]] {
        var components: [[UInt8]] = [[]]
        for byte in bytes {
            if delimiters.contains(byte) {
                components.append([byte])
                components.append([])
            } else {
                components[components.count - 1].append(byte)
            }
        }
        return components
    }

    // MARK: - Defined terms

    /// PS3.3 Tables C.12-2 to C.12-5.
    private static let singleByteNumbers = [13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203]
    private static let singleByte = Set(singleByteNumbers.map { "ISO_IR \($0)" })
    private static let definedTerms: Set<String> =
        singleByte.union(singleByteNumbers.map { "ISO 2022 IR \($0)" })
        .union(["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58"])
        .union(["ISO_IR 6", "ISO_IR 192", "GB18030", "GBK"])

    /// A defined term as the standard writes it, from what writers make of it: `ISO-IR 100`, `ISO 2022-IR-87`, `utf8`.
    private static func definedTerm(_ written: Substring) -> String {
        let padding: Set<Character> = [" ", "\0"]
        let term = String(written.reversed().drop { padding.contains($0) }.reversed().drop { padding.contains($0) })
            .uppercased()
        let words = term.split { " _-".contains($0) }
        switch words {
        case ["ISO", "IR", words.last]: return "ISO_IR \(words[2])"
        case ["ISO", "2022", "IR", words.last]: return "ISO 2022 IR \(words[3])"
        case ["UTF", "8"], ["UTF8"]: return "ISO_IR 192"
        default: return term
        }
    }
}
