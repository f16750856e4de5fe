import DICOM
import Foundation
import ReportModel
import Testing

@Suite struct CharacterSetTests {
    private func convert(
        _ characterSet: String?, _ bytes: [UInt8], _ kind: DataSetText.Kind = .personName
    ) -> (text: String, flags: Set<DataSetFlag>) {
        var text = DataSetText(specificCharacterSet: characterSet.map { Array($0.utf8) })
        let string = text.string(bytes, kind)
        return (string, text.flags)
    }

    /// The examples of PS3.5 Annexes H, I, J and K.
    @Test(arguments: [
        // H.3.1: one-byte, ideographic and phonetic group with ISO 2022 IR 87.
        (
            "\\ISO 2022 IR 87",
            "Yamada^Tarou=\u{1B}$B;3ED\u{1B}(B^\u{1B}$BB@O:\u{1B}(B=\u{1B}$B$d$^$@\u{1B}(B^\u{1B}$B$?$m$&\u{1B}(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう"
        )
    ])
    func `the Japanese example of PS3-5 H-3-1 is converted`(_ characterSet: String, _ raw: String, _ expected: String) {
        #expect(convert(characterSet, Array(raw.utf8)) == (expected, []))
    }

    @Test func `half-width katakana of ISO_IR 13 and IR 87 are converted`() {
        // PS3.5 H.3.2.
        let raw: [UInt8] = [0xD4, 0xCF, 0xC0, 0xDE, 0x5E, 0xC0, 0xDB, 0xB3, 0x3D, 0x1B, 0x24, 0x42, 0x3B, 0x33, 0x45, 0x44, 0x1B, 0x28, 0x4A, 0x5E,
            0x1B, 0x24, 0x42, 0x42, 0x40, 0x4F, 0x3A, 0x1B, 0x28, 0x4A]
        #expect(convert("ISO 2022 IR 13\\ISO 2022 IR 87", raw) == ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", []))
    }

    @Test func `Korean with ISO 2022 IR 149 is converted`() {
        // PS3.5 I.2: the designation comes anew after each delimiter.
        let hong: [UInt8] = [0xFB, 0xF3], gildong: [UInt8] = [0xD1, 0xCE, 0xD4, 0xD7]
        let hangulHong: [UInt8] = [0xC8, 0xAB], hangulGildong: [UInt8] = [0xB1, 0xE6, 0xB5, 0xBF]
        let escape: [UInt8] = [0x1B, 0x24, 0x29, 0x43]
        let raw = Array("Hong^Gildong=".utf8) + escape + hong + [0x5E] + escape + gildong + [0x3D] + escape + hangulHong + [0x5E] + escape
            + hangulGildong
        #expect(convert("\\ISO 2022 IR 149", raw) == ("Hong^Gildong=洪^吉洞=홍^길동", []))
    }

    @Test func `Chinese in GB18030, GBK and UTF-8 is converted`() {
        // PS3.5 J: Wang^XiaoDong.
        let wang: [UInt8] = [0xCD, 0xF5], xiaoDong: [UInt8] = [0xD0, 0xA1, 0xB6, 0xAB]
        let raw = Array("Wang^XiaoDong=".utf8) + wang + [0x5E] + xiaoDong + [0x3D]
        #expect(convert("GB18030", raw) == ("Wang^XiaoDong=王^小东=", []))
        #expect(convert("GBK", raw) == ("Wang^XiaoDong=王^小东=", []))
        #expect(convert("ISO_IR 192", Array("Wang^XiaoDong=王^小东=".utf8)) == ("Wang^XiaoDong=王^小东=", []))
    }

    @Test(arguments: [
        ("ISO_IR 100", [0x42, 0xE4, 0x72] as [UInt8], "Bär"), ("ISO_IR 101", [0xA3, 0xF3, 0x64, 0xBC], "Łódź"),
        ("ISO_IR 144", [0xBB, 0xEE, 0xDA], "Люк"), ("ISO_IR 126", [0xC4, 0xE9, 0xEF], "Διο"),
        ("ISO_IR 138", [0xF9, 0xF8, 0xE5, 0xEF], "שרון"), ("ISO_IR 127", [0xE2, 0xC8, 0xC7], "\u{0642}\u{0628}\u{0627}"),
        ("ISO_IR 166", [0xA1, 0xA2], "กข"), ("ISO_IR 148", [0xD0], "Ğ"), ("ISO_IR 203", [0xA4], "€"),
    ])
    func `single-byte character sets are converted`(_ characterSet: String, _ raw: [UInt8], _ expected: String) throws {
        let result = convert(characterSet, raw)
        #expect(result.flags.isEmpty)
        #expect(result.text == expected)
    }

    @Test(arguments: [
        ("ISO-IR 100", "ISO_IR 100"), ("ISO IR 100", "ISO_IR 100"), ("iso_ir_100 ", "ISO_IR 100"), ("UTF-8", "ISO_IR 192"),
        ("utf8", "ISO_IR 192"), ("\\ISO 2022-IR-87", "\\ISO 2022 IR 87"), ("ISO_2022_IR_6\\ISO_2022_IR_87", "ISO 2022 IR 6\\ISO 2022 IR 87"),
    ])
    func `misspelled character sets are known`(_ written: String, _ meant: String) {
        let text = DataSetText(specificCharacterSet: Array(written.utf8))
        #expect(text.characterSet == meant)
        #expect(text.flags.isEmpty)
    }

