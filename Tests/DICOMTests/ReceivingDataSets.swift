import DICOM

/// Builds small synthetic data sets, byte by byte, so that no library repairs what a test wants broken.
struct DataSetBuilder {
    var bytes: [UInt8] = []
    var isExplicit = true
    var isBigEndian = false

    static func number(_ value: UInt32, _ count: Int, bigEndian: Bool = false) -> [UInt8] {
        let little = (0..<count).map { UInt8(truncatingIfNeeded: value >> (UInt32($0) * 8)) }
        return bigEndian ? little.reversed() : little
    }

    mutating func header(_ tag: Tag, _ vr: String, length: UInt32) {
        bytes += Self.number(UInt32(tag.group), 2, bigEndian: isBigEndian)
        bytes += Self.number(UInt32(tag.element), 2, bigEndian: isBigEndian)
        if isExplicit, tag.group != 0xFFFE {
            bytes += Array(vr.utf8)
            if ["OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF", "OD", "OL", "OV", "SV", "UV"].contains(vr) {
                bytes += [0, 0] + Self.number(length, 4, bigEndian: isBigEndian)
            } else {
                bytes += Self.number(length, 2, bigEndian: isBigEndian)
            }
        } else {
            bytes += Self.number(length, 4, bigEndian: isBigEndian)
        }
    }

    mutating func element(_ tag: Tag, _ vr: String, _ value: [UInt8]) {
        header(tag, vr, length: UInt32(value.count))
        bytes += value
    }

    mutating func text(_ tag: Tag, _ vr: String, _ value: String) {
        var raw = Array(value.utf8)
        if !raw.count.isMultiple(of: 2) { raw.append(vr == "UI" ? 0 : 0x20) }
        element(tag, vr, raw)
    }

    mutating func item(length: UInt32 = 0xFFFF_FFFF) { header(.item, "", length: length) }
    mutating func endItem() { header(.itemDelimitationItem, "", length: 0) }
    mutating func endSequence() { header(.sequenceDelimitationItem, "", length: 0) }
}

/// A small film: everything that `StoreOperation` asks for, and a picture of 2 x 2.
struct SyntheticFilm {
    var sopClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    var sopInstanceUID = "2.25.1001"
    var studyInstanceUID = "2.25.1002"
    var seriesInstanceUID = "2.25.1003"
    var transferSyntaxUID = TransferSyntax.explicitVRLittleEndian
    var patientName = "Synthetic^Film"
    /// Called before the pixel data.
    var extra: (inout DataSetBuilder) -> Void = { _ in }

    var dataSet: [UInt8] {
        var set = DataSetBuilder()
        set.isExplicit = transferSyntaxUID != TransferSyntax.implicitVRLittleEndian
        set.isBigEndian = transferSyntaxUID == TransferSyntax.explicitVRBigEndian
        set.text(.sopClassUID, "UI", sopClassUID)
        set.text(.sopInstanceUID, "UI", sopInstanceUID)
        set.text(.studyDate, "DA", "20260102")
        set.text(.accessionNumber, "SH", "ACC1")
        set.text(.modality, "CS", "DX")
        set.text(.patientName, "PN", patientName)
        set.text(.patientID, "LO", "PID-1")
        set.text(.bodyPartExamined, "CS", "CHEST")
        set.text(.viewPosition, "CS", "PA")
        set.text(.studyInstanceUID, "UI", studyInstanceUID)
        set.text(.seriesInstanceUID, "UI", seriesInstanceUID)
        func short(_ tag: Tag, _ value: UInt32) {
            set.element(tag, "US", DataSetBuilder.number(value, 2, bigEndian: set.isBigEndian))
        }
        short(Tag(0x0028, 0x0002), 1)
        set.text(Tag(0x0028, 0x0004), "CS", "MONOCHROME2")
        short(.rows, 2)
        short(.columns, 2)
        short(Tag(0x0028, 0x0100), 8)
        short(Tag(0x0028, 0x0101), 8)
        short(Tag(0x0028, 0x0102), 7)
        short(Tag(0x0028, 0x0103), 0)
        extra(&set)
        let native = [TransferSyntax.implicitVRLittleEndian, TransferSyntax.explicitVRLittleEndian, TransferSyntax.explicitVRBigEndian]
        if native.contains(transferSyntaxUID) {
            set.element(.pixelData, set.isExplicit ? "OW" : "", [0, 64, 128, 255])
        } else {
            set.header(.pixelData, "OB", length: 0xFFFF_FFFF)
            set.item(length: 0)
            set.item(length: 8)
            set.bytes += [0xFF, 0xD8, 1, 2, 3, 4, 0xFF, 0xD9]
            set.endSequence()
        }
        return set.bytes
    }

    var file: [UInt8] {
        FileMetaInformation.header(
            sopClassUID: sopClassUID, sopInstanceUID: sopInstanceUID, transferSyntaxUID: transferSyntaxUID,
            sourceAETitle: "TEST") + dataSet
    }
}
