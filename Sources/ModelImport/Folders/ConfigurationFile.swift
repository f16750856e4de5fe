import RaDialogPipeline

extension JSONValue {
    /// null, false, {} and []: a switch that is off.
    var isOff: Bool {
        switch self {
        case .null, .boolean(false): true
        case .object(let members): members.isEmpty
        case .array(let elements): elements.isEmpty
        default: false
        }
    }

    /// For messages: short, and never a whole file.
    var text: String {
        switch self {
        case .object(let members): "an object of \(members.count) keys"
        case .array(let elements): "a list of \(elements.count)"
        case .string(let text): "\"\(text.prefix(60))\""
        case .number(let text): text
        case .boolean(let value): "\(value)"
        case .null: "null"
        }
    }
}

/// The keys of a JSON file, with its path for messages.
struct ConfigurationFile {
    /// config.json of a model has a few kB.
    static let maximumBytes = 4 << 20

    let path: String
    var members: [String: JSONValue]

    init(_ file: MappedFile) throws(ImportError) {
        path = file.path
        guard file.count <= Self.maximumBytes else {
            throw .malformed(path: path, reason: "it has \(file.count) bytes; a configuration has at most \(Self.maximumBytes)")
        }
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try file.withBytes { bytes throws(JSONSyntaxError) in try JSONValue(parsing: bytes) }
        } catch {
            throw .malformed(path: file.path, reason: "\(error.reason) (at byte \(error.offset))")
        }
        guard case .object(let members) = value else { throw .malformed(path: file.path, reason: "it is not a JSON object") }
        self.members = members
    }

    func bad(_ key: String, _ reason: String) -> ImportError { .badConfiguration(path: path, key: key, reason: reason) }

    /// Nil where the key is missing or null.
    func value(_ key: String) -> JSONValue? { members[key].flatMap { $0 == .null ? nil : $0 } }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ImportError) -> Int? {
        guard let value = value(key) else { return nil }
        guard case .number(let text) = value, let number = Int(text), range.contains(number) else {
            throw bad(key, "is \(value.text); a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws(ImportError) -> Double? {
        guard let value = value(key) else { return nil }
        guard case .number(let text) = value, let number = Double(text), range.contains(number) else {
            throw bad(key, "is \(value.text); a number from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    func boolean(_ key: String) throws(ImportError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .boolean(let flag) = value else { throw bad(key, "is \(value.text); true or false is expected") }
        return flag
    }

    func string(_ key: String) throws(ImportError) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw bad(key, "is \(value.text); text is expected") }
        return text
    }

    func strings(_ key: String) throws(ImportError) -> [String]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value else { throw bad(key, "is \(value.text); a list of texts is expected") }
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else { throw bad(key, "holds \(element.text); texts are expected") }
            texts.append(text)
        }
        return texts
    }

    func required<Value>(_ key: String, _ value: Value?) throws(ImportError) -> Value {
        guard let value else { throw bad(key, "is missing") }
        return value
    }
}
