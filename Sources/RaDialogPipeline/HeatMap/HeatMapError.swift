/// Why a heat map was not drawn or written.
public enum HeatMapError: Error, Equatable, CustomStringConvertible {
    /// The findings were made of another film, or of this one rendered in another way.
    case otherFilm
    /// libpng refused.
    case png(reason: String)
    /// The system refused. `doing` reads "making the folder", …
    case cannotWrite(doing: String, path: String, found: String)

    public var description: String {
        switch self {
        case .otherFilm:
            "heat maps: the draft was made of another film, or with another rendering (model.rendering, the bundle): draft the film again"
        case .png(let reason): "heat maps: encoding the PNG: \(reason)"
        case .cannotWrite(let doing, let path, let found): "heat maps: \(doing) \(path): \(found)"
        }
    }
}
