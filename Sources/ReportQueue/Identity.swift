internal import GRDB
internal import ReportModel

/// Why the patient of a study is in doubt. Such a study is kept, acknowledged, and not drafted until a human releases it;
/// the daemon never merges patients.
public enum IdentityDoubt: String, Sendable, Codable, CaseIterable {
    case missingPatientID = "missing-patient-id"
    /// This Study Instance UID came with another patient before.
    case studyOfAnotherPatient = "study-of-another-patient"
    /// This Patient ID came with another name or birth date before.
    case patientIDOfAnotherPerson = "patient-id-of-another-person"

    var noDraftReason: NoDraftReason { self == .missingPatientID ? .missingPatientID : .identityConflict }

    /// For a human. Says where to look, not who it is.
    public var detail: String {
        switch self {
        case .missingPatientID: "the study has no Patient ID"
        case .studyOfAnotherPatient: "objects of this Study Instance UID name different patients"
        case .patientIDOfAnotherPerson: "this Patient ID came with another name or birth date in another study"
        }
    }
}

extension PatientIdentity {
    /// Whether both can be one person: no attribute that both state differs. An empty one states nothing.
    ///
    /// Names are compared without what DICOM calls insignificant (PS3.5 6.2: trailing spaces and trailing delimiters), but
    /// with their case: folding it is for a human to do.
    func agrees(with other: PatientIdentity) -> Bool {
        func same(_ one: Substring, _ two: Substring) -> Bool { one.isEmpty || two.isEmpty || one == two }
        return same(patientID.trimmed(" "), other.patientID.trimmed(" "))
            && same(issuerOfPatientID.trimmed(" "), other.issuerOfPatientID.trimmed(" "))
            && same(patientName.trimmed(" ^="), other.patientName.trimmed(" ^="))
            && same(patientBirthDate.trimmed(" "), other.patientBirthDate.trimmed(" "))
    }
}

extension String {
    /// Without leading spaces and without trailing characters of `set`.
    fileprivate func trimmed(_ set: String) -> Substring {
        var text = self[...].drop { $0 == " " }
        while let last = text.last, set.contains(last) { text.removeLast() }
        return text
    }
}

extension StudyDescription {
    /// Takes over what earlier objects of the study left empty. The patient is never touched: it goes out as it came in.
    mutating func fillEmpty(from other: StudyDescription) {
        func fill(_ path: WritableKeyPath<StudyDescription, String>) {
            if self[keyPath: path].isEmpty { self[keyPath: path] = other[keyPath: path] }
        }
        for path: WritableKeyPath<StudyDescription, String> in [
            \.studyID, \.accessionNumber, \.studyDate, \.studyTime, \.timezoneOffsetFromUTC, \.studyDescription, \.referringPhysicianName,
            \.institutionName, \.placerOrderNumber, \.fillerOrderNumber, \.requestedProcedureID, \.requestedProcedureDescription,
        ] { fill(path) }
        if procedureCode == nil { procedureCode = other.procedureCode }
    }
}

extension Transaction {
    /// What is wrong with the patient that `study` names, seen against what is known.
    func identityDoubt(_ study: StudyDescription) throws -> IdentityDoubt? {
        if let known = try row("SELECT patient FROM study WHERE study_instance_uid = ?", [study.studyInstanceUID]) {
            let first = try JSON.value(PatientIdentity.self, known["patient"], of: "study \(study.studyInstanceUID)")
            // Two states of an ID in one study, one of them empty, are two patients: nothing says which is right.
            guard study.patient.agrees(with: first), study.patient.patientID.isEmpty == first.patientID.isEmpty else {
                return .studyOfAnotherPatient
            }
        }
        if study.patient.patientID.allSatisfy({ $0 == " " }) { return .missingPatientID }
        // Compared with what is accepted, so that one study in doubt does not put every later one of the patient in doubt,
        // and what a human released counts from then on.
        let accepted = try rows(
            "SELECT DISTINCT patient FROM study WHERE patient_id = ? AND identity_conflict IS NULL", [study.patient.patientID]
        )
        .map { try JSON.value(PatientIdentity.self, $0["patient"], of: "a study of the same patient") }
        .filter { other in
            // The same ID from two stated issuers is two IDs.
            let issuers = [study.patient.issuerOfPatientID, other.issuerOfPatientID]
            return issuers.contains("") || issuers[0] == issuers[1]
        }
        return accepted.isEmpty || accepted.contains { study.patient.agrees(with: $0) } ? nil : .patientIDOfAnotherPerson
    }
}

extension ReportQueue {
    /// A human says that the patient's identity is right after all: the study is drafted, or its draft can be signed.
    ///
    /// - Throws: `.notPermitted` for a service account; `.authentication(.expired)`; `.notFound`; `.conflict(.state)` when
    ///   nothing is in doubt.
    public func releaseIdentity(study uid: String, by user: AuthenticatedUser) throws(QueueError) {
        try write("releasing study \(uid)") { transaction in
            try transaction.requireCurrent(user, roles: [.radiologist, .admin], to: "release a patient's identity")
            let study = try transaction.study(uid)
            guard let doubt = study["identity_conflict"] as String? else {
                throw QueueError.Conflict.state(what: "the patient's identity of study \(uid)", found: "not in doubt")
            }
            let id: Int64 = study["id"]
            try transaction.run(
                "UPDATE study SET identity_conflict = NULL, identity_released_by = ? WHERE id = ?", [user.name, id])
            let head = try transaction.headReport(studyID: id)
            if try transaction.openJob(studyID: id) == nil, head == nil || head?.state == .withdrawn {
                try transaction.openNewJob(studyID: id)
            }
            try transaction.audit(
                AuditEvent(code: .patientRecord, type: "identity-released", action: .update, actor: user.name, studyInstanceUID: uid, detail: doubt))
        }
    }
}
