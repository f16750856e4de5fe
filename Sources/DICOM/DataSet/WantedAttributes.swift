/// Which attributes a scan collects: a tree, because some are wanted from the first item of a sequence.
package indirect enum WantedAttributes: Sendable {
    /// The value of this attribute.
    case value
    /// Attributes of the sequence's first item.
    case firstItem([Tag: WantedAttributes])

    private static let code: WantedAttributes = .firstItem([
        .codeValue: .value, .codingSchemeDesignator: .value, .codeMeaning: .value, .longCodeValue: .value,
        .urnCodeValue: .value,
    ])

    /// What `StudyDescription` and `InstanceDescription` are made of.
    package static let description: [Tag: WantedAttributes] = {
        let values: [Tag] = [
            .specificCharacterSet, .imageType, .sopClassUID, .sopInstanceUID, .studyDate, .acquisitionDate,
            .contentDate, .acquisitionDateTime, .studyTime, .acquisitionTime, .contentTime, .accessionNumber, .modality,
            .presentationIntentType, .institutionName, .referringPhysicianName, .timezoneOffsetFromUTC,
            .studyDescription, .seriesDescription, .patientName, .patientID, .issuerOfPatientID, .patientBirthDate,
            .patientSex, .patientSpeciesDescription, .bodyPartExamined, .viewPosition, .studyInstanceUID,
            .seriesInstanceUID, .studyID, .seriesNumber, .instanceNumber, .patientOrientation, .numberOfFrames, .rows,
            .columns, .burnedInAnnotation, .requestedProcedureDescription, .requestedProcedureID, .placerOrderNumber,
            .fillerOrderNumber,
        ]
        var wanted = Dictionary(uniqueKeysWithValues: values.map { ($0, WantedAttributes.value) })
        for sequence: Tag in [
            .procedureCodeSequence, .anatomicRegionSequence, .requestedProcedureCodeSequence, .viewCodeSequence,
        ] {
            wanted[sequence] = code
        }
        wanted[.requestAttributesSequence] = .firstItem([
            .requestedProcedureID: .value, .requestedProcedureDescription: .value,
            .requestedProcedureCodeSequence: code, .placerOrderNumber: .value, .fillerOrderNumber: .value,
        ])
        return wanted
    }()
}
