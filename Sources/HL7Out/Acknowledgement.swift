/// MSA of an acknowledgement, HL7 2.5.1 2.15.8; the receiver's words from MSA-3 and ERR.
public struct Acknowledgement: Sendable, Equatable {
    /// MSA-1, HL7 table 0008.
    public enum Code: String, Sendable {
        case applicationAccept = "AA"
        case applicationError = "AE"
        case applicationReject = "AR"
        case commitAccept = "CA"
        case commitError = "CE"
        case commitReject = "CR"
    }

    public var code: Code
    /// MSA-2: MSH-10 of the message that is acknowledged.
    public var controlID: String
    /// One line, at most `longestText` characters. May hold patient data: for the delivery's row, not for logs.
    public var text: String
    /// MSH-10 of the acknowledgement itself, and whether MSH-15 asks for an answer to it.
    public var ownControlID: String
    public var wantsAnswer: Bool

    private static let longestText = 500

    /// - Throws: `.notAMessage`, also for a message without MSA or with another code.
    public init(_ bytes: [UInt8]) throws(HL7Error) {
        let message = try HL7Message(bytes)
        guard message.segment("MSA") != nil else { throw .notAMessage("it has no MSA segment") }
        guard let code = Code(rawValue: message.text("MSA", 1)) else { throw .notAMessage("MSA-1 is not AA, AE, AR, CA, CE or CR") }
        self.code = code
        controlID = message.text("MSA", 2)
        ownControlID = message.text("MSH", 10)
        wantsAnswer = message.text("MSH", 15) == "AL"
        text = Self.text(message)
    }

    /// MSA-3, then of each ERR: user message (8), diagnostic information (7), error code (3; before 2.5 in 1.4).
    private static func text(_ message: HL7Message) -> String {
        var parts = [message.text("MSA", 3)]
        for segment in message.segments where segment.name == "ERR" {
            let field = { (number: Int, component: Int) in
                segment.fields.indices.contains(number) ? message.text(of: segment.fields[number], component: component) : ""
            }
            parts += [field(8, 1), field(7, 1), field(3, 2), field(3, 1), field(1, 4)]
        }
        var words: [String] = []
        for part in parts {
            let line = String(String.UnicodeScalarView(part.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? " " : $0 }))
            if line.contains(where: { $0 != " " }), !words.contains(line) { words.append(line) }
        }
        return String(words.joined(separator: "; ").prefix(longestText))
    }

    /// A commit accept for the acknowledgement whose MSH-10 is `controlID`, as a receiver in enhanced mode may ask for.
    package static func commitAccept(of controlID: String) -> [UInt8] {
        let escaped = HL7Text.escaped(controlID)
        return Array("MSH|^~\\&|RADIALOGD||||||ACK|\(escaped)|P|2.5.1\rMSA|CA|\(escaped)\r".utf8)
    }
}
