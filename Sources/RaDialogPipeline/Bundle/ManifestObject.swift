/// What is wrong with a manifest, at which key ("image_encoder.stage_blocks").
struct ManifestProblem: Error {
    var key: String
    var reason: String
}

/// Takes the keys of one JSON object, each once; `finish` refuses what nobody asked for.
struct ManifestObject {
    private var members: [String: JSONValue]
    private let place: String

    init(_ value: JSONValue, place: String) throws(ManifestProblem) {
        guard case .object(let members) = value else { throw ManifestProblem(key: place, reason: "has to be an object") }
        self.members = members
        self.place = place
    }

    func key(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    func problem(_ name: String, _ reason: String) -> ManifestProblem { ManifestProblem(key: key(name), reason: reason) }

    /// Whether the key is there and not taken yet.
    func holds(_ name: String) -> Bool { members[name] != nil }

    mutating func value(_ name: String) throws(ManifestProblem) -> JSONValue {
        guard let value = members.removeValue(forKey: name) else { throw problem(name, "is missing") }
        return value
    }

    /// The value, which stays to be taken.
    func peek(_ name: String) throws(ManifestProblem) -> JSONValue {
        guard let value = members[name] else { throw problem(name, "is missing") }
        return value
    }

    mutating func object(_ name: String) throws(ManifestProblem) -> ManifestObject {
        try ManifestObject(try value(name), place: key(name))
    }

    /// nil where the key is absent or null.
    mutating func optionalObject(_ name: String) throws(ManifestProblem) -> ManifestObject? {
        switch members.removeValue(forKey: name) {
        case nil, .null: nil
        case let value?: try ManifestObject(value, place: key(name))
        }
    }

    /// Not empty, without control characters besides line feed and tab.
    mutating func string(_ name: String, maximumBytes: Int = 256, mayBeEmpty: Bool = false) throws(ManifestProblem) -> String {
        guard case .string(let text) = try value(name) else { throw problem(name, "has to be a string") }
        try Self.check(text, maximumBytes: maximumBytes, mayBeEmpty: mayBeEmpty, key: key(name))
        return text
    }

    mutating func choice<Value: RawRepresentable>(_ name: String, of known: [Value]) throws(ManifestProblem) -> Value
    where Value.RawValue == String {
        let text = try string(name)
        guard let value = known.first(where: { $0.rawValue == text }) else {
            let names = known.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw problem(name, "is \"\(text)\"; this program knows \(names)")
        }
        return value
    }

    mutating func fixed(_ name: String, _ expected: String) throws(ManifestProblem) {
        let text = try string(name)
        guard text == expected else { throw problem(name, "is \"\(text)\"; this program knows \"\(expected)\"") }
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(ManifestProblem) -> Int {
        try Self.integer(try value(name), in: range, key: key(name))
    }

    mutating func integers(_ name: String, count: Int, in range: ClosedRange<Int>) throws(ManifestProblem) -> [Int] {
        guard case .array(let elements) = try value(name), elements.count == count else {
            throw problem(name, "has to be an array of \(count) whole numbers")
        }
        var numbers: [Int] = []
        for (index, element) in elements.enumerated() {
            numbers.append(try Self.integer(element, in: range, key: "\(key(name))[\(index)]"))
        }
        return numbers
    }

    mutating func number(_ name: String, in range: ClosedRange<Double>) throws(ManifestProblem) -> Double {
        try Self.number(try value(name), in: range, key: key(name))
    }

    mutating func boolean(_ name: String) throws(ManifestProblem) -> Bool {
        guard case .boolean(let value) = try value(name) else { throw problem(name, "has to be true or false") }
        return value
    }

    mutating func array(_ name: String, count: ClosedRange<Int>) throws(ManifestProblem) -> [JSONValue] {
        guard case .array(let elements) = try value(name), count.contains(elements.count) else {
            throw problem(name, "has to be an array of \(count.lowerBound) to \(count.upperBound) values")
        }
        return elements
    }

    /// Every member that is left, sorted by name: for objects whose keys are data.
    mutating func rest() -> [(name: String, value: JSONValue)] {
        defer { members = [:] }
        return members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func finish() throws(ManifestProblem) {
        guard let name = members.keys.min() else { return }
        throw problem(String(name.prefix(80)), "is a key this program does not know")
    }

    static func check(_ text: String, maximumBytes: Int, mayBeEmpty: Bool, key: String) throws(ManifestProblem) {
        guard mayBeEmpty || !text.isEmpty else { throw ManifestProblem(key: key, reason: "is empty") }
        guard text.utf8.count <= maximumBytes else { throw ManifestProblem(key: key, reason: "has more than \(maximumBytes) bytes") }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\t" }) else {
            throw ManifestProblem(key: key, reason: "holds a control character")
        }
    }

    static func number(_ value: JSONValue, in range: ClosedRange<Double>, key: String) throws(ManifestProblem) -> Double {
        guard case .number(let text) = value, let number = Double(text), range.contains(number) else {
            throw ManifestProblem(key: key, reason: "has to be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func integer(_ value: JSONValue, in range: ClosedRange<Int>, key: String) throws(ManifestProblem) -> Int {
        guard case .number(let text) = value, let number = Int(text), range.contains(number) else {
            throw ManifestProblem(key: key, reason: "has to be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
