/// Whether a bundle may be used for patients. From its manifest.
public enum BundleKind: String, Sendable, Codable {
    case demo
    case clinical
}

/// The marks every machine text carries. A text is marked once, where it leaves the model, so that no later
/// layer can forget to.
public enum MachineText {
    /// Stands in front of every line a demonstration bundle wrote.
    public static let demonstrationMark = "DEMONSTRATION MODEL - NOT FOR CLINICAL USE"
    /// Stands in every document that no human has signed.
    public static let unreviewedMark = "UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS"

    /// Puts the demonstration mark in front of every non-empty line of `text`; a clinical bundle's text is unchanged.
    public static func marked(_ text: String, kind: BundleKind) -> String {
        guard kind == .demo else { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "[\(demonstrationMark)] \($0)" }
            .joined(separator: "\n")
    }
}
