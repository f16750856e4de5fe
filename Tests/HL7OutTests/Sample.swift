import Foundation
import HL7Out
import ReportModel

/// Reports for the tests. Nobody in them exists.
enum Sample {
    static let createdAt = Date(timeIntervalSince1970: 1_774_000_000)  // 2026-03-20 09:46:40 UTC
    static let bundleSHA256 = String(repeating: "ab", count: 32)
    static let clinicalText = "The heart is normal in size.\nNo pleural effusion or pneumothorax."

    static let flags = [
        DraftFlag(kind: .omission, label: .pleuralEffusion, textState: .blank, score: 0.75, threshold: 0.5),
        DraftFlag(kind: .omission, label: .edema, textState: .blank, score: 0.625, threshold: 0.5),
        DraftFlag(kind: .comparisonWithoutPrior, sentence: "Unchanged | heart.", phrase: "Unchanged"),
    ]

    static func report(
        _ status: ReportStatus = .preliminary, kind: BundleKind = .clinical, text: String = clinicalText, images: Int = 2,
        change: (inout OutgoingReport) -> Void = { _ in }
    ) -> OutgoingReport {
        var study = StudyDescription()
        study.patient.patientID = "PAT-0815"
        study.patient.issuerOfPatientID = "HOSPITAL"
        study.patient.patientName = "Muster^Erika^Maria^Dr.^MSc"
        study.patient.patientBirthDate = "19640812"
        study.patient.patientSex = "F"
        study.studyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
        study.accessionNumber = "ACC-4711"
        study.studyDate = "20260320"
        study.studyTime = "101502.25"
        study.timezoneOffsetFromUTC = "+0100"
        study.referringPhysicianName = "Zuweiser^Ernst^^Dr."
        study.placerOrderNumber = "PL-1"
        study.fillerOrderNumber = "FI-1"
        study.requestedProcedureID = "RP-1"
        let references = (1...max(images, 1)).map {
            InstanceReference(sopClassUID: "1.2.840.10008.5.1.4.1.1.1.1", sopInstanceUID: "1.2.3.\($0)", seriesInstanceUID: "1.2.3")
        }
        let provenance = DraftProvenance(
            bundleName: kind == .demo ? "radialog-demo" : "radialog-clinical", bundleVersion: "1.2.0", bundleKind: kind, bundleSHA256: bundleSHA256,
            algorithms: [], build: "0.1.0", arithmetic: "fp32-fma+avx2", sopInstanceUID: "1.2.3.1", selectionReason: "PA", inputSHA256: nil,
            rendering: "mimic-cxr-jpg", renderedSHA256: "00", promptSHA256: "11", generatedTokens: 40, finishReason: "stop", timings: .init())
        let signature = Signature(
            userName: "anna", personName: "Reader^Anna^B.^Dr.^PhD", organization: "Hospital", signedAt: createdAt, textSHA256: "22")
        var report = OutgoingReport(
            study: study, images: references, keyImage: references[0], version: status == .preliminary ? 1 : 2, status: status,
            text: MachineText.marked(text, kind: kind),
            findings: [
                Finding(label: .cardiomegaly, score: 0.87654, threshold: 0.5, isPositive: true, activationMap: nil),
                Finding(label: .pleuralEffusion, score: 0.00004, threshold: 0.35, isPositive: false, activationMap: nil),
            ],
            provenance: provenance, signature: status == .preliminary ? nil : signature, createdAt: createdAt, documentUID: "2.25.1",
            documentSeriesUID: "2.25.2", predecessorUID: nil, messageControlID: "R00112233445566778\(status == .preliminary ? 1 : 2)")
        change(&report)
        return report
    }

    static func profile(_ change: (inout ORUProfile) -> Void = { _ in }) -> ORUProfile {
        var profile = ORUProfile()
        change(&profile)
        return profile
    }

    /// The message as its lines.
    static func lines(_ report: OutgoingReport, _ profile: ORUProfile = ORUProfile()) throws -> [String] {
        String(decoding: try ORUMessage.encode(report, profile: profile), as: UTF8.self).split(separator: "\r").map(String.init)
    }
}

/// A generator that repeats: a failure names its seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Text with delimiters, control characters, pieces of escapes, combining marks and everything else.
    mutating func text() -> String {
        let special = Array("|^~\\&\r\n\u{0B}\u{1C}\u{00}\u{7F}FSRETXHN.br0DÄé\u{301}\u{2028}山😀=".unicodeScalars)
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...24, using: &self) {
            if Bool.random(using: &self), let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &self)) {
                text.append(scalar)
            } else {
                text.append(special[Int.random(in: special.indices, using: &self)])
            }
        }
        return String(text)
    }
}
