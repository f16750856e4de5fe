package import ReportModel

/// A command set: group 0000, always implicit VR little endian. PS3.7 6.3.1 and Annex E.
///
/// Read without recursion, and without any sequence: there is none in a command set, so one that has something of
/// undefined length is malformed.
package struct DIMSECommand: Sendable, Equatable {
    /// Bytes of a command set that is read. Real ones have some 200.
    package static let maximumBytes = 16 * 1024

    /// (0000,0100), PS3.7 E.1.
    package enum Field {
        package static let cStoreRQ: UInt16 = 0x0001
        package static let cEchoRQ: UInt16 = 0x0030
        package static let cCancelRQ: UInt16 = 0x0FFF
        /// Set in every response.
        package static let responseBit: UInt16 = 0x8000
    }

    /// (0000,0800) of a message without data set.
    package static let noDataSet: UInt16 = 0x0101

    package private(set) var commandField: UInt16
    /// (0000,0110); C-CANCEL has none.
    package private(set) var messageID: UInt16?
    package private(set) var hasDataSet: Bool
    /// (0000,0700): high, or medium for everything else.
    package private(set) var priority: StudyPriority
    /// (0000,0002), or (0000,0003) of the N services.
    package private(set) var sopClassUID = ""
    /// (0000,1000), or (0000,1001).
    package private(set) var sopInstanceUID = ""

    package struct Malformed: Error, Equatable {
        package let reason: String
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        var values: [UInt16: ArraySlice<UInt8>] = [:]
        var rest = bytes[...]
        while !rest.isEmpty {
            let header = Array(rest.prefix(8))
            guard header.count == 8 else { throw Malformed(reason: "the command set ends inside an element") }
            guard header[0] == 0, header[1] == 0 else { throw Malformed(reason: "the command set has an element outside group 0000") }
            let element = UInt16(header[3]) << 8 | UInt16(header[2])
            let length = header[4...].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard length <= rest.count - 8 else { throw Malformed(reason: "an element of the command set is longer than what is left") }
            if values[element] == nil { values[element] = rest.dropFirst(8).prefix(length) }
            rest = rest.dropFirst(8 + length)
        }
        func number(_ element: UInt16) -> UInt16? {
            guard let value = values[element], value.count == 2, let low = value.first, let high = value.last else { return nil }
            return UInt16(high) << 8 | UInt16(low)
        }
        guard let commandField = number(0x0100) else { throw Malformed(reason: "the command set has no command field") }
        guard let dataSetType = number(0x0800) else { throw Malformed(reason: "the command set has no data set type") }
        self.commandField = commandField
        hasDataSet = dataSetType != Self.noDataSet
        messageID = number(0x0110)
        // HIGH is 1, MEDIUM 0. LOW, 2, is what storescu and pynetdicom send where nobody chose: it says nothing.
        priority = number(0x0700) == 1 ? .high : .medium
        sopClassUID = Self.uid(values[0x0002] ?? values[0x0003])
        sopInstanceUID = Self.uid(values[0x1000] ?? values[0x1001])
    }

    private static func uid(_ value: ArraySlice<UInt8>?) -> String {
        String(decoding: (value ?? []).prefix(64).filter { (0x21...0x7E).contains($0) }, as: UTF8.self)
    }

    /// The response to this command.
    ///
    /// - Parameter comment: (0000,0902), at most 64 characters; for a status that is not success.
    package func response(status: UInt16, comment: String = "") -> [UInt8] {
        var body: [UInt8] = []
        if !sopClassUID.isEmpty { Self.append(&body, 0x0002, uid: sopClassUID) }
        Self.append(&body, 0x0100, number: commandField | Field.responseBit)
        Self.append(&body, 0x0120, number: messageID ?? 0)
        Self.append(&body, 0x0800, number: Self.noDataSet)
        Self.append(&body, 0x0900, number: status)
        if !comment.isEmpty {
            let text = Array(comment.utf8.prefix(64))
            Self.append(&body, 0x0902, text.count.isMultiple(of: 2) ? text : text + [0x20])
        }
        if !sopInstanceUID.isEmpty { Self.append(&body, 0x1000, uid: sopInstanceUID) }
        var command: [UInt8] = []
        Self.append(&command, 0x0000, (0..<4).map { UInt8(truncatingIfNeeded: body.count >> ($0 * 8)) })
        return command + body
    }

    private static func append(_ bytes: inout [UInt8], _ element: UInt16, uid: String) {
        let text = Array(uid.utf8)
        append(&bytes, element, text.count.isMultiple(of: 2) ? text : text + [0])
    }

    private static func append(_ bytes: inout [UInt8], _ element: UInt16, number: UInt16) {
        append(&bytes, element, [UInt8(number & 0xFF), UInt8(number >> 8)])
    }

    private static func append(_ bytes: inout [UInt8], _ element: UInt16, _ value: [UInt8]) {
        bytes += [0, 0, UInt8(element & 0xFF), UInt8(element >> 8)]
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: value.count >> ($0 * 8)) }
        bytes += value
    }
}
