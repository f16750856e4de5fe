public import ReportModel

/// A report as a DICOM document: SR kind B of reports.md, Basic Text SR after TID 2000.
///
/// The same value makes the same bytes: every UID and time comes from the report, none from a clock. Times are in the
/// study's own offset from UTC where it has one, otherwise in UTC, and (0008,0201) says which.
public enum ReportDocument {
    /// Basic Text SR Storage. PS3.4 Table B.5-1.
    public static let basicTextSRStorage = "1.2.840.10008.5.1.4.1.1.88.11"

    /// The Part 10 file of this version of the report: explicit little endian, UTF-8.
    ///
    /// - Throws: `.inconsistent` for a report that contradicts itself; nothing is ever left out silently.
    public static func basicTextSR(_ report: OutgoingReport) throws(ReportDocumentError) -> [UInt8] {
        let lines = try check(report)
        let device = DeviceIdentity(report.provenance)
        let times = DocumentTimes(report)
        let document = try SRBuilder(title: SRCode.xRayReport, template: "2000")

        try addContext(to: document, report, device)
        try addContent(to: document, report, lines)
        try addReferences(to: document, report)
        if let signature = report.signature {
            try document.setFinal()
            try document.verify(
                person: signature.personName,
                id: Code(value: signature.userName, scheme: SRCode.privateScheme, meaning: signature.personName),
                organization: organization(of: signature, in: report), dateTime: times.dateTime(signature.signedAt))
        } else {
            try document.setPreliminary()
        }
        try document.render()
        try ReportHeader.put(into: document, report, device, times)
        return try document.write()
    }

    /// The findings' lines, once everything that must agree does.
    private static func check(_ report: OutgoingReport) throws(ReportDocumentError) -> [String] {
        // PS3.3 C.17.2: VERIFIED only with COMPLETE; reports.md: nothing is final without a signature.
        guard (report.status == .preliminary) == (report.signature == nil) else {
            throw .inconsistent("its status is \(report.status.rawValue), and it has \(report.signature == nil ? "no" : "a") signature")
        }
        guard report.status != .corrected || report.predecessorUID != nil else {
            throw .inconsistent("a corrected report must name the report it replaces")
        }
        guard report.predecessorUID != report.documentUID else {
            throw .inconsistent("it names itself as its predecessor")
        }
        if let signature = report.signature, signature.personName.isEmpty || signature.userName.isEmpty {
            throw .inconsistent("the signature has no name")
        }
        guard !report.images.isEmpty else { throw .inconsistent("it names no image") }
        let lines = report.text.split(whereSeparator: \.isNewline).map { printable($0) }.filter { !$0.isEmpty }
        guard !lines.isEmpty else { throw .inconsistent("its findings section is empty") }
        return lines
    }

    /// Without control characters (ESC would switch the character set, PS3.5 6.1.3) and outer blanks.
    private static func printable(_ line: Substring) -> String {
        let scalars = line.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return String(scalars).trimmingBlanks
    }

    /// Verifying Organization (0040,A027) is Type 1: a signature without one borrows the institution's name.
    static func organization(of signature: Signature, in report: OutgoingReport) -> String {
        [signature.organization, report.study.institutionName].first { !$0.isEmpty } ?? "not stated"
    }

    // MARK: - Content

