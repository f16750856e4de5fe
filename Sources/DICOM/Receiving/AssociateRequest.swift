/// An A-ASSOCIATE-RQ as it came, checked before DCMTK parses it. PS3.8 Table 9-11 ff.
///
/// DCMTK leaks memory for repeated user identity items and on several malformed requests, before anybody has looked at an
/// AE title; so it is given only requests whose structure this type has walked.
package struct AssociateRequest: Sendable, Equatable {
    /// Bytes of the whole PDU. A request of 128 contexts with 20 transfer syntaxes each stays below.
    package static let maximumBytes = 64 * 1024
    package static let maximumContexts = 128
    /// Transfer syntaxes of one context.
    package static let maximumTransferSyntaxes = 64

    package struct PresentationContext: Sendable, Equatable {
        package var id: UInt8
        package var abstractSyntax: String
        package var transferSyntaxes: [String]

        package init(id: UInt8, abstractSyntax: String, transferSyntaxes: [String]) {
            self.id = id
            self.abstractSyntax = abstractSyntax
            self.transferSyntaxes = transferSyntaxes
        }
    }

    /// Why a request is not handed on.
    package enum Refusal: Error, Equatable, Sendable {
        /// A-ASSOCIATE-RJ.
        case rejected(AssociationRejection, String)
        /// A-ABORT: what came is not a request.
        case malformed(String)
    }

    /// Without padding; bytes that are not printable ASCII as `\xHH`.
    package private(set) var calledAETitle = ""
    package private(set) var callingAETitle = ""
    package private(set) var contexts: [PresentationContext] = []
    /// 0: no limit, or not told.
    package private(set) var maximumLengthReceived: UInt32 = 0
    package private(set) var implementationVersionName = ""

    /// Length of the whole PDU from its first six bytes.
    ///
    /// - Throws: `malformed` when it is no A-ASSOCIATE-RQ, or too long to be read.
    package static func length(header: some Collection<UInt8>) throws(Refusal) -> Int {
        let bytes = Array(header.prefix(6))
        guard bytes.count == 6, bytes[0] == 0x01 else { throw .malformed("the first PDU is no A-ASSOCIATE-RQ") }
        let length = bytes[2...].reduce(0) { $0 << 8 | Int($1) }
        guard length >= 68 else { throw .malformed("the A-ASSOCIATE-RQ is shorter than its fixed part") }
        guard length + 6 <= maximumBytes else { throw .malformed("the A-ASSOCIATE-RQ is longer than 64 KiB") }
        return length + 6
    }

    /// - Parameter pdu: the complete PDU.
    package init(_ pdu: [UInt8]) throws(Refusal) {
        guard try Self.length(header: pdu) == pdu.count else { throw .malformed("the A-ASSOCIATE-RQ has another length than it says") }
        calledAETitle = Self.printable(pdu[10..<26])
        callingAETitle = Self.printable(pdu[26..<42])
        guard pdu[7] & 0x01 == 1 else {
            throw .rejected(.protocolVersionNotSupported, "the protocol version is not supported")
        }
        var applicationContexts = 0
        var userInformations = 0
        for item in try Items(pdu[74...]).all() {
            switch item.type {
            case 0x10:
                applicationContexts += 1
                guard item.content.filter({ $0 != 0 && $0 != 0x20 }).elementsEqual("1.2.840.10008.3.1.1.1".utf8) else {
                    throw .rejected(.applicationContextNotSupported, "the application context is not DICOM's")
                }
            case 0x20:
                try addContext(item.content)
            case 0x50:
                userInformations += 1
                guard userInformations == 1 else { throw .malformed("more than one user information item") }
                try readUserInformation(item.content)
            default:
                break  // PS3.8 9.3.1: what is not recognized is ignored
            }
        }
        guard applicationContexts == 1 else { throw .malformed("not exactly one application context") }
        guard !contexts.isEmpty else { throw .malformed("no presentation context") }
    }

    /// Titles, in the requester's words, for a rejection before the rest is read.
    package static func titles(of pdu: [UInt8]) -> (called: String, calling: String) {
        guard pdu.count >= 74 else { return ("", "") }
        return (printable(pdu[10..<26]), printable(pdu[26..<42]))
    }

    private mutating func addContext(_ content: ArraySlice<UInt8>) throws(Refusal) {
        guard contexts.count < Self.maximumContexts else { throw .malformed("more than 128 presentation contexts") }
        guard content.count >= 4, let id = content.first else { throw .malformed("a presentation context is too short") }
        guard id & 1 == 1, !contexts.contains(where: { $0.id == id }) else {
            throw .malformed("a presentation context's ID is even, or used twice")
        }
        var abstractSyntaxes: [String] = []
        var transferSyntaxes: [String] = []
        for item in try Items(content.dropFirst(4)).all() {
            guard item.type == 0x30 || item.type == 0x40 else { continue }
            guard (1...64).contains(item.content.count) else {
                throw .malformed("a UID of a presentation context has no or too many characters")
            }
            let uid = String(decoding: item.content.filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
            if item.type == 0x30 { abstractSyntaxes.append(uid) } else { transferSyntaxes.append(uid) }
        }
        guard abstractSyntaxes.count == 1, (1...Self.maximumTransferSyntaxes).contains(transferSyntaxes.count) else {
            throw .malformed("a presentation context has not one abstract syntax and 1 to 64 transfer syntaxes")
        }
        contexts.append(
            PresentationContext(id: id, abstractSyntax: abstractSyntaxes[0], transferSyntaxes: transferSyntaxes))
    }

    private mutating func readUserInformation(_ content: ArraySlice<UInt8>) throws(Refusal) {
        var seen: Set<UInt8> = []
        for item in try Items(content).all() {
            // Only role selection and the two extended negotiations come once per SOP class.
            let mayRepeat: Set<UInt8> = [0x54, 0x56, 0x57]
            guard mayRepeat.contains(item.type) || seen.insert(item.type).inserted else {
                throw .malformed("a user information sub-item stands there twice")
            }
            switch item.type {
            case 0x51:
                guard item.content.count == 4 else { throw .malformed("the maximum length is not four bytes") }
                maximumLengthReceived = item.content.reduce(0) { $0 << 8 | UInt32($1) }
            case 0x52:
                guard item.content.count <= 64 else { throw .malformed("the implementation class UID is too long") }
            case 0x54:
                let uidLength = item.content.prefix(2).reduce(0) { $0 << 8 | Int($1) }
                guard item.content.count == uidLength + 4, uidLength <= 64 else { throw .malformed("a role selection's lengths disagree") }
            case 0x55:
                guard item.content.count <= 16 else { throw .malformed("the implementation version name is too long") }
                implementationVersionName = Self.printable(item.content)
            case 0x56, 0x57:
                let uidLength = item.content.prefix(2).reduce(0) { $0 << 8 | Int($1) }
                guard item.content.count >= uidLength + 2, uidLength <= 64 else {
                    throw .malformed("an extended negotiation's lengths disagree")
                }
            case 0x58:
                try checkUserIdentity(item.content)
            default:
                break
            }
        }
    }

    /// PS3.7 Table D.3-14. The identity itself is not used: peers are known by AE title and address.
    private func checkUserIdentity(_ content: ArraySlice<UInt8>) throws(Refusal) {
        let bytes = Array(content)
        guard bytes.count >= 6 else { throw .malformed("the user identity is too short") }
        let primary = Int(bytes[2]) << 8 | Int(bytes[3])
        guard bytes.count >= 6 + primary else { throw .malformed("the user identity's lengths disagree") }
        let secondary = Int(bytes[4 + primary]) << 8 | Int(bytes[5 + primary])
        guard bytes.count == 6 + primary + secondary else { throw .malformed("the user identity's lengths disagree") }
    }

    /// Type, reserved byte, 16-bit length, content: the shape of every item and sub-item.
    private struct Items {
        var bytes: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

        func all() throws(Refusal) -> [(type: UInt8, content: ArraySlice<UInt8>)] {
            var items: [(type: UInt8, content: ArraySlice<UInt8>)] = []
            var rest = bytes
            while !rest.isEmpty {
                let header = Array(rest.prefix(4))
                guard header.count == 4 else { throw .malformed("an item is cut") }
                let length = Int(header[2]) << 8 | Int(header[3])
                guard length <= rest.count - 4 else { throw .malformed("an item is longer than what holds it") }
                items.append((header[0], rest.dropFirst(4).prefix(length)))
                rest = rest.dropFirst(4 + length)
            }
            return items
        }
    }

    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        var trimmed = bytes
        while let last = trimmed.last, last == 0x20 || last == 0 { trimmed.removeLast() }
        return trimmed.drop { $0 == 0x20 }.map { byte in
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "\\") { return String(UnicodeScalar(byte)) }
            return "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
