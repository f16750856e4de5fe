public import Foundation

/// Whether a person has answered for a report.
public enum ReportStatus: String, Sendable, Codable {
    /// Machine text, nobody answers for it.
    case preliminary
    /// Signed by a named human.
    case final
    /// A signed report that replaces an earlier signed one.
    case corrected
}

/// A person's signature under exactly one text.
public struct Signature: Sendable, Codable, Equatable {
    /// Login name.
    public var userName: String
    /// As it is printed, and as PN where it goes into DICOM: `Family^Given`.
    public var personName: String
    /// (0040,A027)
    public var organization: String
    public var signedAt: Date
    /// SHA-256 of the UTF-8 text that was shown, lower-case hex.
    public var textSHA256: String

    public init(userName: String, personName: String, organization: String, signedAt: Date, textSHA256: String) {
        self.userName = userName
        self.personName = personName
        self.organization = organization
        self.signedAt = signedAt
        self.textSHA256 = textSHA256
    }
}

/// A composite object by class and instance.
public struct InstanceReference: Sendable, Codable, Hashable {
    public var sopClassUID: String
    public var sopInstanceUID: String
    public var seriesInstanceUID: String

    public init(sopClassUID: String, sopInstanceUID: String, seriesInstanceUID: String) {
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
        self.seriesInstanceUID = seriesInstanceUID
    }
}

/// One version of one study's report, complete: all that an ORU or an SR is made from, and nothing else.
/// The same value always makes the same bytes.
public struct OutgoingReport: Sendable, Codable, Equatable {
    public var study: StudyDescription
    /// Every image of the study that was received, in a fixed order.
    public var images: [InstanceReference]
    /// The image the draft was made from.
    public var keyImage: InstanceReference
    /// 1, 2, … within the study; counts drafts and signed versions alike.
    public var version: Int
    public var status: ReportStatus
    /// The findings section.
    public var text: String
    public var findings: [Finding]
    public var provenance: DraftProvenance
    /// nil exactly when `status` is `.preliminary`.
    public var signature: Signature?
    /// When this version came into being (the signature's time once signed).
    public var createdAt: Date
    /// SOP Instance UID that this version's SR has.
    public var documentUID: String
    /// The series all of the study's report documents lie in.
    public var documentSeriesUID: String
    /// The version this one replaces: SOP Instance UID of its SR (same class, same series).
    public var predecessorUID: String?
    /// MSH-10 of this version's ORU: the same on every retry.
    public var messageControlID: String
    /// Of a preliminary version, the draft's; nil for signed text, which they are not about.
    public var flags: [DraftFlag]?

    public init(
        study: StudyDescription, images: [InstanceReference], keyImage: InstanceReference, version: Int, status: ReportStatus,
        text: String, findings: [Finding], provenance: DraftProvenance, signature: Signature?, createdAt: Date,
        documentUID: String, documentSeriesUID: String, predecessorUID: String?, messageControlID: String,
        flags: [DraftFlag]? = nil
    ) {
        self.study = study
        self.images = images
        self.keyImage = keyImage
        self.version = version
        self.status = status
        self.text = text
        self.findings = findings
        self.provenance = provenance
        self.signature = signature
        self.createdAt = createdAt
        self.documentUID = documentUID
        self.documentSeriesUID = documentSeriesUID
        self.predecessorUID = predecessorUID
        self.messageControlID = messageControlID
        self.flags = flags
    }
}
