/// A document with its overrides, and where each value came from. Sections read their keys through it; problems and
/// settings gather here, so that an operator sees all problems at once.
package final class DocumentReader {
    package private(set) var root: TOMLNode
    package private(set) var problems: [(rank: Int, problem: ConfigurationError.Problem)] = []
    package private(set) var settings: [Configuration.Setting] = []
    let file: String?
    /// What relative paths in the file, and those in overrides, are taken from.
    let fileFolder: String
    let workingFolder: String
    private let lines: LineIndex?
    /// Text after `--set`, by the path that it sets.
    private var overrides: [KeyPath: Override] = [:]

    struct Override {
        /// "--set dicom.port=11112"
        var place: String
        /// What stands behind the equals sign.
        var value: String
    }

    package init(root: TOMLNode, file: String?, lines: LineIndex?, fileFolder: String, workingFolder: String) {
        self.root = root
        self.file = file
        self.lines = lines
        self.fileFolder = fileFolder
        self.workingFolder = workingFolder
    }

    /// Replaces the value at `path`; `place` names who says so.
    func override(_ path: KeyPath, with node: TOMLNode, text: String, place: String) {
        root = root.replacing(path[...], with: node)
        overrides = overrides.filter { !$0.key.starts(with: path) }
        overrides[path] = Override(place: place, value: text)
    }

    /// The override that `path` lies in, whether it sets the value itself or a table around it.
    func override(of path: KeyPath) -> (path: KeyPath, override: Override)? {
        var path = path
        while true {
            if let found = overrides[path] { return (path, found) }
            if path.popLast() == nil { return nil }
        }
    }

    /// "etc/radialogd.conf:12" or "--set dicom.port=11112".
    func place(of path: KeyPath) -> (rank: Int, text: String) {
        if let found = override(of: path) { return (.max, found.override.place) }
        if let line = lines?.line(of: path) { return (line, "\(file ?? "configuration"):\(line)") }
        return (0, file ?? "configuration")
    }

    func report(_ path: KeyPath, _ reason: String) {
        let place = place(of: path)
        problems.append((place.rank, .init(place: place.text, key: path.text, reason: reason)))
    }

    func record(_ path: KeyPath, _ value: TOMLNode, isGiven: Bool) {
        var origin = "default"
        if isGiven {
            // "--set dicom.port=11112" without what it sets, which stands beside it.
            origin = override(of: path).map { String($0.override.place.prefix { $0 != " " }) } ?? place(of: path).text
        }
        settings.append(.init(key: path.text, value: value.text, origin: origin))
    }

    /// The table at the top of the document.
    func section() -> SectionReader {
        guard case .table(let nodes) = root else { return SectionReader(document: self, path: [], nodes: [:], label: "") }
        return SectionReader(document: self, path: [], nodes: nodes, label: "at the top of the file")
    }

    /// - Throws: `.invalid` when anything was reported.
    func finish() throws(ConfigurationError) {
        guard !problems.isEmpty else { return }
        // Stable: those of one line stay in the order they were found in.
        let sorted = problems.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
        throw .invalid(sorted.map(\.element.problem))
    }
}

extension TOMLNode {
    /// This document with `node` at `path`; tables on the way are made where they are missing.
    func replacing(_ path: ArraySlice<PathComponent>, with node: TOMLNode) -> TOMLNode {
        guard let first = path.first else { return node }
        switch (first, self) {
        case (.index(let index), .array(var nodes)) where nodes.indices.contains(index):
            nodes[index] = nodes[index].replacing(path.dropFirst(), with: node)
            return .array(nodes)
        case (.key(let key), .table(var nodes)):
            nodes[key] = (nodes[key] ?? .table([:])).replacing(path.dropFirst(), with: node)
            return .table(nodes)
        case (.key(let key), _):
            return .table([key: TOMLNode.table([:]).replacing(path.dropFirst(), with: node)])
        case (.index, _):
            return self
        }
    }

    subscript(path: KeyPath) -> TOMLNode? {
        var node = self
        for component in path {
            switch (component, node) {
            case (.key(let key), .table(let nodes)):
                guard let next = nodes[key] else { return nil }
                node = next
            case (.index(let index), .array(let nodes)) where nodes.indices.contains(index): node = nodes[index]
            default: return nil
            }
        }
        return node
    }
}
