internal import ReportModel

/// ORC and OBR: what the report answers, and how far it is.
extension ORUMessage {
    static func orc(_ report: OutgoingReport) -> HL7Segment {
        var orc = HL7Segment("ORC")
        orc.set(1, "RE")
        orc.set(2, report.study.placerOrderNumber)
        orc.set(3, encoded: fillerOrderNumber(report.study))
        // HL7 table 0038: in process, completed.
        orc.set(5, report.status == .preliminary ? "IP" : "CM")
        orc.set(12, encoded: PersonName(dicom: report.study.referringPhysicianName).xcn(id: ""))
        return orc
    }

    static func obr(_ report: OutgoingReport, _ profile: ORUProfile) -> HL7Segment {
        let study = report.study
        var obr = HL7Segment("OBR")
        obr.set(1, "1")
        obr.set(2, study.placerOrderNumber)
        obr.set(3, encoded: fillerOrderNumber(study))
        obr.set(4, components: procedure(report))
        obr.set(7, HL7Time.text(date: study.studyDate, time: study.studyTime, offset: study.timezoneOffsetFromUTC))
        obr.set(16, encoded: PersonName(dicom: study.referringPhysicianName).xcn(id: ""))
        obr.set(18, study.accessionNumber)
        obr.set(19, study.requestedProcedureID)
        obr.set(22, HL7Time.text(report.createdAt))
        obr.set(24, "RAD")
        obr.set(25, status(report, profile))
        // Empty while unsigned: archives copy it into the verifying observer.
        if let signature = report.signature {
            obr.set(32, encoded: PersonName(dicom: signature.personName).cnn(id: signature.userName))
        }
        return obr
    }

    /// OBR-25 and OBX-11: HL7 tables 0123 and 0085.
    static func status(_ report: OutgoingReport, _ profile: ORUProfile) -> String {
        switch report.status {
        case .preliminary: profile.draftStatus.rawValue
        case .final: "F"
        case .corrected: "C"
        }
    }

    /// The same for every version of a study's report: receivers match on it.
    private static func fillerOrderNumber(_ study: StudyDescription) -> String {
        if !study.fillerOrderNumber.isEmpty { return HL7Text.escaped(study.fillerOrderNumber) }
        if !study.accessionNumber.isEmpty { return HL7Text.escaped(study.accessionNumber) }
        return DeterministicUID.controlID("filler order number", study.studyInstanceUID) + "^RADIALOGD"
    }

    /// The site's code where the study has one, with LOINC as the alternate; LOINC alone otherwise.
    private static func procedure(_ report: OutgoingReport) -> [String] {
        // By the number of images: views are not always told apart in the headers.
        let loinc =
            switch report.images.count {
            case 1: ["36554-4", "XR Chest Single view", "LN"]
            case 2: ["36643-5", "XR Chest 2 Views", "LN"]
            default: ["30745-4", "XR Chest Views", "LN"]
            }
        guard let code = report.study.procedureCode, !code.value.isEmpty else { return loinc }
        if code.scheme == "LN" { return [code.value, code.meaning, code.scheme] }
        return [code.value, code.meaning, code.scheme] + loinc
    }
}
