import Foundation
import HL7Out
import ReportModel
import Testing

struct ORUMessageTests {
    @Test func `a draft, byte for byte`() throws {
        let origin = "|||20260320094640+0000|||radialog-clinical 1.2.0^radialogd 0.1.0, bundle SHA-256 \(Sample.bundleSHA256)^99RADIALOG|\(Sample.bundleSHA256)^RADIALOGD"
        let profile = Sample.profile {
            $0.sendingFacility = "RAD^1.2.3^ISO"
            $0.receivingApplication = "RIS"
        }
        #expect(
            try Sample.lines(Sample.report(), profile) == [
                "MSH|^~\\&|RADIALOGD|RAD^1.2.3^ISO|RIS||20260320094640+0000||ORU^R01^ORU_R01|R001122334455667781|P|2.5.1||||||UNICODE UTF-8",
                "PID|1||PAT-0815^^^HOSPITAL||Muster^Erika^Maria^MSc^Dr.||19640812|F",
                "ORC|RE|PL-1|FI-1||IP|||||||^Zuweiser^Ernst^^^Dr.",
                "OBR|1|PL-1|FI-1|36643-5^XR Chest 2 Views^LN|||20260320101502+0100|||||||||^Zuweiser^Ernst^^^Dr.||ACC-4711|RP-1|||20260320094640+0000||RAD|R",
                "OBX|1|ST|113014^DICOM Study^DCM|1|1.2.826.0.1.3680043.8.498.1||||||R",
                "OBX|2|TX|59776-5^Procedure Findings^LN|1|UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS||||||R" + origin,
                "OBX|3|TX|59776-5^Procedure Findings^LN|2|The heart is normal in size.||||||R" + origin,
                "OBX|4|TX|59776-5^Procedure Findings^LN|3|No pleural effusion or pneumothorax.||||||R" + origin,
                "OBX|5|NM|SCORE-CARDIOMEGALY^Model score, not a finding: Cardiomegaly (model's threshold 0.5000)^99RADIALOG|1|0.8765|1^no units^UCUM|||||R" + origin,
                "OBX|6|NM|SCORE-PLEURAL-EFFUSION^Model score, not a finding: Pleural Effusion (model's threshold 0.3500)^99RADIALOG|1|0.0000|1^no units^UCUM|||||R" + origin,
            ])
    }

    @Test func `a signed report names who signed it, and carries no scores`() throws {
        let lines = try Sample.lines(Sample.report(.final))
        #expect(lines[2].hasPrefix("ORC|RE|PL-1|FI-1||CM|"))
        #expect(lines[3].hasSuffix("||RAD|F|||||||anna&Reader&Anna&B.&PhD&Dr."))
        #expect(lines.count == 7)
        #expect(lines[5].hasPrefix("OBX|2|TX|59776-5^Procedure Findings^LN|1|The heart is normal in size.||||||F|||20260320094640+0000||anna^Reader^Anna^B.^PhD^Dr.|radialog-clinical 1.2.0^"))
        #expect(!lines.contains { $0.contains(MachineText.unreviewedMark) || $0.contains("SCORE-") })
        #expect(try Sample.lines(Sample.report(.corrected))[3].contains("||RAD|C|||||||anna&Reader"))
    }

    @Test func `a draft's flags are counted in a note behind its text, and quoted nowhere`() throws {
        for kind in [BundleKind.clinical, .demo] {
            let lines = try Sample.lines(Sample.report(kind: kind) { $0.flags = Sample.flags })
            #expect(lines.count == 11)
            let mark = kind == .demo ? "[\(MachineText.demonstrationMark)] " : ""
            #expect(lines[8] == "NTE|1|L|\(mark)Automated consistency check of this draft, flags: 3 (2 omissions, 1 comparison without an earlier image)")
            #expect(lines[7].hasPrefix("OBX|4|TX|") && lines[9].hasPrefix("OBX|5|NM|") && lines[10].hasPrefix("OBX|6|NM|"))
        }
    }

    @Test func `no note says that there are no flags, and none stands in a signed report`() throws {
        for flags in [nil, [DraftFlag]()] {
            let message = try Sample.lines(Sample.report { $0.flags = flags })
            #expect(message == (try Sample.lines(Sample.report())))
        }
        for status in [ReportStatus.final, .corrected] {
            let message = try Sample.lines(Sample.report(status) { $0.flags = Sample.flags })
            #expect(message == (try Sample.lines(Sample.report(status))))
        }
    }

    @Test func `nobody answers for a draft: no signer in any field`() throws {
        for line in try Sample.lines(Sample.report()) { #expect(!line.contains("Reader")) }
    }

    @Test func `the same report makes the same bytes, and placer and filler stay over its versions`() throws {
        #expect(try ORUMessage.encode(Sample.report(), profile: ORUProfile()) == ORUMessage.encode(Sample.report(), profile: ORUProfile()))
        let without = { (status: ReportStatus, accession: String) in
            Sample.report(status) {
                $0.study.fillerOrderNumber = ""
                $0.study.accessionNumber = accession
            }
        }
        for accession in ["ACC-1", ""] {
            let numbers = try [ReportStatus.preliminary, .final, .corrected].map { status in
                let lines = try Sample.lines(without(status, accession))
                let orc = lines[2].split(separator: "|", omittingEmptySubsequences: false)
                let obr = lines[3].split(separator: "|", omittingEmptySubsequences: false)
                #expect(orc[2] == obr[2] && orc[3] == obr[3])
                return orc[3]
            }
            #expect(Set(numbers).count == 1 && !numbers[0].isEmpty)
            #expect(numbers[0].hasPrefix(accession))
        }
    }

    @Test func `the status of a draft is what the destination asks for, but never P toward an archive`() throws {
        let preliminary = Sample.profile { $0.draftStatus = .preliminary }
        let lines = try Sample.lines(Sample.report(), preliminary)
        #expect(lines[3].hasSuffix("||RAD|P"))
        #expect(lines[4...].allSatisfy { $0.split(separator: "|", omittingEmptySubsequences: false)[11] == "P" })
        let archive = Sample.profile {
            $0.draftStatus = .preliminary
            $0.isArchive = true
        }
        #expect(throws: HL7Error.self) { try ORUMessage.encode(Sample.report(), profile: archive) }
        #expect(try Sample.lines(Sample.report(.final), archive)[3].contains("|RAD|F|"))
        #expect(try Sample.lines(Sample.report(), Sample.profile { $0.isArchive = true })[3].hasSuffix("|R"))
    }

    @Test(arguments: [
        ("2.3.1", "ORU^R01", 17), ("2.4", "ORU^R01^ORU_R01", 18), ("2.5.1", "ORU^R01^ORU_R01", 18),
    ])
    func `each version has its message type and no field that came later`(version: String, type: String, lastField: Int) throws {
        var profile = ORUProfile()
        profile.version = try #require(ORUProfile.Version(rawValue: version))
        let lines = try Sample.lines(Sample.report(), profile)
        let msh = lines[0].split(separator: "|", omittingEmptySubsequences: false)
        #expect(msh[8] == type && msh[11] == version)
        #expect(lines[5].split(separator: "|", omittingEmptySubsequences: false).count == lastField + 1)
    }

    @Test(arguments: [(ORUProfile.Acknowledgement.original, "|||"), (.enhanced, "|AL|AL|"), (.commit, "|AL|NE|")])
    func `MSH-15 and MSH-16 ask for the acknowledgement that the destination gives`(mode: ORUProfile.Acknowledgement, expected: String) throws {
        #expect(try Sample.lines(Sample.report(), Sample.profile { $0.acknowledgement = mode })[0].hasSuffix("|2.5.1||\(expected)|UNICODE UTF-8"))
    }

    @Test func `text as FT is one segment with line breaks`() throws {
        let lines = try Sample.lines(Sample.report(text: "a | b\n\nc"), Sample.profile { $0.textType = .ft })
        #expect(lines.count == 8)
        #expect(lines[5].hasPrefix("OBX|2|FT|59776-5^Procedure Findings^LN|1|UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS\\.br\\a \\F\\ b\\.br\\\\.br\\c||||||R|"))
    }

    @Test func `lines are parted at every kind of line end, and blank ones inside are kept`() {
        #expect(ORUMessage.textLines(Sample.report(.final, text: "\n\na\r\nb\rc\u{2028}d\n\ne\n\n")) == ["a", "b", "c", "d", "", "e"])
    }

    @Test func `a demonstration bundle is named in every line of text`() throws {
        for status in [ReportStatus.preliminary, .final, .corrected] {
            for line in ORUMessage.textLines(Sample.report(status, kind: .demo)) { #expect(line.contains(MachineText.demonstrationMark)) }
            for line in try Sample.lines(Sample.report(status, kind: .demo)) where line.contains("59776-5") || line.contains("SCORE-") {
                #expect(line.contains(MachineText.demonstrationMark))
            }
        }
    }

    @Test func `a person's text from a demonstration bundle gets a line that says so`() throws {
        let edited = Sample.report(.final, kind: .demo) { $0.text = "Normal chest.\nNo change." }
        #expect(ORUMessage.textLines(edited) == ["[DEMONSTRATION MODEL - NOT FOR CLINICAL USE] This report was drafted by a demonstration model.", "Normal chest.", "No change."])
        #expect(ORUMessage.textLines(Sample.report(.final, kind: .clinical)).count == 2)
    }

    @Test(arguments: [(1, "36554-4^XR Chest Single view^LN"), (2, "36643-5^XR Chest 2 Views^LN"), (3, "30745-4^XR Chest Views^LN")])
    func `the procedure is LOINC by the number of images, behind the site's own code`(images: Int, loinc: String) throws {
        let obr4 = { (report: OutgoingReport) in try Sample.lines(report)[3].split(separator: "|", omittingEmptySubsequences: false)[4] }
        #expect(try obr4(Sample.report(images: images)) == loinc)
        let local = Sample.report(images: images) { $0.study.procedureCode = Code(value: "THX2", scheme: "99LOCAL", meaning: "Thorax & Lunge") }
        #expect(try obr4(local) == "THX2^Thorax \\T\\ Lunge^99LOCAL^" + loinc)
        let coded = Sample.report(images: images) { $0.study.procedureCode = Code(value: "24648-8", scheme: "LN", meaning: "XR Chest PA") }
        #expect(try obr4(coded) == "24648-8^XR Chest PA^LN")
    }

    @Test(arguments: [("HOSPITAL", "A^^^HOSPITAL"), ("1.2.840.1", "A^^^&1.2.840.1&ISO"), ("", "A"), ("1.2", "A^^^1.2"), ("X&Y^Z", "A^^^X\\T\\Y\\S\\Z")])
    func `the issuer of the Patient ID is the assigning authority`(issuer: String, cx: String) throws {
        let report = Sample.report {
            $0.study.patient.patientID = "A"
            $0.study.patient.issuerOfPatientID = issuer
        }
        #expect(try Sample.lines(report)[1].split(separator: "|", omittingEmptySubsequences: false)[3] == cx)
    }

    @Test(arguments: [("M", "M"), ("F", "F"), ("O", "O"), ("", ""), ("X", ""), ("m", "")])
    func `sex and birth date are handed on where they are valid, and empty otherwise`(sex: String, expected: String) throws {
        let report = Sample.report {
            $0.study.patient.patientSex = sex
            $0.study.patient.patientBirthDate = "1964"
        }
        let pid = HL7Fields(try Sample.lines(report)[1])
        #expect(pid[8] == expected && pid[7] == "")
    }

    @Test func `what the character set cannot carry is refused with field and character, not replaced`() throws {
        let greek = Sample.report(text: "normal α")
        let name = Sample.report { $0.study.patient.patientName = "Müller^Jörg" }
        for charset in [ORUProfile.Charset.ascii, .latin1] {
            #expect(throws: HL7Error.notInCharset(field: "OBX-5", character: "U+03B1", charset: charset.rawValue)) {
                try ORUMessage.encode(greek, profile: Sample.profile { $0.charset = charset })
            }
        }
        #expect(throws: HL7Error.notInCharset(field: "PID-5", character: "U+00FC", charset: "ASCII")) {
            try ORUMessage.encode(name, profile: Sample.profile { $0.charset = .ascii })
        }
        let latin = try ORUMessage.encode(name, profile: Sample.profile { $0.charset = .latin1 })
        #expect(latin.contains(0xFC) && String(validating: latin, as: UTF8.self) == nil)
        #expect(String(decoding: try ORUMessage.encode(name, profile: ORUProfile()), as: UTF8.self).contains("|Müller^Jörg|"))
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `no text of any field adds a segment or moves a field`(seed: UInt64) throws {
        var generator = SplitMix64(state: seed)
        for _ in 0..<20 {
            let report = Sample.report(.final) {
                $0.text = "x" + generator.text().filter { !$0.isNewline } + "y"
                $0.study.patient.patientID = "1" + generator.text()
                $0.study.patient.issuerOfPatientID = generator.text()
                $0.study.patient.patientName = generator.text()
                $0.study.accessionNumber = generator.text()
                $0.study.placerOrderNumber = generator.text()
                $0.study.fillerOrderNumber = "1" + generator.text()
                $0.study.requestedProcedureID = generator.text()
                $0.study.referringPhysicianName = generator.text()
                $0.study.procedureCode = Code(value: "1" + generator.text(), scheme: generator.text(), meaning: generator.text())
            }
            let message = try HL7Message(try ORUMessage.encode(report, profile: ORUProfile()))
            #expect(message.segments.map(\.name) == ["MSH", "PID", "ORC", "OBR", "OBX", "OBX"], "seed \(seed)")
            #expect(message.text("OBR", 25) == "F" && message.text("OBR", 24) == "RAD", "seed \(seed)")
            #expect(message.text("OBR", 18) == report.study.accessionNumber, "seed \(seed)")
            #expect(message.text("PID", 3) == report.study.patient.patientID, "seed \(seed)")
            #expect(message.text(of: message.segments[5].fields[5], component: 1) == report.text, "seed \(seed)")
        }
    }

    @Test func `a report that contradicts itself is not sent`() {
        let refused: [(OutgoingReport, String)] = [
            (Sample.report(.final) { $0.signature = nil }, "nobody has signed it"),
            (Sample.report(.corrected) { $0.signature?.userName = "" }, "nobody has signed it"),
            (Sample.report { $0.signature = Sample.report(.final).signature }, "has a signature"),
            (Sample.report { $0.study.patient.patientID = "" }, "no Patient ID"),
            (Sample.report { $0.text = " \n\t" }, "no text"),
            (Sample.report { $0.study.studyInstanceUID = "1.2|3" }, "not a UID"),
            (Sample.report { $0.study.studyInstanceUID = "" }, "not a UID"),
            (Sample.report { $0.messageControlID = "" }, "message control ID"),
            (Sample.report { $0.messageControlID = "A|B" }, "message control ID"),
            (Sample.report { $0.messageControlID = String(repeating: "A", count: 21) }, "message control ID"),
        ]
        for (report, reason) in refused {
            do {
                _ = try ORUMessage.encode(report, profile: ORUProfile())
                Issue.record("sent, although \(reason)")
            } catch {
                #expect("\(error)".hasPrefix("the report cannot be sent: ") && "\(error)".contains(reason))
            }
        }
    }

    /// For the tests with independent parsers (Tests/acceptance/hl7).
    @Test(.enabled(if: ProcessInfo.processInfo.environment["RADIALOG_TEST_OUTPUT"] != nil, "RADIALOG_TEST_OUTPUT names no folder"))
    func `sample messages are written for independent parsers`() throws {
        let folder = URL(fileURLWithPath: try #require(ProcessInfo.processInfo.environment["RADIALOG_TEST_OUTPUT"])).appendingPathComponent("hl7")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for version in ORUProfile.Version.allCases {
            for textType in ORUProfile.TextType.allCases {
                for status in [ReportStatus.preliminary, .final, .corrected] {
                    for kind in [BundleKind.clinical, .demo] {
                        let report = Sample.report(status, kind: kind, text: "Heart & lungs ÄÖÜ: a|b ^ c ~ d \\ e.\n\nNo effusion.") {
                            $0.study.patient.patientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
                            // With and without the note: a signed version never has one, whatever it is given.
                            $0.flags = kind == .demo ? Sample.flags : nil
                        }
                        let profile = Sample.profile {
                            $0.version = version
                            $0.textType = textType
                        }
                        let name = "\(version.rawValue)-\(textType.rawValue)-\(status.rawValue)-\(kind.rawValue).hl7"
                        try Data(try ORUMessage.encode(report, profile: profile)).write(to: folder.appendingPathComponent(name))
                    }
                }
            }
        }
    }
}

/// The fields of a segment, as they stand in the message.
struct HL7Fields {
    private let fields: [String]

    init(_ line: String) { fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }

    subscript(number: Int) -> String { number < fields.count ? fields[number] : "" }
}
