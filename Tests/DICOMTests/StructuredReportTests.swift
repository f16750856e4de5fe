import DICOM
import Foundation
import ReportModel
import Testing

@Suite struct `Structured report documents` {
    @Test(arguments: StructuredReportExample.allCases)
    func `dciodvfy and dsrdump find no error in a document`(_ example: StructuredReportExample) throws {
        let file = try example.write()
        defer { unlink(file) }
        let verdict = try ExternalTool.run("dciodvfy", [file])
        #expect(verdict.lines.filter { $0.hasPrefix("Error") } == [])
        #expect(verdict.output.contains("BasicTextSR"))
        let dump = try ExternalTool.run("dsrdump", ["-Er", "+Pl", file])
        #expect(dump.status == 0)
        #expect(dump.lines.filter { $0.hasPrefix("E:") || $0.hasPrefix("F:") } == [])
        #expect(dump.output.contains("The heart is enlarged."))
    }

    @Test func `the flags of a draft say that nobody answers for it`() throws {
        let dump = try StructuredReportExample.draft.dump()
        #expect(dump.value("0040,a496") == "PRELIMINARY")
        #expect(dump.value("0040,a491") == "PARTIAL")
        #expect(dump.value("0040,a492") == "machine draft, not reviewed")
        #expect(dump.value("0040,a493") == "UNVERIFIED")
        #expect(!dump.output.contains("(0040,a073)"))
        #expect(dump.value("0040,a084") == "DEV")
        #expect(dump.output.contains(MachineText.unreviewedMark))
        #expect(dump.output.contains("Model score, not a finding: Cardiomegaly 0.873 (threshold 0.500, above)"))
    }

    @Test func `a signed document is verified by the person and names the draft`() throws {
        let dump = try StructuredReportExample.signed.dump()
        #expect(dump.value("0040,a496") == "FINAL")
        #expect(dump.value("0040,a491") == "COMPLETE")
        #expect(dump.value("0040,a493") == "VERIFIED")
        #expect(dump.value("0040,a075") == "Muster^Erika")
        #expect(dump.value("0040,a027") == "Klinikum Nord")
        #expect(dump.value("0040,a030") == "20240301113000+0100")
        #expect(dump.block("0040,a360").contains(StructuredReportExample.draft.report.documentUID))
        #expect(!dump.output.contains(MachineText.unreviewedMark))
        #expect(!dump.output.contains("Model score"))
    }

    @Test func `a corrected document names the signed one`() throws {
        let dump = try StructuredReportExample.corrected.dump()
        #expect(dump.value("0040,a493") == "VERIFIED")
        #expect(dump.block("0040,a360").contains(StructuredReportExample.signed.report.documentUID))
        #expect(dump.value("0020,0013") == "3")
    }

    @Test func `every image is evidence, and the order is referenced`() throws {
        let dump = try StructuredReportExample.draft.dump()
        let evidence = dump.block("0040,a375")
        for image in StructuredReportExample.draft.report.images { #expect(evidence.contains(image.sopInstanceUID)) }
        let request = dump.block("0040,a370")
        for value in ["ACC-77", "PLACER-1", "FILLER-2", "RP-9"] { #expect(request.contains("[\(value)]")) }
        #expect(dump.output.contains("(0008,1111) SQ"))
        #expect(dump.output.contains("(0040,a372) SQ"))
    }

    @Test func `the bundle and each of its models is identified`() throws {
        let output = try StructuredReportExample.draft.dump().output
        for text in [
            "radialog-demo", "bundle_sha256=0123456789abcdef", "radialog-demo image encoder (biovil-t)",
            "weights_sha256=" + String(repeating: "d", count: 64), "radialog-demo language model (llama)",
            "weights_sha256=" + String(repeating: "e", count: 64),
        ] { #expect(output.contains("[\(text)"), "\(text)") }
    }

    @Test func `a demonstration bundle is named in every version`() throws {
        for example in StructuredReportExample.allCases {
            #expect(try example.dump().output.contains("[\(MachineText.demonstrationMark)]"))
        }
        var report = StructuredReportExample.signed.report
        report.provenance.bundleKind = .clinical
        report.text = "The heart is enlarged."
        let bytes = try ReportDocument.basicTextSR(report)
        #expect(!String(decoding: bytes, as: UTF8.self).contains(MachineText.demonstrationMark))
    }

    @Test func `the same report makes the same bytes`() throws {
        for example in StructuredReportExample.allCases {
            #expect(try ReportDocument.basicTextSR(example.report) == ReportDocument.basicTextSR(example.report))
        }
    }

    @Test func `patient identity goes out byte for byte`() throws {
        var report = StructuredReportExample.draft.report
        report.study.patient.patientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
        report.study.patient.patientID = " 0012-Ä"
        let bytes = try ReportDocument.basicTextSR(report)
        #expect(bytes.contains(report.study.patient.patientName))
        #expect(bytes.contains(report.study.patient.patientID))
        #expect(bytes.contains("ISO_IR 192"))
    }

    @Test func `times are in the study's offset, in UTC where it has none`() throws {
        var report = StructuredReportExample.draft.report
        #expect(try report.dump().value("0008,0201") == "+0100")
        #expect(try report.dump().value("0008,0033") == "110000")
        for unusable in ["", "-0000", "+1500", "0100", "+01:0"] {
            report.study.timezoneOffsetFromUTC = unusable
            #expect(try report.dump().value("0008,0201") == "+0000")
            #expect(try report.dump().value("0008,0033") == "100000")
        }
    }

    @Test func `each line of the text is one finding, without control characters`() throws {
        var report = StructuredReportExample.draft.report
        report.text = "One.\r\n\n  Two\u{1B}$B \n\u{2028}Three & <four>"
        let findings = try report.dump().lines.filter { $0.contains("(0040,a160)") }.joined()
        #expect(findings.contains("[One.]"))
        #expect(findings.contains("[Two $B]"))
        #expect(try ReportDocument.basicTextSR(report).contains("Three & <four>"))
    }

    @Test(arguments: [
        "final without a signature", "preliminary with a signature", "corrected without a predecessor",
        "its own predecessor", "no image", "no text", "no signer",
    ])
    func `a report that contradicts itself makes no document`(_ what: String) {
        var report = StructuredReportExample.signed.report
        switch what {
        case "final without a signature": report.signature = nil
        case "preliminary with a signature": report.status = .preliminary
        case "corrected without a predecessor":
            report.status = .corrected
            report.predecessorUID = nil
        case "its own predecessor": report.predecessorUID = report.documentUID
        case "no image": report.images = []
        case "no text": report.text = " \n\n"
        default: report.signature?.personName = ""
        }
        #expect(throws: ReportDocumentError.self) { try ReportDocument.basicTextSR(report) }
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
