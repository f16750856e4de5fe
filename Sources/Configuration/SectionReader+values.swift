internal import Foundation

/// The kinds of values the schema has.
extension SectionReader {
    func string(_ key: String, default fallback: String?, allowed: String, where isAllowed: (String) -> Bool) -> String {
        value(key, default: fallback, allowed: allowed, show: { .string($0) }) { node in
            text(node, of: key).flatMap { isAllowed($0) ? $0 : nil }
        } ?? ""
    }

    func integer(_ key: String, default fallback: Int?, in range: ClosedRange<Int>) -> Int {
        value(key, default: fallback, allowed: "an integer from \(range.lowerBound) to \(range.upperBound)", show: { .integer($0) }) { node in
            guard case .integer(let integer) = node, range.contains(integer) else { return nil }
            return integer
        } ?? range.lowerBound
    }

    func boolean(_ key: String, default fallback: Bool) -> Bool {
        value(key, default: fallback, allowed: "true or false", show: { .boolean($0) }) { node in
            guard case .boolean(let boolean) = node else { return nil }
            return boolean
        } ?? fallback
    }

    func duration(_ key: String, default fallback: Duration, in range: ClosedRange<Duration>) -> Duration {
        let allowed =
            "a string with a unit (ms, s, m, h, d) from \"\(Quantity.text(range.lowerBound))\" to \"\(Quantity.text(range.upperBound))\""
        return value(key, default: fallback, allowed: allowed, show: { .string(Quantity.text($0)) }) { node in
            guard let text = text(node, of: key), let duration = Quantity.duration(text), range.contains(duration) else { return nil }
            return duration
        } ?? fallback
    }

    /// Bytes.
    func size(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        let allowed =
            "a string with a unit (B, KiB, MiB, GiB, TiB) from \"\(Quantity.text(bytes: range.lowerBound))\" to \"\(Quantity.text(bytes: range.upperBound))\""
        return value(key, default: fallback, allowed: allowed, show: { .string(Quantity.text(bytes: $0)) }) { node in
            guard let text = text(node, of: key), let size = Quantity.size(text), range.contains(size) else { return nil }
            return size
        } ?? fallback
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, default fallback: Choice?) -> Choice?
    where Choice.RawValue == String {
        value(key, default: fallback, allowed: Self.oneOf(Choice.self), show: { .string($0.rawValue) }) { node in
            text(node, of: key).flatMap(Choice.init(rawValue:))
        }
    }

    /// At least one, none twice; in the order of the cases.
    func choices<Choice: RawRepresentable & CaseIterable & Hashable>(_ key: String, default fallback: [Choice]) -> [Choice]
    where Choice.RawValue == String {
        value(
            key, default: fallback, allowed: "an array of at least one, none twice: \(Self.oneOf(Choice.self))",
            show: { .array($0.map { .string($0.rawValue) }) }
        ) { node in
            guard case .array(let nodes) = node, !nodes.isEmpty else { return nil }
            var chosen: Set<Choice> = []
            for node in nodes {
                guard case .string(let text) = node, let choice = Choice(rawValue: text), chosen.insert(choice).inserted else { return nil }
            }
            return Choice.allCases.filter(chosen.contains)
        } ?? fallback
    }

    func strings(_ key: String, default fallback: [String], allowed: String, where isAllowed: (String) -> Bool) -> [String] {
        value(key, default: fallback, allowed: allowed, show: { .array($0.map { .string($0) }) }) { node in
            guard case .array(let nodes) = node else { return nil }
            var strings: [String] = []
            for node in nodes {
                guard case .string(let text) = node, isAllowed(text) else { return nil }
                strings.append(text)
            }
            return strings
        } ?? fallback
    }

    /// Absolute: a relative path in the file starts at the file's folder, one in an override at the working directory.
    /// Empty is allowed where the default is.
    func filePath(_ key: String, default fallback: String?, allowed: String) -> String {
        let base = document.override(of: path(key)) == nil ? document.fileFolder : document.workingFolder
        return value(key, default: fallback, allowed: allowed, show: { .string($0) }) { node in
            guard let text = text(node, of: key), !text.utf8.contains(0), text.utf8.count < 1024 else { return nil }
            if text.isEmpty { return fallback == "" ? "" : nil }
            return Self.absolute(text, from: base)
        } ?? ""
    }

    static func absolute(_ path: String, from folder: String) -> String {
        URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: folder, isDirectory: true)).standardizedFileURL.path
    }

    private static func oneOf<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) -> String where Choice.RawValue == String {
        Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    }
}
