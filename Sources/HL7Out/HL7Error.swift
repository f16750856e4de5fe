/// Why a message was not made, or not understood. Texts name fields and code points, never what stands in them.
public enum HL7Error: Error, Equatable, CustomStringConvertible {
    /// The destination's character set has no such character.
    case notInCharset(field: String, character: String, charset: String)
    /// A status that this destination must not be told.
    case statusRefused(String)
    /// The report contradicts itself: nothing is sent as final that nobody signed.
    case invalidReport(String)
    /// A received message is not HL7.
    case notAMessage(String)

    public var description: String {
        switch self {
        case .notInCharset(let field, let character, let charset):
            "\(field) has the character \(character), which \(charset) cannot carry; set charset = \"UNICODE UTF-8\" for this destination"
        case .statusRefused(let reason): reason
        case .invalidReport(let reason): "the report cannot be sent: \(reason)"
        case .notAMessage(let reason): "not an HL7 message: \(reason)"
        }
    }
}
