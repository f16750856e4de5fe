import ArgumentParser

/// Exit status of `radialogctl`: those of sysexits.h, so that scripts can tell what to do. In docs/command-line.md.
enum Status {
    /// The command line is wrong.
    static let usage = ExitCode(64)
    /// An input file cannot be used.
    static let data = ExitCode(65)
    /// No such study, user, delivery or version.
    static let notFound = ExitCode(66)
    /// Our defect.
    static let software = ExitCode(70)
    /// The output file cannot be written.
    static let cannotCreate = ExitCode(73)
    /// Disk, lock or database trouble; may pass.
    static let temporary = ExitCode(75)
    /// Somebody else decided first, or a newer version is there: look again.
    static let conflict = ExitCode(76)
    /// Not allowed: wrong password, locked, or not a radiologist.
    static let denied = ExitCode(77)
    /// The configuration or the bundle is wrong.
    static let configuration = ExitCode(78)
    /// `audit verify` found the chain broken.
    static let broken = ExitCode(1)
}

/// An error in one line that says what to do, and its exit status.
struct Failure: Error {
    let message: String
    let status: ExitCode

    init(_ message: String, _ status: ExitCode) {
        self.message = message
        self.status = status
    }
}
