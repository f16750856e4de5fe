import RaDialogPipeline

/// Why checkpoint files were refused. None of these is a reason to try again with the same files.
package enum ImportError: Error, Equatable, CustomStringConvertible {
    case cannotRead(path: String, reason: String)
    case cannotWrite(path: String, reason: String)
    /// The file breaks its format's rules: damaged, cut short, or made to harm.
    case malformed(path: String, reason: String)
    /// The file follows its format, in a way this program does not read.
    case unsupported(path: String, reason: String)
    /// What is wanted from a pickle is made by a Python function or class that is not one of the few that tensors need.
    case refusedGlobal(path: String, wanted: String, global: String)
    case missingTensor(path: String, name: String)
    case unexpectedTensor(path: String, name: String, reason: String)
    case wrongShape(path: String, name: String, found: [Int], expected: [Int])
    case wrongType(path: String, name: String, found: String)
    /// A strided tensor that would be more memory than its file.
    case tooLarge(path: String, name: String, bytes: Int, limit: Int)
    /// The index of a sharded folder says something that is not so.
    case badIndex(path: String, reason: String)
    /// A key of config.json or adapter_config.json.
    case badConfiguration(path: String, key: String, reason: String)
    /// The adapter does not fit itself, its configuration or the base model.
    case badAdapter(path: String, reason: String)
    /// model.md section 4b: v1's checkpoint writer drops what was frozen.
    case missingProjector(path: String, name: String)

    package var description: String {
        switch self {
        case .cannotRead(let path, let reason): "cannot read \(path): \(reason)"
        case .cannotWrite(let path, let reason): "cannot write \(path): \(reason)"
        case .malformed(let path, let reason): "\(path) is damaged or not what it says: \(reason); download it again and compare its SHA-256 with the publisher's"
        case .unsupported(let path, let reason): "\(path) cannot be imported: \(reason)"
        case .refusedGlobal(let path, let wanted, let global):
            "\(path): \(wanted) needs the Python object \"\(global)\", which is not part of a tensor; nothing in a checkpoint is ever executed, so it cannot be read"
        case .missingTensor(let path, let name): "\(path) has no tensor \"\(name)\""
        case .unexpectedTensor(let path, let name, let reason): "\(path) has the tensor \"\(name)\", \(reason)"
        case .wrongShape(let path, let name, let found, let expected): "tensor \"\(name)\" of \(path) is \(found); expected \(expected)"
        case .wrongType(let path, let name, let found): "tensor \"\(name)\" of \(path) has type \(found), which is not read as numbers"
        case .tooLarge(let path, let name, let bytes, let limit):
            "tensor \"\(name)\" of \(path) repeats its storage and would need \(bytes) bytes; at most \(limit) are allowed"
        case .badIndex(let path, let reason): "index \(path): \(reason)"
        case .badConfiguration(let path, let key, let reason): "\(path): \"\(key)\" \(reason)"
        case .badAdapter(let path, let reason): "adapter \(path): \(reason)"
        case .missingProjector(let path, let name):
            """
            \(path) has no tensor "\(name)": RaDialog v1's training froze the vision branch and its checkpoint writer drops frozen parameters, so \
            this file does not hold the image encoder's projector. A randomly initialised projector would give plausible nonsense: import stops. \
            Use a checkpoint that was saved with visual_encoder.projector.*
            """
        }
    }

    init(_ error: WeightsError) {
        self =
            switch error {
            case .cannotRead(let path, let reason): .cannotRead(path: path, reason: reason)
            case .cannotWrite(let path, let reason): .cannotWrite(path: path, reason: reason)
            case .malformed(let path, let reason): .malformed(path: path, reason: reason)
            case .missingTensor(let path, let name): .missingTensor(path: path, name: name)
            case .wrongShape(let path, let name, let found, let expected): .wrongShape(path: path, name: name, found: found, expected: expected)
            case .wrongType(let path, let name, let found): .wrongType(path: path, name: name, found: found)
            }
    }
}

/// What is wrong at a byte of a file, before its path is known.
struct FormatFault: Error {
    var offset: Int
    var reason: String
    /// True where the format allows it and this program does not.
    var isUnsupported = false

    func error(path: String) -> ImportError {
        let text = "\(reason) (at byte \(offset))"
        return isUnsupported ? .unsupported(path: path, reason: text) : .malformed(path: path, reason: text)
    }
}
