/// `--set section.key=value`.
///
/// The value is read as TOML; a word that is no TOML is a string, so that `--set log.level=debug` needs no quotes.
/// Elements of an array of tables are addressed by name: `destination.NAME.key`, `dicom.peer.AETITLE.key`.
extension DocumentReader {
    func apply(_ text: String) throws(ConfigurationError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw .override(text, reason: "no equals sign; write section.key=value")
        }
        let key = text[..<equals].trimmingSpaces()
        let value = text[text.index(after: equals)...].trimmingSpaces()
        let path = try path(key, of: text)
        override(path, with: try Self.node(value, of: text), text: value, place: "--set \(text)")
    }

    private func path(_ key: String, of text: String) throws(ConfigurationError) -> KeyPath {
        let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy({ !$0.isEmpty }) else {
            throw .override(text, reason: "\"\(key)\" is not a key; write section.key=value")
        }
        if parts.first == "destination", parts.count > 1 {
            return try element(of: [.key("destination")], named: "name", parts: parts, skipping: 1, text: text)
        }
        if parts.starts(with: ["dicom", "peer"]), parts.count > 2 {
            return try element(of: [.key("dicom"), .key("peer")], named: "ae_title", parts: parts, skipping: 2, text: text)
        }
        return parts.map { .key($0) }
    }

    /// Names may hold dots (AE titles do): the last part is the key, all before it the name.
    private func element(of array: KeyPath, named nameKey: String, parts: [String], skipping: Int, text: String) throws(ConfigurationError) -> KeyPath {
        let arrayText = array.text
        guard parts.count >= skipping + 2 else {
            throw .override(text, reason: "write \(arrayText).NAME.key=value, or \(arrayText)=[{…}] for all of them")
        }
        let name = parts[skipping..<(parts.count - 1)].joined(separator: ".")
        var elements: [TOMLNode] = []
        if case .array(let nodes)? = root[array] { elements = nodes }
        let names = elements.map { element -> String? in
            guard case .string(let name)? = element[[.key(nameKey)]] else { return nil }
            return name
        }
        let matches = names.indices.filter { names[$0] == name }
        guard let index = matches.first else {
            let known = names.compactMap { $0 }
            throw .override(
                text,
                reason: "no [[\(arrayText)]] has \(nameKey) \"\(name)\"; "
                    + (known.isEmpty ? "none is configured" : "there are: \(known.joined(separator: ", "))"))
        }
        guard matches.count == 1 else {
            throw .override(text, reason: "\(matches.count) [[\(arrayText)]] have \(nameKey) \"\(name)\"; set the whole array")
        }
        return array + [.index(index), .key(parts[parts.count - 1])]
    }

    private static func node(_ value: String, of text: String) throws(ConfigurationError) -> TOMLNode {
        do {
            if case .table(let table) = try TOMLNode.parse("value = \(value)"), table.count == 1, let node = table["value"] { return node }
        } catch {
            // What begins like a string, an array or a table was meant as one.
            if let first = value.first, "\"'[{".contains(first) {
                throw .override(text, reason: "the value is not TOML: \(error.reason)")
            }
        }
        return .string(value)
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
