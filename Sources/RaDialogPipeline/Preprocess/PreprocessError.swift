/// Why a decoded frame is not given to the model.
public enum PreprocessError: Error, Equatable, CustomStringConvertible {
    /// Decoded, but not a picture: constant, nearly so, or a strip (`NoDraftReason.noImageContent`). Trying again is of no use.
    case noImageContent(reason: String)
    /// libjpeg refused.
    case jpeg(reason: String)
    /// Trying again later may help.
    case outOfMemory(step: String)

    public var description: String {
        switch self {
        case .noImageContent(let reason): "the frame is not a picture: \(reason)"
        case .jpeg(let reason): "the JPEG step of mimic-cxr-jpg rendering failed: \(reason)"
        case .outOfMemory(let step): "not enough memory for \(step)"
        }
    }
}
