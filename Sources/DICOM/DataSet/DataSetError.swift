import Glibc

/// Why a file or a data set cannot be described. Holds no values of the data set.
public enum DataSetError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file cannot be opened or read.
    case unreadable(path: String, call: String, errno: Int32)
    /// The file is larger than the caller allows.
    case fileTooLarge(bytes: Int64, limit: Int64)
    /// The bytes are something else; `what` says what they look like.
    case notDICOM(what: String)
    /// The transfer syntax is not one whose data sets can be walked.
    case unsupportedTransferSyntax(String)
    /// The deflated data set is damaged or too large.
    case cannotInflate(String)
    /// A length points behind what holds it.
    case lengthExceedsBytesLeft(tag: String, length: Int64, bytesLeft: Int64, offset: Int64)
    /// The bytes end inside an element, a sequence or an item.
    case truncated(offset: Int64)
    /// Something that is no element, item or delimiter stands where one belongs.
    case malformed(what: String, offset: Int64)
    /// Sequences are nested deeper than the limit.
    case tooDeep(limit: Int, offset: Int64)
    /// More elements, items and fragments than the limit.
    case tooManyElements(limit: Int)

    /// Whether the structure is hostile rather than broken: it exceeds a limit that no real object comes near.
    public var isHostile: Bool {
        switch self {
        case .tooDeep, .tooManyElements: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .unreadable(let path, let call, let number): "cannot read \(path): \(call): \(SystemError.text(number))"
        case .fileTooLarge(let bytes, let limit): "the file has \(bytes) bytes, more than the limit of \(limit)"
        case .notDICOM(let what): "not a DICOM file: \(what)"
        case .unsupportedTransferSyntax(let uid): "transfer syntax \(uid) is not supported"
        case .cannotInflate(let text): "the deflated data set cannot be read: \(text)"
        case .lengthExceedsBytesLeft(let tag, let length, let left, let offset):
            "the element \(tag) at byte \(offset) says it has \(length) bytes, but only \(left) are left: the object is cut or damaged"
        case .truncated(let offset): "the data set ends in the middle of its structure, at byte \(offset)"
        case .malformed(let what, let offset): "the data set is malformed at byte \(offset): \(what)"
        case .tooDeep(let limit, let offset): "sequences are nested deeper than \(limit), at byte \(offset)"
        case .tooManyElements(let limit): "more than \(limit) elements"
        }
    }
}
