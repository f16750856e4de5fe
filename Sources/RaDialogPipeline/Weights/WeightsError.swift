/// Why a weights file was refused. None of these is a reason to try again: the file has to be replaced.
public enum WeightsError: Error, Equatable, CustomStringConvertible {
    case cannotRead(path: String, reason: String)
    case cannotWrite(path: String, reason: String)
    /// The container breaks its format's rules.
    case malformed(path: String, reason: String)
    case missingTensor(path: String, name: String)
    case wrongShape(path: String, name: String, found: [Int], expected: [Int])
    /// A type this reader knows but cannot widen to 32-bit floating point.
    case wrongType(path: String, name: String, found: String)

    public var description: String {
        switch self {
        case .cannotRead(let path, let reason):
            "cannot read weights file \(path): \(reason)"
        case .cannotWrite(let path, let reason):
            "cannot write weights file \(path): \(reason)"
        case .malformed(let path, let reason):
            "weights file \(path) is damaged or not what it says: \(reason); install the bundle again"
        case .missingTensor(let path, let name):
            "weights file \(path) has no tensor \"\(name)\", which the manifest's architecture needs"
        case .wrongShape(let path, let name, let found, let expected):
            "tensor \"\(name)\" of \(path) is \(found); the manifest's architecture needs \(expected)"
        case .wrongType(let path, let name, let found):
            "tensor \"\(name)\" of \(path) has type \(found), which this program does not read as numbers"
        }
    }
}
