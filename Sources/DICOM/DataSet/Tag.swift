/// A data element tag, (gggg,eeee). PS3.6.
package struct Tag: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package init(_ group: UInt16, _ element: UInt16) {
        rawValue = UInt32(group) << 16 | UInt32(element)
    }

    package var group: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }
    package var element: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    package static func < (left: Tag, right: Tag) -> Bool { left.rawValue < right.rawValue }

    package var description: String { "(\(Tag.hex(group)),\(Tag.hex(element)))" }

    private static func hex(_ number: UInt16) -> String {
        let digits = String(number, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// The attributes that receiving and describing read, by their keywords. PS3.6 Table 6-1.
extension Tag {
    package static let transferSyntaxUID = Tag(0x0002, 0x0010)

    package static let specificCharacterSet = Tag(0x0008, 0x0005)
    package static let imageType = Tag(0x0008, 0x0008)
    package static let sopClassUID = Tag(0x0008, 0x0016)
    package static let sopInstanceUID = Tag(0x0008, 0x0018)
    package static let studyDate = Tag(0x0008, 0x0020)
    package static let acquisitionDate = Tag(0x0008, 0x0022)
    package static let contentDate = Tag(0x0008, 0x0023)
    package static let acquisitionDateTime = Tag(0x0008, 0x002A)
    package static let studyTime = Tag(0x0008, 0x0030)
    package static let acquisitionTime = Tag(0x0008, 0x0032)
    package static let contentTime = Tag(0x0008, 0x0033)
    package static let accessionNumber = Tag(0x0008, 0x0050)
    package static let modality = Tag(0x0008, 0x0060)
    package static let presentationIntentType = Tag(0x0008, 0x0068)
    package static let institutionName = Tag(0x0008, 0x0080)
    package static let referringPhysicianName = Tag(0x0008, 0x0090)
    package static let codeValue = Tag(0x0008, 0x0100)
    package static let codingSchemeDesignator = Tag(0x0008, 0x0102)
    package static let codeMeaning = Tag(0x0008, 0x0104)
    package static let longCodeValue = Tag(0x0008, 0x0119)
    package static let urnCodeValue = Tag(0x0008, 0x0120)
    package static let timezoneOffsetFromUTC = Tag(0x0008, 0x0201)
    package static let studyDescription = Tag(0x0008, 0x1030)
    package static let procedureCodeSequence = Tag(0x0008, 0x1032)
    package static let seriesDescription = Tag(0x0008, 0x103E)
    package static let anatomicRegionSequence = Tag(0x0008, 0x2218)
    package static let patientName = Tag(0x0010, 0x0010)
    package static let patientID = Tag(0x0010, 0x0020)
    package static let issuerOfPatientID = Tag(0x0010, 0x0021)
    package static let patientBirthDate = Tag(0x0010, 0x0030)
    package static let patientSex = Tag(0x0010, 0x0040)
    package static let patientSpeciesDescription = Tag(0x0010, 0x2201)
    package static let bodyPartExamined = Tag(0x0018, 0x0015)
    package static let viewPosition = Tag(0x0018, 0x5101)
    package static let studyInstanceUID = Tag(0x0020, 0x000D)
    package static let seriesInstanceUID = Tag(0x0020, 0x000E)
    package static let studyID = Tag(0x0020, 0x0010)
    package static let seriesNumber = Tag(0x0020, 0x0011)
    package static let instanceNumber = Tag(0x0020, 0x0013)
    package static let patientOrientation = Tag(0x0020, 0x0020)
    package static let numberOfFrames = Tag(0x0028, 0x0008)
    package static let rows = Tag(0x0028, 0x0010)
    package static let columns = Tag(0x0028, 0x0011)
    package static let burnedInAnnotation = Tag(0x0028, 0x0301)
    package static let requestedProcedureDescription = Tag(0x0032, 0x1060)
    package static let requestedProcedureCodeSequence = Tag(0x0032, 0x1064)
    package static let requestAttributesSequence = Tag(0x0040, 0x0275)
    package static let requestedProcedureID = Tag(0x0040, 0x1001)
    package static let placerOrderNumber = Tag(0x0040, 0x2016)
    package static let fillerOrderNumber = Tag(0x0040, 0x2017)
    package static let viewCodeSequence = Tag(0x0054, 0x0220)
    package static let pixelData = Tag(0x7FE0, 0x0010)

    package static let item = Tag(0xFFFE, 0xE000)
    package static let itemDelimitationItem = Tag(0xFFFE, 0xE00D)
    package static let sequenceDelimitationItem = Tag(0xFFFE, 0xE0DD)
}
