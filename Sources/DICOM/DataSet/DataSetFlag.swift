/// Something odd in a data set that does not keep it from being used. The raw values are stored and logged.
public enum DataSetFlag: String, Sendable, Codable, CaseIterable, Hashable {
    /// A text has bytes that its character set does not know; they are shown as `\xHH`.
    case illegalCharacters = "illegal-characters"
    /// (0008,0005) names a character set that is not known; everything outside ASCII is shown as `\xHH`.
    case unknownCharacterSet = "unknown-character-set"
    /// A value was longer than 10 KiB and is shown cut.
    case valueCut = "value-cut"
    /// A value is longer than its VR allows; it is shown whole.
    case valueTooLong = "value-too-long"
    /// An attribute stands there twice; the first one counts.
    case duplicateAttribute = "duplicate-attribute"
    /// Attributes are not in ascending order.
    case outOfOrder = "out-of-order"
    /// Item or delimiter tags stand where none belongs; they were skipped.
    case strayDelimiter = "stray-delimiter"
    /// Up to seven bytes, or bytes of zero, stand behind the last attribute.
    case trailingBytes = "trailing-bytes"
    /// A VR that the standard does not know.
    case unknownVR = "unknown-vr"
    /// Bytes look like a sequence, but are none; they were skipped as a value.
    case opaqueSequence = "opaque-sequence"
    /// The bytes are in another VR encoding than the transfer syntax says.
    case wrongVREncoding = "wrong-vr-encoding"
    /// Attributes of group 0000 or 0002 stand in the data set; they were skipped.
    case strayGroup = "stray-group"
    /// The file has no Part 10 header (preamble and meta information).
    case noFileMeta = "no-file-meta"
    /// A sequence or an item ends with the data set, without its delimiter.
    case missingDelimiter = "missing-delimiter"
}
