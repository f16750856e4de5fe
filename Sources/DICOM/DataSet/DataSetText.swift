/// Turns raw values into UTF-8 through the data set's Specific Character Set. PS3.3 C.12.1.1.2, PS3.5 6.1.
///
/// Nothing is dropped: bytes that the character set does not know, and control characters, are shown as `\xHH`, and the
/// data set is flagged. Padding (trailing spaces and NULs) goes.
package struct DataSetText {
    package private(set) var flags: Set<DataSetFlag> = []
    /// Value of (0008,0005) with the field's misspellings repaired; empty: the default repertoire.
    package let characterSet: String
    private let decoder: TextDecoder

    /// - Parameter specificCharacterSet: raw value of (0008,0005), nil when absent.
    package init(specificCharacterSet: [UInt8]?) {
        let raw = String(decoding: specificCharacterSet ?? [], as: UTF8.self)
        let terms = raw.split(separator: "\\", omittingEmptySubsequences: false).map { Self.definedTerm($0) }
        let isKnown = terms.allSatisfy { $0.isEmpty || TextDecoder.isDefinedTerm($0) }
        characterSet = terms.joined(separator: "\\")
        // What nobody knows is shown: ASCII as it is, the rest byte by byte.
        decoder = TextDecoder(terms: isKnown ? terms : [])
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
    }

    private static let defaultRepertoire = TextDecoder(terms: [])

    /// - Returns: UTF-8 without padding; empty for an absent value.
    package mutating func string(_ raw: [UInt8]?, _ kind: Kind) -> String {
        guard var bytes = raw, !bytes.isEmpty else { return "" }
        while let last = bytes.last, last == 0 || last == 0x20 { bytes.removeLast() }
        if case .personName = kind {} else { bytes = Array(bytes.drop { $0 == 0x20 }) }
        let text = escapingControls(converted(bytes, kind))
        checkLength(text, kind)
        return text
    }

    private mutating func converted(_ bytes: [UInt8], _ kind: Kind) -> String {
        // Where no escape sequence stands, ASCII is ASCII in every character set of DICOM.
        if bytes.allSatisfy({ $0 < 0x80 && $0 != 0x1B }) { return String(decoding: bytes, as: UTF8.self) }
        let pieces =
            switch kind {
            case .code: Self.defaultRepertoire.decode(bytes, delimiters: [])
            case .text: decoder.decode(bytes, delimiters: Array("\\".utf8))
            case .personName: decoder.decode(bytes, delimiters: Array("\\^=".utf8))
            }
        var text = ""
        for piece in pieces {
            switch piece {
            case .text(let characters): text += characters
            case .illegal(let byte): text += escape(byte)
            }
        }
        return text
    }

    private mutating func escapingControls(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: Self.isControl) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            if Self.isControl(scalar) {
                for byte in String(scalar).utf8 { shown += escape(byte) }
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    private mutating func escape(_ byte: UInt8) -> String {
        flags.insert(.illegalCharacters)
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count == 1 ? "0" : "") + digits
    }

    /// The limits are in characters: PS3.5 6.2.
    private mutating func checkLength(_ text: String, _ kind: Kind) {
        let (parts, maximum): ([Substring], Int) =
            switch kind {
            case .text(let maximum): (text.split(separator: "\\"), maximum)
            case .personName: (text.split(separator: "="), 64)
            case .code: ([], 0)
            }
        if parts.contains(where: { $0.unicodeScalars.count > maximum }) { flags.insert(.valueTooLong) }
    }

    /// C0, DEL and C1: none of them belongs into a value of these kinds.
    private static func isControl(_ scalar: UnicodeScalar) -> Bool {
        scalar.properties.generalCategory == .control
    }

    /// A defined term as the standard writes it, from what writers make of it: `ISO-IR 100`, `ISO 2022-IR-87`, `utf8`.
    private static func definedTerm(_ written: Substring) -> String {
        let padding: Set<Character> = [" ", "\0"]
        let term = String(written.drop { padding.contains($0) }.reversed().drop { padding.contains($0) }.reversed())
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
