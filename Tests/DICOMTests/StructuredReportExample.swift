import DICOM
import Foundation
import ReportModel

/// One study's three documents: values invented here.
enum StructuredReportExample: String, CaseIterable {
    case draft, signed, corrected

    var report: OutgoingReport {
        let signature = Signature(
            userName: "erika.muster", personName: "Muster^Erika", organization: "Klinikum Nord",
            signedAt: Date(timeIntervalSince1970: 1_709_289_000), textSHA256: String(repeating: "a", count: 64))
        let text = "[\(MachineText.demonstrationMark)] The heart is enlarged.\nNo pleural effusion."
        return OutgoingReport(
            study: Self.study, images: Self.images, keyImage: Self.images[0], version: version, status: status, text: text,
            findings: [
                Finding(label: .cardiomegaly, score: 0.8734, threshold: 0.5, isPositive: true, activationMap: nil),
                Finding(label: .pneumothorax, score: 0.04, threshold: 0.5, isPositive: false, activationMap: nil),
            ],
            provenance: Self.provenance, signature: self == .draft ? nil : signature,
            createdAt: self == .draft ? Date(timeIntervalSince1970: 1_709_287_200) : signature.signedAt,
            documentUID: Self.uid(version), documentSeriesUID: "2.25.1000", predecessorUID: version == 1 ? nil : Self.uid(version - 1),
            messageControlID: "R\(version)")
    }

    private var version: Int {
        switch self {
        case .draft: 1
        case .signed: 2
        case .corrected: 3
        }
    }

    private var status: ReportStatus {
        switch self {
        case .draft: .preliminary
        case .signed: .final
        case .corrected: .corrected
        }
    }

    private static func uid(_ version: Int) -> String { "2.25.200\(version)" }

    private static let images = (1...3).map {
        InstanceReference(
            sopClassUID: "1.2.840.10008.5.1.4.1.1.1.1", sopInstanceUID: "2.25.300\($0)", seriesInstanceUID: "2.25.400\($0 / 3)")
    }

    private static let study: StudyDescription = {
        var study = StudyDescription()
        study.patient.patientID = "PID-1"
        study.patient.issuerOfPatientID = "HOSP"
        study.patient.patientName = "Müller^Jürgen"
        study.patient.patientBirthDate = "19600102"
        study.patient.patientSex = "M"
        study.studyInstanceUID = "2.25.42"
        study.studyID = "S1"
        study.accessionNumber = "ACC-77"
        study.studyDate = "20240301"
        study.studyTime = "104512"
        study.timezoneOffsetFromUTC = "+0100"
        study.studyDescription = "Thorax pa"
        study.referringPhysicianName = "Haus^Arzt"
        study.institutionName = "Klinikum Nord"
        study.placerOrderNumber = "PLACER-1"
        study.fillerOrderNumber = "FILLER-2"
        study.requestedProcedureID = "RP-9"
        study.requestedProcedureDescription = "Chest X-ray"
        study.procedureCode = Code(value: "36643-5", scheme: "LN", meaning: "XR Chest 2 Views")
        return study
    }()

    private static let provenance = DraftProvenance(
        bundleName: "radialog-demo", bundleVersion: "1", bundleKind: .demo,
        bundleSHA256: String(repeating: "0123456789abcdef", count: 4), algorithms: [
            AlgorithmIdentity(role: .imageEncoder, architecture: "biovil-t", weightsSHA256: String(repeating: "d", count: 64)),
            AlgorithmIdentity(role: .languageModel, architecture: "llama", weightsSHA256: String(repeating: "e", count: 64)),
        ],
        build: "0.1.0", arithmetic: "test",
        sopInstanceUID: "2.25.3001", selectionReason: "PA", inputSHA256: nil, rendering: "voi",
        renderedSHA256: String(repeating: "b", count: 64), promptSHA256: String(repeating: "c", count: 64),
        generatedTokens: 10, finishReason: "stop", timings: .init())

    /// The document as a file, for the tools; the caller removes it.
    func write() throws -> String { try report.write(name: rawValue) }

    func dump() throws -> ExternalTool.Result { try report.dump() }
}

extension OutgoingReport {
    func write(name: String) throws -> String {
        let path = NSTemporaryDirectory() + "radialog-sr-\(name)-\(UUID().uuidString).dcm"
        try Data(ReportDocument.basicTextSR(self)).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// `dcmdump` of the document, values in full.
    func dump() throws -> ExternalTool.Result {
        let path = try write(name: "dump")
        defer { unlink(path) }
        return try ExternalTool.run("dcmdump", ["+L", "+Qn", path])
    }
}
