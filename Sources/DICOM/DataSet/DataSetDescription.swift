package import ReportModel

/// The scan's raw values as the descriptions that the rest of the program knows.
package struct DataSetDescription {
    package private(set) var study = StudyDescription()
    package private(set) var instance = InstanceDescription()
    package private(set) var flags: Set<DataSetFlag>

    /// - Parameter transferSyntaxUID: as negotiated, or from the file's meta information.
    package init(_ scan: borrowing DataSetScan, transferSyntaxUID: String) {
        var reader = Reader(scan)
        study = reader.study()
        instance = reader.instance(transferSyntaxUID: transferSyntaxUID)
        flags = scan.flags.union(reader.text.flags)
    }

    /// Reads values in one data set's character set and byte order.
    private struct Reader {
        var text: DataSetText
        let values: [[Tag]: [UInt8]]
        let isBigEndian: Bool

        init(_ scan: borrowing DataSetScan) {
            values = scan.values
            isBigEndian = scan.encoding.isBigEndian
            text = DataSetText(specificCharacterSet: scan.values[[.specificCharacterSet]])
        }

        mutating func study() -> StudyDescription {
            var study = StudyDescription()
            study.patient.patientID = long(.patientID)
            study.patient.issuerOfPatientID = long(.issuerOfPatientID)
            study.patient.patientName = text.string(values[[.patientName]], .personName)
            study.patient.patientBirthDate = code(.patientBirthDate)
            study.patient.patientSex = code(.patientSex)
            study.studyInstanceUID = code(.studyInstanceUID)
            study.studyID = short(.studyID)
            study.accessionNumber = short(.accessionNumber)
            study.studyDate = code(.studyDate)
            study.studyTime = code(.studyTime)
            study.timezoneOffsetFromUTC = code(.timezoneOffsetFromUTC)
            study.studyDescription = long(.studyDescription)
            study.referringPhysicianName = text.string(values[[.referringPhysicianName]], .personName)
            study.institutionName = long(.institutionName)
            let request = [Tag.requestAttributesSequence]
            study.placerOrderNumber = first(long(.placerOrderNumber), long(.placerOrderNumber, in: request))
            study.fillerOrderNumber = first(long(.fillerOrderNumber), long(.fillerOrderNumber, in: request))
            study.requestedProcedureID = first(
                short(.requestedProcedureID, in: request), short(.requestedProcedureID))
            study.requestedProcedureDescription = first(
                long(.requestedProcedureDescription), long(.requestedProcedureDescription, in: request))
            study.procedureCode =
                coded([.procedureCodeSequence]) ?? coded([.requestedProcedureCodeSequence])
                ?? coded(request + [.requestedProcedureCodeSequence])
            return study
        }

        mutating func instance(transferSyntaxUID: String) -> InstanceDescription {
            var instance = InstanceDescription()
            instance.sopClassUID = code(.sopClassUID)
            instance.sopInstanceUID = code(.sopInstanceUID)
            instance.seriesInstanceUID = code(.seriesInstanceUID)
            instance.transferSyntaxUID = transferSyntaxUID
            instance.modality = code(.modality)
            instance.seriesNumber = code(.seriesNumber)
            instance.instanceNumber = code(.instanceNumber)
            instance.seriesDescription = long(.seriesDescription)
            instance.viewPosition = code(.viewPosition)
            instance.viewCode = coded([.viewCodeSequence])
            instance.patientOrientation = code(.patientOrientation)
            instance.bodyPartExamined = code(.bodyPartExamined)
            instance.anatomicRegionCode = coded([.anatomicRegionSequence])
            instance.presentationIntentType = code(.presentationIntentType)
            instance.patientSpeciesDescription = long(.patientSpeciesDescription)
            instance.imageType = code(.imageType)
            instance.acquisitionDateTime = first(
                moment(.acquisitionDate, .acquisitionTime), code(.acquisitionDateTime), moment(.contentDate, .contentTime))
            instance.rows = number(.rows)
            instance.columns = number(.columns)
            instance.numberOfFrames = max(1, Int(code(.numberOfFrames)) ?? 1)
            instance.burnedInAnnotation = code(.burnedInAnnotation)
            return instance
        }

        mutating func long(_ tag: Tag, in sequences: [Tag] = []) -> String {
            text.string(values[sequences + [tag]], .text(maximumCharacters: 64))
        }

        mutating func short(_ tag: Tag, in sequences: [Tag] = []) -> String {
            text.string(values[sequences + [tag]], .text(maximumCharacters: 16))
        }

        mutating func code(_ tag: Tag) -> String { text.string(values[[tag]], .code) }

        /// A date and its time in one string, as DT writes it; empty without a date.
        mutating func moment(_ date: Tag, _ time: Tag) -> String {
            let day = code(date)
            return day.isEmpty ? "" : day + code(time)
        }

        /// nil without a code value.
        mutating func coded(_ sequence: [Tag]) -> Code? {
            let value = first(
                short(.codeValue, in: sequence), text.string(values[sequence + [.longCodeValue]], .text(maximumCharacters: .max)),
                text.string(values[sequence + [.urnCodeValue]], .code))
            guard !value.isEmpty else { return nil }
            return Code(
                value: value, scheme: short(.codingSchemeDesignator, in: sequence), meaning: long(.codeMeaning, in: sequence))
        }

        func first(_ candidates: String...) -> String { candidates.first { !$0.isEmpty } ?? "" }

        /// VR US; 0 when absent, or not of two bytes.
        func number(_ tag: Tag) -> Int {
            guard let bytes = values[[tag]], bytes.count >= 2 else { return 0 }
            return isBigEndian ? Int(bytes[0]) << 8 | Int(bytes[1]) : Int(bytes[1]) << 8 | Int(bytes[0])
        }
    }
}
