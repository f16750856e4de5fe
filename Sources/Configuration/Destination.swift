public import ReportModel

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
        public var format: ORUProfile
        public var connectTimeout: Duration
        /// From the last byte sent to the acknowledgement, in total.
        public var ackTimeout: Duration
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
        public var format: ORUProfile

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
