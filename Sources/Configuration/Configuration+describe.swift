internal import Foundation

extension Configuration {
    /// Whether a connection from `address` (a literal) that calls itself `callingAETitle` may send: a configured peer,
    /// or with none configured anyone from this machine. Spaces at the ends of the title do not count (PS3.5 6.2).
    public func admits(callingAETitle: String, address: String) -> Bool {
        if dicom.peers.isEmpty { return NetworkPrefix.isLoopback(address) }
        let title = callingAETitle.trimmingCharacters(in: CharacterSet(charactersIn: " "))
        return dicom.peers.contains { $0.aeTitle == title && $0.address.contains(address) }
    }

    /// The settings in force, a line each: `dicom.port = 11112  # etc/radialogd.conf:12`.
    public func describe() -> String {
        settings.map { "\($0.key) = \($0.value)  # \($0.origin)\n" }.joined()
    }

    /// The settings in force: `{"file": …, "settings": [{"key", "value", "origin"}, …]}`, keys sorted.
    public func json() throws -> String {
        struct Document: Encodable {
            var file: String?
            var settings: [Setting]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Document(file: file, settings: settings)), as: UTF8.self)
    }
}

extension Duration {
    /// For interfaces that take seconds.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
