import HL7Out
import Testing

struct TextTests {
    @Test(arguments: [
        ("a|b^c~d\\e&f", "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f"), ("one\ntwo", "one\\.br\\two"), ("a\r\nb", "a\\X0D\\\\.br\\b"),
        ("\u{0B}\u{1C}\u{7F}\t", "\\X0B\\\\X1C\\\\X7F\\\\X09\\"), ("\\F\\", "\\E\\F\\E\\"), ("Ä é 山 😀", "Ä é 山 😀"), ("", ""),
    ])
    func `text is escaped as the standard says`(text: String, escaped: String) {
        #expect(HL7Text.escaped(text) == escaped)
        #expect(HL7Text.unescaped(escaped) == text)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `any text comes back, and never ends a field, a segment or a frame`(seed: UInt64) throws {
        var generator = SplitMix64(state: seed)
        for _ in 0..<500 {
            let text = generator.text()
            let escaped = HL7Text.escaped(text)
            #expect(Array(HL7Text.unescaped(escaped).unicodeScalars) == Array(text.unicodeScalars), "seed \(seed): \(Array(text.unicodeScalars))")
            #expect(!escaped.utf8.contains { $0 < 0x20 || "|^~&".utf8.contains($0) }, "seed \(seed)")
        }
    }

    @Test(arguments: [
        ("\\", "\\"), ("a\\b", "a\\b"), ("\\Z\\", "\\Z\\"), ("C:\\dir\\file", "C:\\dir\\file"), ("\\X\\", "\\X\\"), ("\\X0\\", "\\X0\\"), ("\\XZZ\\", "\\XZZ\\"),
        ("\\\\", "\\\\"), ("\\Z\\F\\", "\\Z|"), ("\\H\\bold\\N\\", "bold"), ("\\Xc3A4\\", "ä"), ("\\XE4\\", "ä"), ("\\X41420A\\", "AB\n"), ("x\\F", "x\\F"),
    ])
    func `what is no escape stays as it is, and what others escape is read`(escaped: String, text: String) {
        #expect(HL7Text.unescaped(escaped) == text)
    }

    @Test(arguments: [
        ("Muster^Erika^Maria^Dr.^MSc", "Muster^Erika^Maria^MSc^Dr."), ("Muster^Erika", "Muster^Erika"), ("Muster", "Muster"), ("", ""), ("^^^^", ""),
        ("^Erika", "^Erika"), ("Muster^^^Dr.", "Muster^^^^Dr."), ("O'Neil & Co|x^~a", "O'Neil \\T\\ Co\\F\\x^\\R\\a"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou^^^^^^A~山田^太郎^^^^^^I~やまだ^たろう^^^^^^P"), ("=山田^太郎", "山田^太郎^^^^^^I"),
        ("Yamada^Tarou==やまだ", "Yamada^Tarou^^^^^^A~やまだ^^^^^^^P"), ("Yamada^Tarou==", "Yamada^Tarou"), ("A^B^C^D^E^F", "A^B^C^E\\S\\F^D"),
        ("A^\u{301}B", "A^\u{301}B"),
    ])
    func `a DICOM name becomes an XPN with suffix and prefix in HL7's order`(name: String, xpn: String) {
        #expect(Array(PersonName(dicom: name).xpn.unicodeScalars) == Array(xpn.unicodeScalars))
    }

    @Test func `a signer's name becomes an XCN and a CNN`() {
        let name = PersonName(dicom: "Reader^Anna^B.^Dr.^PhD")
        #expect(name.xcn(id: "a&b") == "a\\T\\b^Reader^Anna^B.^PhD^Dr.")
        #expect(name.cnn(id: "anna") == "anna&Reader&Anna&B.&PhD&Dr.")
        #expect(PersonName(dicom: "").xcn(id: "") == "")
        #expect(PersonName(dicom: "Dr. No").xcn(id: "") == "^Dr. No")
    }

    @Test(arguments: [
        ("20260320", "101502.25", "+0100", "20260320101502+0100"), ("20260320", "1015", "", "202603201015"), ("20260320", "10", "-0330", "202603201000-0330"),
        ("20260320", "", "+0100", "20260320"), ("2026-03-20", "1015", "", ""), ("", "1015", "", ""), ("20260320", "10:15", "", "20260320"),
        ("20260320", "101", "", "20260320"), ("20260320", "2515", "", "20260320"), ("20260320", "1015", "0100", "202603201015"),
        ("20260320", "1015", "+1x00", "202603201015"),
    ])
    func `times are as precise as what was received`(date: String, time: String, offset: String, expected: String) {
        #expect(HL7Time.text(date: date, time: time, offset: offset) == expected)
    }

    @Test func `scores are decimal numbers without exponent`() {
        #expect([0, 1, 0.5, 0.00004, 0.00005, 0.99999, -0.25, -0.00001].map(ORUMessage.decimal) == ["0.0000", "1.0000", "0.5000", "0.0000", "0.0001", "1.0000", "-0.2500", "0.0000"])
        #expect(ORUMessage.decimal(.nan) == "" && ORUMessage.decimal(.infinity) == "")
    }
}
