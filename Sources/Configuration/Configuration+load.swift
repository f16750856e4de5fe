internal import Foundation

extension Configuration {
    /// The largest file that is read. The shipped one has some 15 KiB.
    private static let maximumFileSize = 1 << 20

    /// Reads and checks everything.
    ///
    /// - Parameters:
    ///   - file: nil: defaults and overrides only.
    ///   - overrides: `section.key=value` each, later ones win (`Overrides.swift`).
    ///   - stateDirectory: `--state-dir`; wins over the file and over `--set state_dir=…`.
    /// - Throws: `ConfigurationError`: `.invalid` names every problem there is.
    public static func load(
        file: String?, overrides: [String] = [], stateDirectory: String? = nil
    ) throws(ConfigurationError) -> Configuration {
        let text = try file.map { file throws(ConfigurationError) in try contents(of: file) }
        return try load(text: text, file: file, overrides: overrides, stateDirectory: stateDirectory)
    }

    /// As `load(file:)`, with the document in `text`; `file` is its name in messages and the start of relative paths.
    package static func load(
        text: String?, file: String?, overrides: [String] = [], stateDirectory: String? = nil
    ) throws(ConfigurationError) -> Configuration {
        var root = TOMLNode.table([:])
        if let text {
            do {
                root = try TOMLNode.parse(text)
            } catch {
                throw .notTOML(file: file ?? "configuration", line: error.line, reason: error.reason)
            }
        }
        let workingFolder = FileManager.default.currentDirectoryPath
        let fileFolder = file.map { URL(fileURLWithPath: $0).standardizedFileURL.deletingLastPathComponent().path } ?? workingFolder
        let document = DocumentReader(
            root: root, file: file, lines: text.map { LineIndex($0) }, fileFolder: fileFolder, workingFolder: workingFolder)
        for override in overrides { try document.apply(override) }
        if let stateDirectory {
            document.override([.key("state_dir")], with: .string(stateDirectory), text: stateDirectory, place: "--state-dir \(stateDirectory)")
        }
        let configuration = Configuration(reading: document)
        try document.finish()
        return configuration
    }

    private static func contents(of file: String) throws(ConfigurationError) -> String {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            defer { do { try handle.close() } catch { /* read-only: nothing can be lost */  } }
            data = try handle.read(upToCount: maximumFileSize + 1) ?? Data()
        } catch {
            let reason = FileManager.default.fileExists(atPath: file) ? "\((error as NSError).localizedDescription)" : "there is no such file"
            throw .unreadable(file: file, reason: reason)
        }
        guard data.count <= maximumFileSize else {
            throw .unreadable(file: file, reason: "it is larger than \(Quantity.text(bytes: maximumFileSize))")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw .unreadable(file: file, reason: "it is not UTF-8")
        }
        return text
    }
}
