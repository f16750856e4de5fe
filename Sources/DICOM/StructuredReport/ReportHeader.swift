internal import ReportModel

/// Everything of the document outside its content tree: identity, times, the modules of PS3.3 A.35.1.
enum ReportHeader {
    /// Where reports stand among a study's series.
    private static let seriesNumber = "9900"

    static func put(
        into document: borrowing SRBuilder, _ report: OutgoingReport, _ device: DeviceIdentity, _ times: DocumentTimes
    ) throws(ReportDocumentError) {
        try putPatientAndStudy(into: document, report.study)
        try putSeriesAndInstance(into: document, report, device, times)
        try putRequest(into: document, report.study)
        try putContributingEquipment(into: document, report, device, times)
        if report.signature == nil { try putDeviceAsAuthor(into: document, report, device) }
        try putPrivateCodingScheme(into: document)
        // Type 2, and forgotten by others: Referenced Performed Procedure Step, Performed Procedure Code.
        try document.putSequence("(0008,1111)")
        try document.putSequence("(0040,A372)")
    }

    /// As received, byte for byte (in UTF-8).
    private static func putPatientAndStudy(
        into document: borrowing SRBuilder, _ study: StudyDescription
    ) throws(ReportDocumentError) {
        try document.put("(0010,0010)", study.patient.patientName)
        try document.put("(0010,0020)", study.patient.patientID)
        if !study.patient.issuerOfPatientID.isEmpty { try document.put("(0010,0021)", study.patient.issuerOfPatientID) }
        try document.put("(0010,0030)", study.patient.patientBirthDate)
        try document.put("(0010,0040)", study.patient.patientSex)
        try document.put("(0020,000D)", study.studyInstanceUID)
        try document.put("(0020,0010)", study.studyID)
        try document.put("(0008,0020)", study.studyDate)
        try document.put("(0008,0030)", study.studyTime)
        try document.put("(0008,0050)", study.accessionNumber)
        try document.put("(0008,0090)", study.referringPhysicianName)
        if !study.studyDescription.isEmpty { try document.put("(0008,1030)", study.studyDescription) }
        if !study.institutionName.isEmpty { try document.put("(0008,0080)", study.institutionName) }
    }

    private static func putSeriesAndInstance(
        into document: borrowing SRBuilder, _ report: OutgoingReport, _ device: DeviceIdentity, _ times: DocumentTimes
    ) throws(ReportDocumentError) {
        try document.put("(0020,000E)", report.documentSeriesUID)
        try document.put("(0020,0011)", seriesNumber)
        try document.put("(0008,103E)", "Radiology report")
        // General Equipment: what wrote the document. The model is in the Contributing Equipment.
        try document.put("(0008,0070)", device.manufacturer)
        try document.put("(0008,1090)", device.name)
        try document.put("(0018,1020)", device.softwareVersions)

        try document.put("(0008,0018)", report.documentUID)
        try document.put("(0020,0013)", String(report.version))
        // dcmsr wrote the clock and a UID of its own into these.
        try document.put("(0008,0012)", times.date(report.createdAt))
        try document.put("(0008,0013)", times.time(report.createdAt))
        try document.put("(0008,0014)", device.uid)
        try document.put("(0008,0023)", times.date(report.createdAt))
        try document.put("(0008,0033)", times.time(report.createdAt))
        try document.put("(0008,0201)", times.offset)
        try document.put(
            "(0040,A492)", report.signature == nil ? "machine draft, not reviewed" : "reviewed and signed")
    }

    /// Referenced Request Sequence, where the study says anything of its order.
    private static func putRequest(
        into document: borrowing SRBuilder, _ study: StudyDescription
    ) throws(ReportDocumentError) {
        let identifiers = [
            study.accessionNumber, study.placerOrderNumber, study.fillerOrderNumber, study.requestedProcedureID,
        ]
        guard identifiers.contains(where: { !$0.isEmpty }) else { return }
        let item = "(0040,A370)[0]"
        try document.put("\(item).(0008,0050)", study.accessionNumber)
        try document.putSequence("\(item).(0008,1110)")
        try document.put("\(item).(0020,000D)", study.studyInstanceUID)
        try document.put("\(item).(0032,1060)", study.requestedProcedureDescription)
        if let code = study.procedureCode {
            try document.putCode("\(item).(0032,1064)", code)
        } else {
            try document.putSequence("\(item).(0032,1064)")
        }
        try document.put("\(item).(0040,1001)", study.requestedProcedureID)
        try document.put("\(item).(0040,2016)", study.placerOrderNumber)
        try document.put("\(item).(0040,2017)", study.fillerOrderNumber)
    }

    private static func putContributingEquipment(
        into document: borrowing SRBuilder, _ report: OutgoingReport, _ device: DeviceIdentity, _ times: DocumentTimes
    ) throws(ReportDocumentError) {
        let item = "(0018,A001)[0]"
        try document.putCode("\(item).(0040,A170)", SRCode.processingEquipment)
        try document.put("\(item).(0008,0070)", device.manufacturer)
        try document.put("\(item).(0008,1090)", device.modelName)
        try document.put("\(item).(0018,1000)", device.serialNumber)
        try document.put("\(item).(0018,1002)", device.uid)
        try document.put("\(item).(0018,1020)", device.softwareVersions)
        // A signed version's time is the signature's; the device had done its part before.
        if report.signature == nil { try document.put("\(item).(0018,A002)", times.dateTime(report.createdAt)) }
        try document.put("\(item).(0018,A003)", "Drafted the findings section")
    }

    /// Author Observer Sequence: PS3.3 Table C.17-3b, observer type DEV. A draft has no human author.
    private static func putDeviceAsAuthor(
        into document: borrowing SRBuilder, _ report: OutgoingReport, _ device: DeviceIdentity
    ) throws(ReportDocumentError) {
        let item = "(0040,A078)[0]"
        try document.put("\(item).(0040,A084)", "DEV")
        try document.put("\(item).(0008,0070)", device.manufacturer)
        try document.put("\(item).(0008,0080)", report.study.institutionName)
        try document.putSequence("\(item).(0008,0082)")
        try document.put("\(item).(0008,1010)", "")
        try document.put("\(item).(0008,1090)", device.modelName)
        try document.put("\(item).(0018,1002)", device.uid)
    }

    /// Coding Scheme Identification Sequence: what 99RADIALOG is. PS3.3 C.12.1.1.2.
    private static func putPrivateCodingScheme(into document: borrowing SRBuilder) throws(ReportDocumentError) {
        try document.put("(0008,0110)[0].(0008,0102)", SRCode.privateScheme)
        try document.put("(0008,0110)[0].(0008,0115)", "radialogd private codes")
        try document.put("(0008,0110)[0].(0008,0116)", Build.manufacturer)
    }
}
