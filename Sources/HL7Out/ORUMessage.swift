public import ReportModel

/// The report as ORU^R01: MSH, PID, ORC, OBR, {OBX}, of a draft with flags an NTE behind its text. Which field says what is told in docs/hl7-profile.md.
///
/// Nothing here asks a clock or a counter: the same report and profile always make the same bytes, so a retry repeats
/// the message, MSH-10 included.
public enum ORUMessage {
    /// The complete message, segments ended by CR, without MLLP framing.
    ///
    /// - Throws: `.invalidReport` for a report that must not be sent, `.statusRefused` for draft status P toward an
    ///   archive, `.notInCharset` for a character that MSH-18 cannot carry. None of them passes by itself.
    public static func encode(_ report: OutgoingReport, profile: ORUProfile) throws(HL7Error) -> [UInt8] {
        try check(report, profile)
        let segments = [msh(report, profile), pid(report.study.patient), orc(report), obr(report, profile)] + obx(report, profile)
        return try segments.encoded(charset: profile.charset)
    }

    /// MSH-10 has 20 characters up to 2.4, 199 from 2.5 on.
    private static let longestControlID = 20

    private static func check(_ report: OutgoingReport, _ profile: ORUProfile) throws(HL7Error) {
        switch report.status {
        case .preliminary:
            guard report.signature == nil else { throw .invalidReport("it is preliminary, and has a signature") }
            guard !(profile.isArchive && profile.draftStatus == .preliminary) else {
                throw .statusRefused("draft status P is refused toward an archive, which makes a verified document of it; set draft_status = \"R\"")
            }
        case .final, .corrected:
            guard let signature = report.signature, !signature.userName.isEmpty, !signature.personName.isEmpty else {
                throw .invalidReport("its status is \(report.status.rawValue), and nobody has signed it")
            }
        }
        guard !report.study.patient.patientID.isEmpty else { throw .invalidReport("the study has no Patient ID") }
        guard report.text.contains(where: { !$0.isWhitespace }) else { throw .invalidReport("it has no text") }
        let uid = report.study.studyInstanceUID
        guard (1...64).contains(uid.utf8.count), uid.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { throw .invalidReport("its Study Instance UID is not a UID") }
        let control = report.messageControlID
        guard (1...longestControlID).contains(control.utf8.count), control.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-_".contains($0)) })
        else { throw .invalidReport("its message control ID is not 1 to \(longestControlID) letters and digits") }
    }

    private static func msh(_ report: OutgoingReport, _ profile: ORUProfile) -> HL7Segment {
        var msh = HL7Segment("MSH")
        msh.set(2, encoded: "^~\\&")
        msh.set(3, components: hierarchicDesignator(profile.sendingApplication))
        msh.set(4, components: hierarchicDesignator(profile.sendingFacility))
        msh.set(5, components: hierarchicDesignator(profile.receivingApplication))
        msh.set(6, components: hierarchicDesignator(profile.receivingFacility))
        msh.set(7, HL7Time.text(report.createdAt))
        // The third component came with 2.3.1, but is expected from 2.4 on only.
        msh.set(9, components: profile.version == .v2_3_1 ? ["ORU", "R01"] : ["ORU", "R01", "ORU_R01"])
        msh.set(10, report.messageControlID)
        msh.set(11, profile.processingID.rawValue)
        msh.set(12, profile.version.rawValue)
        switch profile.acknowledgement {
        case .original: break
        case .enhanced:
            msh.set(15, "AL")
            msh.set(16, "AL")
        case .commit:
            msh.set(15, "AL")
            msh.set(16, "NE")
        }
        msh.set(18, profile.charset.rawValue)
        return msh
    }

    private static func hierarchicDesignator(_ text: String) -> [String] {
        text.split(separator: "^", omittingEmptySubsequences: false).map(String.init)
    }

    private static func pid(_ patient: PatientIdentity) -> HL7Segment {
        var pid = HL7Segment("PID")
        pid.set(1, "1")
        // CX: ID, check digit, its scheme, assigning authority (HD in subcomponents).
        var authority = HL7Text.escaped(patient.issuerOfPatientID)
        if isOID(patient.issuerOfPatientID) { authority = "&\(authority)&ISO" }
        pid.set(3, encoded: HL7Segment.join([HL7Text.escaped(patient.patientID), "", "", authority], "^"))
        pid.set(5, encoded: PersonName(dicom: patient.patientName).xpn)
        pid.set(7, HL7Time.isDigits(patient.patientBirthDate, 8) ? patient.patientBirthDate : "")
        // HL7 table 0001 has DICOM's M, F and O; an unlisted value is not handed on as if it were known.
        pid.set(8, ["M", "F", "O"].contains(patient.patientSex) ? patient.patientSex : "")
        return pid
    }

    private static func isOID(_ text: String) -> Bool {
        let arcs = text.split(separator: ".", omittingEmptySubsequences: false)
        return arcs.count > 2 && ["0", "1", "2"].contains(arcs[0]) && arcs.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }
    }
}
