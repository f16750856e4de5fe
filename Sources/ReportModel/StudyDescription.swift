/// A coded entry: PS3.3 Table 8.8-1.
public struct Code: Sendable, Codable, Hashable {
    public var value: String
    public var scheme: String
    public var meaning: String

    public init(value: String, scheme: String, meaning: String) {
        self.value = value
        self.scheme = scheme
        self.meaning = meaning
    }
}

/// Who the study says the patient is. UTF-8, otherwise exactly as received (component delimiters and all).
public struct PatientIdentity: Sendable, Codable, Hashable {
    /// (0010,0020)
    public var patientID = ""
    /// (0010,0021)
    public var issuerOfPatientID = ""
    /// (0010,0010): components by `^`, component groups by `=`.
    public var patientName = ""
    /// (0010,0030): YYYYMMDD, or empty.
    public var patientBirthDate = ""
    /// (0010,0040): M, F, O, or empty.
    public var patientSex = ""

    public init() {}
}

/// What the study-level attributes of a received object say. UTF-8; empty where absent.
public struct StudyDescription: Sendable, Codable, Hashable {
    public var patient = PatientIdentity()
    /// (0020,000D)
    public var studyInstanceUID = ""
    /// (0020,0010)
    public var studyID = ""
    /// (0008,0050)
    public var accessionNumber = ""
    /// (0008,0020): YYYYMMDD.
    public var studyDate = ""
    /// (0008,0030): HHMMSS.FFFFFF, possibly shortened.
    public var studyTime = ""
    /// (0008,0201): ±HHMM.
    public var timezoneOffsetFromUTC = ""
    /// (0008,1030)
    public var studyDescription = ""
    /// (0008,0090)
    public var referringPhysicianName = ""
    /// (0008,0080)
    public var institutionName = ""
    /// (0040,2016)
    public var placerOrderNumber = ""
    /// (0040,2017)
    public var fillerOrderNumber = ""
    /// (0040,1001), of the Request Attributes Sequence where it is there.
    public var requestedProcedureID = ""
    /// (0032,1060) or its equivalent in the Request Attributes Sequence.
    public var requestedProcedureDescription = ""
    /// (0008,1032) or (0032,1064), first item.
    public var procedureCode: Code?

    public init() {}
}

/// What one received image says of itself, as far as choosing and referencing it goes. UTF-8; empty where absent.
public struct InstanceDescription: Sendable, Codable, Hashable {
    public var sopClassUID = ""
    public var sopInstanceUID = ""
    public var seriesInstanceUID = ""
    public var transferSyntaxUID = ""
    /// (0008,0060)
    public var modality = ""
    /// (0020,0011)
    public var seriesNumber = ""
    /// (0020,0013)
    public var instanceNumber = ""
    /// (0008,103E)
    public var seriesDescription = ""
    /// (0018,5101)
    public var viewPosition = ""
    /// (0054,0220), first item.
    public var viewCode: Code?
    /// (0020,0020)
    public var patientOrientation = ""
    /// (0018,0015)
    public var bodyPartExamined = ""
    /// (0008,2218), first item.
    public var anatomicRegionCode: Code?
    /// (0008,0068): FOR PRESENTATION, FOR PROCESSING, or empty.
    public var presentationIntentType = ""
    /// (0010,2201)
    public var patientSpeciesDescription = ""
    /// (0010,2292)
    public var patientBreedDescription = ""
    /// (0018,1030)
    public var protocolName = ""
    /// (0018,1400): what the modality's operator picked, "CHEST PA" or "CANINE LATERAL THORAX".
    public var acquisitionDeviceProcessingDescription = ""
    /// (0008,0008), joined by `\`.
    public var imageType = ""
    /// (0008,0022) and (0008,0032), or of content.
    public var acquisitionDateTime = ""
    public var rows = 0
    public var columns = 0
    public var numberOfFrames = 1
    /// (0028,0301): YES, NO, or empty.
    public var burnedInAnnotation = ""

    public init() {}
}