    @Test func `bytes without a character set are shown escaped and flagged`() {
        #expect(convert(nil, [0x42, 0xE4, 0x72]) == ("B\\xE4r", [.illegalCharacters]))
        #expect(convert("", [0x42, 0xE4, 0x72]) == ("B\\xE4r", [.illegalCharacters]))
    }

    @Test func `an unknown character set is flagged and its bytes are shown`() {
        #expect(convert("ISO_IR 999", [0x42, 0xE4]) == ("B\\xE4", [.unknownCharacterSet, .illegalCharacters]))
        #expect(convert("ISO_IR 999", [0x42]) == ("B", [.unknownCharacterSet]))
    }

    @Test func `illegal bytes do not take the legal ones with them`() {
        // Latin-1 in what calls itself UTF-8; a cut character; an overlong form.
        #expect(convert("ISO_IR 192", Array("Łódź^B".utf8) + [0xE4, 0x72]) == ("Łódź^B\\xE4r", [.illegalCharacters]))
        #expect(convert("ISO_IR 192", [0x41, 0xC5]) == ("A\\xC5", [.illegalCharacters]))
        #expect(convert("ISO_IR 192", [0xC0, 0xAF]) == ("\\xC0\\xAF", [.illegalCharacters]))
        // A byte that ISO 8859-7 leaves open.
        #expect(convert("ISO_IR 126", [0xC4, 0xFF, 0x41]) == ("Δ\\xFFA", [.illegalCharacters]))
        // One broken component of a code extension.
        let broken = Array("Yamada^Tarou=".utf8) + [0x1B, 0x24, 0x42, 0x3B, 0x33, 0x45, 0x44, 0x1B, 0x28, 0x42, 0x5E, 0xFF, 0xFE]
        #expect(convert("\\ISO 2022 IR 87", broken) == ("Yamada^Tarou=山田^\\xFF\\xFE", [.illegalCharacters]))
    }

    @Test func `an escape sequence that was not announced is shown`() {
        #expect(convert("ISO_IR 100", [0x41, 0x1B, 0x24, 0x42]).text == "A\\x1B$B")
        #expect(convert(nil, [0x41, 0x1B, 0x24, 0x42]) == ("A\\x1B$B", [.illegalCharacters]))
    }

    @Test func `control characters are shown and padding goes`() {
        #expect(convert(nil, Array("PID\r\n\0OBX".utf8), .text(maximumCharacters: 64)) == ("PID\\x0D\\x0A\\x00OBX", [.illegalCharacters]))
        #expect(convert(nil, Array("  A B \0 ".utf8), .text(maximumCharacters: 64)) == ("A B", []))
        #expect(convert(nil, Array(" Doe^J ^ ".utf8)) == (" Doe^J ^", []))
        // C1, by way of UTF-8.
        #expect(convert("ISO_IR 192", [0x41, 0xC2, 0x85, 0x42]) == ("A\\xC2\\x85B", [.illegalCharacters]))
    }

    @Test func `a text longer than its VR allows is kept and flagged`() {
        let long = String(repeating: "ä", count: 65)
        #expect(convert("ISO_IR 192", Array(long.utf8), .text(maximumCharacters: 64)) == (long, [.valueTooLong]))
        let fits = String(repeating: "ä", count: 64)
        #expect(convert("ISO_IR 192", Array(fits.utf8), .text(maximumCharacters: 64)) == (fits, []))
    }

    // MARK: - Against pydicom

    /// A Python with pydicom; the comparison is left out, and says so, without one.
    private static let python: String? = {
        let candidates = [ProcessInfo.processInfo.environment["RADIALOG_PYTHON"], "/opt/tv/bin/python", "/usr/bin/python3"]
        let found = candidates.compactMap { $0 }.first { path in
            FileManager.default.isExecutableFile(atPath: path) && (try? run(path, ["-c", "import pydicom"]))?.status == 0
        }
        if found == nil { print("no Python with pydicom: set RADIALOG_PYTHON to compare character sets") }
        return found
    }()

    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    private struct Expected: Codable {
        var patient_name: String
        var institution_name: String
        var study_description: String
    }

    @Test(.enabled(if: ReceivingCorpus.isPresent && python != nil))
    func `the corpus' texts are what pydicom makes of them`() throws {
        let folder = ReceivingCorpus.root + "/B_dicom/charsets/pydicom__pydicom"
        let python = try #require(Self.python)
        let script = """
            import sys, json, glob, os, pydicom
            out = {}
            for path in glob.glob(sys.argv[1] + "/*.dcm"):
                d = pydicom.dcmread(path, stop_before_pixels=True)
                out[path] = dict(patient_name=str(d.get("PatientName", "")), institution_name=str(d.get("InstitutionName", "")),
                                 study_description=str(d.get("StudyDescription", "")))
            print(json.dumps(out))
            """
        let result = try Self.run(python, ["-c", script, folder])
        let expected = try JSONDecoder().decode([String: Expected].self, from: result.output)
        #expect(expected.count >= 6)
        for (path, texts) in expected {
            let described = try DICOMFile.describe(path: path)
            // pydicom leaves out an empty last group; we keep the name as it came.
            var name = described.study.patient.patientName
            while name.last == "=" { name.removeLast() }
            #expect(name == texts.patient_name, "\(path)")
            #expect(described.study.institutionName == texts.institution_name, "\(path)")
            #expect(described.study.studyDescription == texts.study_description, "\(path)")
            #expect(!described.flags.contains(.illegalCharacters), "\(path)")
        }
    }
}
