package import ReportModel

/// OBX: the study, the text, and the scores behind a draft; NTE: that a draft has flags.
///
/// Scores go out with drafts only. A signed report is what its signer answers for, and nobody signed the scores.
extension ORUMessage {
    static func obx(_ report: OutgoingReport, _ profile: ORUProfile) -> [HL7Segment] {
        var segments: [HL7Segment] = []
        var observations = 0
        // OBX-4 is required in 2.3.1; with OBX-3 it tells observations apart.
        func add(_ type: String, _ identifier: [String], subID: String = "1", _ fill: (inout HL7Segment) -> Void) {
            var obx = HL7Segment("OBX")
            observations += 1
            obx.set(1, String(observations))
            obx.set(2, type)
            obx.set(3, components: identifier)
            obx.set(4, subID)
            obx.set(11, status(report, profile))
            fill(&obx)
            segments.append(obx)
        }

        add("ST", ["113014", "DICOM Study", "DCM"]) { obx in
            obx.set(5, report.study.studyInstanceUID)
        }
        let lines = textLines(report)
        let findings = ["59776-5", "Procedure Findings", "LN"]
        switch profile.textType {
        case .tx:
            for (index, line) in lines.enumerated() {
                add("TX", findings, subID: String(index + 1)) { obx in
                    // An empty value means "no value"; a blank line of the text is one.
                    obx.set(5, line.isEmpty ? " " : line)
                    describeOrigin(of: report, profile, in: &obx)
                }
            }
        case .ft:
            add("FT", findings) { obx in
                obx.set(5, encoded: lines.map(HL7Text.escaped).joined(separator: "\\.br\\"))
                describeOrigin(of: report, profile, in: &obx)
            }
        }
        segments += flagNote(report)
        if report.status == .preliminary {
            for finding in report.findings where finding.score.isFinite {
                add("NM", scoreIdentifier(finding, report.provenance)) { obx in
                    obx.set(5, decimal(finding.score))
                    obx.set(6, components: ["1", "no units", "UCUM"])
                    describeOrigin(of: report, profile, in: &obx)
                }
            }
        }
        return segments
    }

    /// NTE behind the text of a draft that has flags: how many, of which kind. Not their words, which quote the text; and no note
    /// that says "none", which a reader could take for a second opinion.
    private static func flagNote(_ report: OutgoingReport) -> [HL7Segment] {
        guard report.status == .preliminary, let flags = report.flags, !flags.isEmpty else { return [] }
        let mark = report.provenance.bundleKind == .demo ? "[\(MachineText.demonstrationMark)] " : ""
        var note = HL7Segment("NTE")
        note.set(1, "1")
        note.set(2, "L")  // HL7 table 0105: the filler wrote it
        note.set(3, "\(mark)Automated consistency check of this draft, flags: \(flags.summary)")
        return [note]
    }

    /// What stands under "Procedure Findings": the marks a text must carry, then the text.
    package static func textLines(_ report: OutgoingReport) -> [String] {
        let demonstrationMark = "[\(MachineText.demonstrationMark)]"
        // Line ends of every kind; the text of a person may come from anywhere.
        var lines = report.text.replacing("\r\n", with: "\n")
            .split(omittingEmptySubsequences: false) { ["\n", "\r", "\u{2028}", "\u{2029}"].contains($0) }
            .map(String.init)
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        while lines.first?.allSatisfy(\.isWhitespace) == true { lines.removeFirst() }
        var marks: [String] = []
        let isDemonstration = report.provenance.bundleKind == .demo
        if report.status == .preliminary {
            marks.append((isDemonstration ? "\(demonstrationMark) " : "") + MachineText.unreviewedMark)
        }
        // A person may have written the mark away; then one line says it for all.
        if isDemonstration, lines.contains(where: { !$0.allSatisfy(\.isWhitespace) && !$0.contains(MachineText.demonstrationMark) }) {
            marks.append("\(demonstrationMark) This report was drafted by a demonstration model.")
        }
        return marks + lines
    }

    /// OBX-14, 16, 17 and 18: when, who answers for it, and by what it was made.
    private static func describeOrigin(of report: OutgoingReport, _ profile: ORUProfile, in obx: inout HL7Segment) {
        let provenance = report.provenance
        let model = "\(provenance.bundleName) \(provenance.bundleVersion)"
        obx.set(14, HL7Time.text(report.createdAt))
        if let signature = report.signature {
            obx.set(16, encoded: PersonName(dicom: signature.personName).xcn(id: signature.userName))
        }
        obx.set(17, components: [model, "\(Build.productName) \(provenance.build), bundle SHA-256 \(provenance.bundleSHA256)", "99RADIALOG"])
        // Came with 2.4.
        if profile.version != .v2_3_1 { obx.set(18, components: [provenance.bundleSHA256, "RADIALOGD"]) }
    }

    /// A private code for each label: the score of a model is not the finding, and no coding system has a code for it.
    private static func scoreIdentifier(_ finding: Finding, _ provenance: DraftProvenance) -> [String] {
        let code = finding.label.rawValue.uppercased().replacing(" ", with: "-")
        let mark = provenance.bundleKind == .demo ? "[\(MachineText.demonstrationMark)] " : ""
        let text = "\(mark)Model score, not a finding: \(finding.label.rawValue) (model's threshold \(decimal(finding.threshold)))"
        return ["SCORE-\(code)", text, "99RADIALOG"]
    }

    /// NM allows no exponent. Four digits: more would promise what the score does not hold.
    package static func decimal(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1_000_000 else { return "" }
        let scaled = Int((abs(number) * 10_000).rounded())
        let fraction = String(scaled % 10_000)
        return (number < 0 && scaled > 0 ? "-" : "") + "\(scaled / 10_000)." + String(repeating: "0", count: 4 - fraction.count) + fraction
    }
}
