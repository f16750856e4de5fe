/// Why a study has no draft. Coded, so that silence never looks like "normal".
public enum NoDraftReason: String, Sendable, Codable, CaseIterable {
    /// Body part, or what the study is called, says something other than a chest.
    case notAChestFilm = "not-a-chest-film"
    /// Patient Species says something other than human.
    case notHuman = "not-human"
    /// Chest films, but every one of them lateral or oblique.
    case lateralOnly = "lateral-only"
    /// No image of a kind that is drafted (modality or SOP class).
    case unsupportedImageKind = "unsupported-image-kind"
    /// The pixels could not be decoded; the detail says what was found.
    case undecodable = "undecodable"
    /// Decoded, but not a picture: a constant or near-empty frame.
    case noImageContent = "no-image-content"
    /// Patient ID is missing or empty: nobody can be told whose report it would be.
    case missingPatientID = "missing-patient-id"
    /// Patient or study identity contradicts what is known; a human must look.
    case identityConflict = "identity-conflict"
    /// The pipeline failed as often as it may.
    case modelFailed = "model-failed"
}
