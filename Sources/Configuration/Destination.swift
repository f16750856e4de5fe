/// `[[destination]]`: one receiver of reports.
public struct Destination: Sendable, Equatable {
    /// Unique; deliveries are booked under it.
    public var name: String
    /// false: nothing new is booked for it and nothing is sent; what is booked waits.
    public var isEnabled: Bool
    public var receives: Set<Stage>
    public var endpoint: Endpoint
    public var retry: Retry

    public enum Stage: String, Sendable, CaseIterable {
        /// Unsigned machine text, as preliminary.
        case drafts
        /// Signed and corrected reports.
        case signed
    }

    public enum Kind: String, Sendable, CaseIterable {
        case hl7, dicom, folder
    }

    public enum Endpoint: Sendable, Equatable {
        /// ORU^R01 over MLLP.
        case hl7(HL7Endpoint)
        /// SR by C-STORE.
        case dicom(DICOMEndpoint)
        /// Files.
        case folder(FolderEndpoint)
    }

    public var kind: Kind {
        switch endpoint {
        case .hl7: .hl7
        case .dicom: .dicom
        case .folder: .folder
        }
    }

    public struct HL7Endpoint: Sendable, Equatable {
        /// Name or address.
        public var host: String
        public var port: Int
        public var format: HL7Format
        public var connectTimeout: Duration
        /// From the last byte sent to the acknowledgement, in total.
        public var ackTimeout: Duration
    }

    /// What the ORU of one receiver looks like. Raw values are what stands in the message.
    public struct HL7Format: Sendable, Equatable {
        public var version: Version
        public var charset: Charset
        public var textType: TextType
        public var processingID: ProcessingID
        public var draftStatus: DraftStatus
        public var acknowledgement: Acknowledgement
        /// The receiver turns messages into archive documents: draft status P is refused (reports.md).
        public var isArchive: Bool
        /// MSH-3 … MSH-6; up to three components by `^`.
        public var sendingApplication: String
        public var sendingFacility: String
        public var receivingApplication: String
        public var receivingFacility: String

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

        /// OBX-2 of report text.
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

        /// OBR-25 and OBX-11 of unsigned text.
        public enum DraftStatus: String, Sendable, CaseIterable {
            /// Results stored; not yet verified.
            case resultsStored = "R"
            /// Preliminary: by the tables a *verified* early result.
            case preliminary = "P"
        }

        /// MSH-15 and MSH-16.
        public enum Acknowledgement: String, Sendable, CaseIterable {
            /// One application acknowledgement.
            case original
            /// A commit acknowledgement, then an application acknowledgement.
            case enhanced
            /// A commit acknowledgement only.
            case commit
        }
    }

    public struct DICOMEndpoint: Sendable, Equatable {
        public var host: String
        public var port: Int
        /// Called AE title.
        public var aeTitle: String
        public var callingAETitle: String
        public var connectTimeout: Duration
        /// For each answer of the receiver.
        public var responseTimeout: Duration
    }

    public struct FolderEndpoint: Sendable, Equatable {
        public var path: String
        public var documents: [Document]
        public var format: HL7Format

        public enum Document: String, Sendable, CaseIterable {
            case oru, sr, text, json
        }
    }

    /// Two kinds of failure, two answers: a receiver that is busy or away is asked again with growing pauses; one
    /// that refuses the content is asked a few times, then a person must look.
    public struct Retry: Sendable, Equatable {
        /// Pause after the first failure; doubled after each further one.
        public var firstPause: Duration
        public var longestPause: Duration
        /// How often content that the receiver refuses is sent in all.
        public var contentAttempts: Int
        /// Age at which an undelivered document counts as failed; nil: never.
        public var giveUpAfter: Duration?
        /// Age of the oldest undelivered document that raises an alarm in the log.
        public var alarmAfter: Duration
    }
}
