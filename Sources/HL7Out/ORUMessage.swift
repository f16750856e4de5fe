public import ReportModel

public enum ORUMessage {
    /// The complete message, segments ended by CR, without MLLP framing. The same report and profile always make
    /// the same bytes.
    public static func encode(_ report: OutgoingReport, profile: ORUProfile) throws(HL7Error) -> [UInt8] {
        []
    }
}
