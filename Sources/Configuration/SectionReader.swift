/// Reads one table key by key. Every key that is asked for is known; `finish()` refuses the others.
///
/// A wrong value is reported and the default returned, so that reading goes on and finds the next one too; nothing
/// that was reported ever leaves `Configuration.load`.
package final class SectionReader {
    let document: DocumentReader
    let path: KeyPath
    private let nodes: [String: TOMLNode]
    /// "in [dicom]"; empty: "here".
    private let label: String
    private var known: [String] = []

    init(document: DocumentReader, path: KeyPath, nodes: [String: TOMLNode], label: String) {
        self.document = document
        self.path = path
        self.nodes = nodes
        self.label = label
    }

    func path(_ key: String) -> KeyPath { path + [.key(key)] }

    func report(_ key: String, _ reason: String) { document.report(path(key), reason) }

    /// Whether the key stands in the file or in an override.
    func has(_ key: String) -> Bool { nodes[key] != nil }

    /// The table `key`, empty when it is missing.
    func section(_ key: String) -> SectionReader {
        known.append(key)
        switch nodes[key] {
        case nil: return SectionReader(document: document, path: path(key), nodes: [:], label: "in [\(path(key).text)]")
        case .table(let nodes)?:
            return SectionReader(document: document, path: path(key), nodes: nodes, label: "in [\(path(key).text)]")
        case let other?:
            report(key, "\(other.kind); a table is expected: write [\(path(key).text)] on a line of its own")
            return SectionReader(document: document, path: path(key), nodes: [:], label: "")
        }
    }

    /// The tables of `[[key]]`.
    func sections(_ key: String) -> [SectionReader] {
        known.append(key)
        switch nodes[key] {
        case nil: return []
        case .array(let elements)?:
            var sections: [SectionReader] = []
            for (index, element) in elements.enumerated() {
                let path = path(key) + [.index(index)]
                guard case .table(let nodes) = element else {
                    document.report(path, "\(element.kind); a table is expected, for example {name = \"…\"}")
                    continue
                }
                sections.append(SectionReader(document: document, path: path, nodes: nodes, label: "in [[\(self.path(key).text)]]"))
            }
            return sections
        case let other?:
            report(key, "\(other.kind); an array of tables is expected: write [[\(path(key).text)]] in double brackets")
            return []
        }
    }

    /// The value of `key`, or `fallback` when it is missing or (reported) wrong. Without a fallback the key must be there.
    func value<Value>(
        _ key: String, default fallback: Value?, allowed: String, show: (Value) -> TOMLNode, read: (TOMLNode) -> Value?
    ) -> Value? {
        known.append(key)
        guard let node = nodes[key] else {
            if let fallback {
                document.record(path(key), show(fallback), isGiven: false)
            } else {
                report(key, "missing; \(allowed)")
            }
            return fallback
        }
        guard let value = read(node) else {
            report(key, "\(node.text) is not allowed; \(allowed)")
            return fallback
        }
        document.record(path(key), show(value), isGiven: true)
        return value
    }

    /// The text of a string; `--set` may leave its quotes away, even where the text looks like a number.
    func text(_ node: TOMLNode, of key: String) -> String? {
        if case .string(let text) = node { return text }
        switch node {
        case .array, .table: return nil
        default:
            guard let found = document.override(of: path(key)), found.path == path(key) else { return nil }
            return found.override.value
        }
    }

    /// Reports every key that nobody asked for.
    func finish(label: String? = nil) {
        let label = label ?? self.label
        for key in nodes.keys.sorted() where !known.contains(key) {
            let suggestion = Suggestion.nearest(to: key, among: known).map { "did you mean \($0)? " } ?? ""
            report(key, "unknown key; \(suggestion)known keys \(label.isEmpty ? "here" : label) are \(known.joined(separator: ", "))")
        }
    }
}
