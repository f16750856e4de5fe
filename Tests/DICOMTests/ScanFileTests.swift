import DICOM
import Foundation
import ReportModel
import Testing

@Suite struct ScanFileTests {
    private func describe(_ bytes: [UInt8]) throws(DataSetError) -> DICOMFile.Description {
        try bytes.withUnsafeBytes { bytes in
            Result { () throws(DataSetError) in try DICOMFile.describe(bytes, maximumBytes: 1 << 24) }
        }.get()
    }

    @Test func `a file without Part 10 header is read and flagged`() throws {
        for transferSyntax in [TransferSyntax.implicitVRLittleEndian, TransferSyntax.explicitVRLittleEndian, TransferSyntax.explicitVRBigEndian] {
            let described = try describe(SyntheticFilm(transferSyntaxUID: transferSyntax).dataSet)
            #expect(described.flags == [.noFileMeta])
            #expect(described.instance.transferSyntaxUID == transferSyntax)
            #expect(described.study.patient.patientID == "PID-1")
        }
    }

    @Test(arguments: [
        ("<!DOCTYPE html><html><head>", "HTML"), ("\u{FEFF}  <html>", "HTML"), ("<?xml version=\"1.0\"?>", "XML"),
        ("{\"a\": 1}", "JSON"), ("%PDF-1.4", "PDF"), ("\u{1F}", "not a DICOM file"), ("", "empty"),
    ])
    func `something else under the name of a DICOM file is called what it is`(_ content: String, _ word: String) throws {
        let error = #expect(throws: DataSetError.self) { try describe(Array(content.utf8)) }
        #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }

    @Test func `a deflated file is inflated, and a cut or an endless one refused`() throws {
        let film = SyntheticFilm(transferSyntaxUID: TransferSyntax.explicitVRLittleEndian)
        let directory = try ScratchDirectory()
        let plain = directory.path + "/plain.dcm"
        let deflated = directory.path + "/deflated.dcm"
        try Data(film.file).write(to: URL(fileURLWithPath: plain))
        let result = try DCMTKProgram.run("dcmconv", ["+td", plain, deflated])
        #expect(result.status == 0, "\(result.output)")
        let described = try DICOMFile.describe(path: deflated)
        #expect(described.study.patient.patientID == "PID-1")
        #expect(described.instance.transferSyntaxUID == TransferSyntax.deflatedExplicitVRLittleEndian)
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: deflated)))
        #expect(throws: DataSetError.self) { try describe(bytes.dropLast(30)) }
        #expect(throws: DataSetError.self) {
            try bytes.withUnsafeBytes { bytes in
                Result { () throws(DataSetError) in try DICOMFile.describe(bytes, maximumBytes: 100) }
            }.get()
        }
    }

    @Test func `a file that is not there, and a folder, are refused with the reason`() {
        #expect(throws: DataSetError.self) { try DICOMFile.describe(path: "/nonexistent/file.dcm") }
        #expect(throws: DataSetError.notDICOM(what: "it is not a regular file")) { try DICOMFile.describe(path: "/tmp") }
    }

    /// What INDEX.tsv says opens with pydicom, but is refused here, each with its reason.
    private static let refusedAlthoughItOpens: [String: String] = [
        "TC0265_depth_100.dcm": "nested deeper than 64",
        "MR_truncated.dcm": "cut",
        "TC0345_deflate_corrupt.dcm": "a deflate stream that is damaged",
        "TC0347_deflate_truncated.dcm": "a deflate stream that is cut",
        "test1.dcm (HTML)": "an HTML page",
        "TC0363_tag_order_violation.dcm": "an element whose length is beyond the end",
        "meta_missing_tsyntax.dcm": "elements of group 0001 and no image",
        "no_meta.dcm": "a stray byte in front of the first element",
    ]

    @Test(.enabled(if: ReceivingCorpus.isPresent))
    func `every DICOM file of the corpus is described or refused as expected`() throws {
        var unexpected: [String] = []
        var described = 0
        for (path, opens) in try ReceivingCorpus.rows() {
            let name = path.hasSuffix("Udacity-Pneumonia-Classification/test1.dcm") ? "test1.dcm (HTML)" : String(path.split(separator: "/").last ?? "")
            let mustOpen = opens == "yes" && Self.refusedAlthoughItOpens[name] == nil
            do throws(DataSetError) {
                let description = try DICOMFile.describe(path: ReceivingCorpus.root + "/" + path)
                described += 1
                if !mustOpen { unexpected.append("\(path): read, but expected to be refused; \(description.flags)") }
            } catch {
                if mustOpen { unexpected.append("\(path): \(error)") }
            }
        }
        #expect(unexpected == [])
        #expect(described > 100)
    }
}
