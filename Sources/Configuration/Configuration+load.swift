extension Configuration {
    /// - Throws: `ConfigurationError` with every problem found.
    public static func load(file: String?, overrides: [String] = [], stateDirectory: String? = nil) throws(ConfigurationError) -> Configuration {
        throw .unreadable(file: file ?? "", reason: "not written yet")
    }

    /// Whether a connection from `address` that calls itself `callingAETitle` may send: a configured peer, or with
    /// none configured anyone from this machine.
    public func admits(callingAETitle: String, address: String) -> Bool { false }

    /// The settings in force as text, a line each.
    public func describe() -> String { "" }

    /// The settings in force as a JSON array.
    public func json() -> String { "[]" }
}
