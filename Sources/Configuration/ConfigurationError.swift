/// Why the start is refused.
public enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The file could not be read.
    case unreadable(file: String, reason: String)
    /// The file is not TOML.
    case notTOML(file: String, line: Int, reason: String)
    /// A `--set` that cannot be understood.
    case override(String, reason: String)
    /// Keys or values that are not allowed, all of them, in the order of the file.
    case invalid([Problem])

    /// One key that is wrong.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// "etc/radialogd.conf:12", or "--set dicom.port=x", or the file alone for a key that is missing.
        public var place: String
        /// As in the file: `dicom.port`.
        public var key: String
        /// What is wrong, and what is allowed.
        public var reason: String

        public init(place: String, key: String, reason: String) {
            self.place = place
            self.key = key
            self.reason = reason
        }

        public var description: String { "\(place): \(key): \(reason)" }
    }

    /// One line a problem.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason): "\(file): cannot read the configuration: \(reason)"
        case .notTOML(let file, let line, let reason): "\(file):\(line): not TOML: \(reason)"
        case .override(let text, let reason): "--set \(text): \(reason)"
        case .invalid(let problems): problems.map(\.description).joined(separator: "\n")
        }
    }
}
