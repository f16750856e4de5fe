import Glibc
package import ReportModel

/// A folder of heat maps as PNG files: `<stem>-<label>.png`, the stem of the film's file name and the label in kebab case.
///
/// Films of the same name get `<stem>-2`, `<stem>-3`, … A file of the same name that was there before is replaced, whole or not at all.
public struct HeatMapFolder {
    public let path: String
    private var usedStems: Set<String> = []

    /// Makes the folder, and those above it, where there is none.
    public init(path: String) throws(HeatMapError) {
        self.path = path
        try Self.makeFolder(path)
        guard access(path, W_OK | X_OK) == 0 else { throw Self.failure("writing into", path) }
    }

    /// Writes the heat maps of one film.
    /// - Parameter file: the film's, of which the name is taken and nothing else.
    /// - Returns: the paths, in the order of `heatMaps`.
    public mutating func write(_ heatMaps: [HeatMap], ofFile file: String) throws(HeatMapError) -> [String] {
        let stem = freeStem(for: file)
        var written: [String] = []
        for heatMap in heatMaps {
            let target = "\(path)/\(stem)-\(Self.kebabCase(heatMap.label)).png"
            try Self.replace(target, in: path, with: heatMap.picture().png())
            written.append(target)
        }
        return written
    }

    /// "Pleural Effusion" to "pleural-effusion".
    package static func kebabCase(_ label: FindingLabel) -> String {
        label.rawValue.lowercased().split(separator: " ").joined(separator: "-")
    }

    // MARK: Names

    /// Endings that say "DICOM" and no more; the last part of a UID stays.
    private static let endings = [".dcm", ".dicom", ".dic", ".ima"]
    /// Bytes of the film's name that are kept: with the number, the label and the ending below the 255 of a file name.
    private static let longestStem = 180

    package mutating func freeStem(for file: String) -> String {
        var name = file.split(separator: "/").last.map(String.init) ?? ""
        if let ending = Self.endings.first(where: { name.lowercased().hasSuffix($0) }) { name.removeLast(ending.count) }
        // A control character in a name would end a line of our output.
        name = String(String.UnicodeScalarView(name.unicodeScalars.map { $0.properties.generalCategory == .control ? "_" : $0 }))
        while name.utf8.count > Self.longestStem { name.removeLast() }
        if name.isEmpty { name = "film" }
        var stem = name
        var number = 2
        while !usedStems.insert(stem).inserted {
            stem = "\(name)-\(number)"
            number += 1
        }
        return stem
    }

    // MARK: Files

    private static func makeFolder(_ path: String) throws(HeatMapError) {
        var found = stat()
        var ends = path.indices.filter { path[$0] == "/" && $0 != path.startIndex }
        ends.append(path.endIndex)
        for end in ends {
            let folder = String(path[..<end])
            if mkdir(folder, 0o777) == 0 || errno == EEXIST { continue }
            // A parent on a read-only file system is there all the same.
            if stat(folder, &found) == 0 { continue }
            throw failure("making the folder", folder)
        }
        guard stat(path, &found) == 0 else { throw failure("making the folder", path) }
        guard found.st_mode & S_IFMT == S_IFDIR else {
            throw .cannotWrite(doing: "writing into", path: path, found: "it is no folder")
        }
    }

    /// A new file beside the old one, then its name: nobody ever reads half a picture. Mode 0666 less the umask.
    private static func replace(_ path: String, in folder: String, with bytes: [UInt8]) throws(HeatMapError) {
        let temporary = "\(folder)/.radialog-\(String(UInt64.random(in: .min ... .max), radix: 16)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw failure("making a file for", path) }
        var problem = write(bytes, to: descriptor)
        if problem == nil, fdatasync(descriptor) != 0 { problem = errno }
        if close(descriptor) != 0, problem == nil { problem = errno }
        if problem == nil, rename(temporary, path) != 0 { problem = errno }
        guard let problem else { return }
        unlink(temporary)
        throw .cannotWrite(doing: "writing", path: path, found: String(cString: strerror(problem)))
    }

    /// - Returns: what went wrong, as errno says it.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                if count < 0, errno != EINTR { return errno }
                done += max(count, 0)
            }
            return nil
        }
    }

    private static func failure(_ doing: String, _ path: String) -> HeatMapError {
        .cannotWrite(doing: doing, path: path, found: String(cString: strerror(errno)))
    }
}