    /// TID 1204, TID 1001 (a device and, once signed, a person), TID 4019
    /// for the bundle and for each of its models.
    private static func addContext(
        to document: borrowing SRBuilder, _ report: OutgoingReport, _ device: DeviceIdentity
    ) throws(ReportDocumentError) {
        try document.code(.hasConceptModifier, SRCode.language, SRCode.englishUS)
        try document.code(.hasObservationContext, SRCode.observerType, SRCode.device)
        try document.uid(.hasObservationContext, SRCode.deviceObserverUID, device.uid)
        try document.text(.hasObservationContext, SRCode.deviceObserverName, device.name)
        try document.text(.hasObservationContext, SRCode.deviceObserverManufacturer, device.manufacturer)
        try document.text(.hasObservationContext, SRCode.deviceObserverModelName, device.modelName)
        try document.text(.hasObservationContext, SRCode.deviceObserverSerialNumber, device.serialNumber)
        if let signature = report.signature {
            try document.code(.hasObservationContext, SRCode.observerType, SRCode.person)
            try document.personName(.hasObservationContext, SRCode.personObserverName, signature.personName)
            try document.text(
                .hasObservationContext, SRCode.personObserverOrganization, organization(of: signature, in: report))
        }
        let provenance = report.provenance
        try document.text(.hasConceptModifier, SRCode.algorithmName, provenance.bundleName)
        try document.text(.hasConceptModifier, SRCode.algorithmVersion, provenance.bundleVersion)
        let bundle = [
            "bundle_sha256=\(provenance.bundleSHA256)", "bundle_kind=\(provenance.bundleKind.rawValue)",
            "rendering=\(provenance.rendering)", "build=\(provenance.build)", "arithmetic=\(provenance.arithmetic)",
        ]
        for parameter in bundle { try document.text(.hasConceptModifier, SRCode.algorithmParameters, parameter) }
        // The order tells which version and parameter belong to which name.
        for algorithm in provenance.algorithms {
            try document.text(
                .hasConceptModifier, SRCode.algorithmName, "\(provenance.bundleName) \(algorithm.role.rawValue) (\(algorithm.architecture))")
            try document.text(.hasConceptModifier, SRCode.algorithmVersion, provenance.bundleVersion)
            try document.text(.hasConceptModifier, SRCode.algorithmParameters, "weights_sha256=\(algorithm.weightsSHA256)")
        }
    }

    private static func addContent(
        to document: borrowing SRBuilder, _ report: OutgoingReport, _ lines: [String]
    ) throws(ReportDocumentError) {
        if report.signature == nil { try document.text(.contains, SRCode.comment, MachineText.unreviewedMark) }
        if report.provenance.bundleKind == .demo {
            try document.text(.contains, SRCode.comment, MachineText.demonstrationMark)
        }
        try document.container(SRCode.findings) { () throws(ReportDocumentError) in
            for line in lines { try document.text(.contains, SRCode.finding, line) }
        }
        guard report.signature == nil, !report.findings.isEmpty else { return }
        // Text, not numbers: Basic Text SR has none, and a score must not be read as a measurement.
        try document.container(SRCode.modelScores) { () throws(ReportDocumentError) in
            for finding in report.findings {
                try document.text(
                    .contains, SRCode.modelScore,
                    "Model score, not a finding: \(finding.label.rawValue) \(decimal(finding.score)) "
                        + "(threshold \(decimal(finding.threshold)), \(finding.isPositive ? "above" : "not above"))")
            }
        }
    }

    private static func addReferences(
        to document: borrowing SRBuilder, _ report: OutgoingReport
    ) throws(ReportDocumentError) {
        let studyUID = report.study.studyInstanceUID
        for image in report.images { try document.evidence(studyUID: studyUID, image) }
        if !report.images.contains(report.keyImage) { try document.evidence(studyUID: studyUID, report.keyImage) }
        guard let predecessor = report.predecessorUID else { return }
        try document.predecessor(
            studyUID: studyUID,
            InstanceReference(
                sopClassUID: basicTextSRStorage, sopInstanceUID: predecessor, seriesInstanceUID: report.documentSeriesUID))
    }

    /// Three decimals, whatever the locale.
    private static func decimal(_ score: Double) -> String {
        guard score.isFinite, abs(score) < 1e6 else { return "not a number" }
        let thousandths = Int((abs(score) * 1000).rounded())
        let digits = String(thousandths % 1000)
        let sign = score < 0 && thousandths > 0 ? "-" : ""
        return sign + "\(thousandths / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
    }
}

extension String {
    /// Without blanks at either end.
    fileprivate var trimmingBlanks: String {
        let first = drop { $0 == " " }
        return String(first.reversed().drop { $0 == " " }.reversed())
    }
}
