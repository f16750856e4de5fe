/// What the ORU of one receiver looks like. Raw values are what stands in the message.
public struct ORUProfile: Sendable, Equatable {
    /// MSH-12.
    public enum Version: String, Sendable, CaseIterable {
        case v2_3_1 = "2.3.1"
        case v2_4 = "2.4"
        case v2_5_1 = "2.5.1"
    }

    /// MSH-18, HL7 table 0211.
    public enum Charset: String, Sendable, CaseIterable {
        case utf8 = "UNICODE UTF-8"
        case latin1 = "8859/1"
        case ascii = "ASCII"
    }

    /// OBX-2 of report text: one OBX a line, or one OBX with `\.br\`.
    public enum TextType: String, Sendable, CaseIterable {
        case tx = "TX"
        case ft = "FT"
    }

    /// MSH-11, HL7 table 0103.
    public enum ProcessingID: String, Sendable, CaseIterable {
        case production = "P"
        case training = "T"
        case debugging = "D"
    }

    /// OBR-25 and OBX-11 of unsigned text, HL7 tables 0123 and 0085.
    public enum DraftStatus: String, Sendable, CaseIterable {
        /// Results stored; not yet verified.
        case resultsStored = "R"
        /// Preliminary: by the tables a *verified* early result. For receivers that know only P, F and C.
        case preliminary = "P"
    }

    /// MSH-15 and MSH-16, HL7 table 0155.
    public enum Acknowledgement: String, Sendable, CaseIterable {
        /// Both empty: one application acknowledgement (AA, AE, AR).
        case original
        /// AL and AL: a commit acknowledgement (CA, CE, CR), then an application acknowledgement.
        case enhanced
        /// AL and NE: a commit acknowledgement only.
        case commit
    }

    public var version = Version.v2_5_1
    public var charset = Charset.utf8
    public var textType = TextType.tx
    public var processingID = ProcessingID.production
    public var draftStatus = DraftStatus.resultsStored
    public var acknowledgement = Acknowledgement.original
    /// The receiver turns messages into archive documents (dcm4chee-arc makes an SR that says VERIFIED of a P):
    /// status P is refused toward it.
    public var isArchive = false
    /// MSH-3 … MSH-6: HD, up to three components by `^`.
    public var sendingApplication = "RADIALOGD"
    public var sendingFacility = ""
    public var receivingApplication = ""
    public var receivingFacility = ""

    public init() {}
}
