import Foundation
import ReportModel

/// A report version as plain text for people: marks first, then who and what, then the findings section, then who signed.
enum ReportText {
    static func make(_ report: OutgoingReport) -> String {
        var lines: [String] = []
        if report.provenance.bundleKind == .demo { lines.append(MachineText.demonstrationMark) }
        switch report.status {
        case .preliminary: lines.append(MachineText.unreviewedMark)
        case .final: lines.append("FINAL REPORT")
        case .corrected: lines.append("CORRECTED REPORT")
        }
        lines += [
            "",
            "Patient:    \(report.study.patient.patientName.replacingOccurrences(of: "^", with: " "))",
            "Patient ID: \(report.study.patient.patientID)",
            "Born:       \(report.study.patient.patientBirthDate)   Sex: \(report.study.patient.patientSex)",
            "Accession:  \(report.study.accessionNumber)",
            "Study:      \(report.study.studyDate) \(report.study.studyDescription)",
            "Study UID:  \(report.study.studyInstanceUID)",
            "Version:    \(report.version)",
            "",
            "FINDINGS",
            report.text,
            "",
        ]
        if let signature = report.signature {
            lines.append("Signed by \(signature.personName.replacingOccurrences(of: "^", with: " ")) (\(signature.userName)), "
                + "\(signature.signedAt.formatted(.iso8601)); SHA-256 of the text \(signature.textSHA256)")
        } else {
            lines.append("Not signed. Model scores, not facts: " + report.findings.filter(\.isPositive)
                .map { "\($0.label.rawValue) \(String(format: "%.2f", $0.score))" }.joined(separator: ", "))
            if let flags = report.flags {
                lines.append("Automated consistency check, flags: \(flags.summary)")
                lines += flags.map { "  - \($0)" }
            }
        }
        let origin = report.provenance
        if let choice = origin.imageChoice { lines.append("\(choice)") }
        lines.append("Draft by \(origin.bundleName) \(origin.bundleVersion) (\(origin.bundleSHA256.prefix(16))), \(Build.productName) \(origin.build)")
        return lines.joined(separator: "\n") + "\n"
    }
}
