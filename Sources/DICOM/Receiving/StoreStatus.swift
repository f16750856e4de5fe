/// Status of a C-STORE response. PS3.4 Table B.2-1; general codes PS3.7 Annex C.
public struct StoreStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    public static let success = Self(rawValue: 0x0000)
    /// Refused: SOP class not supported (PS3.7 C.5.6): not the abstract syntax of the message's presentation context.
    public static let sopClassNotSupported = Self(rawValue: 0x0122)
    /// Refused: unrecognized operation (PS3.7 C.5.23).
    public static let unrecognizedOperation = Self(rawValue: 0x0211)
    /// Refused: out of resources, A7xx. The sender tries again later.
    public static let outOfResources = Self(rawValue: 0xA700)
    /// Error: data set does not match SOP class, A9xx. Also: its UIDs are not those of the command.
    public static let dataSetDoesNotMatchSOPClass = Self(rawValue: 0xA900)
    /// Error: cannot understand, Cxxx. The data set's structure is broken, or hostile.
    public static let cannotUnderstand = Self(rawValue: 0xC000)
    /// Cannot understand: a UID that identifies the object is missing or is not a UID.
    public static let invalidIdentification = Self(rawValue: 0xC001)

    public var isSuccess: Bool { self == .success }

    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
