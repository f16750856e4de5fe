/// A small JSON text as a value: manifests and configurations. What is as large as a file of weights is read with `JSONReader` alone.
package indirect enum JSONValue: Sendable, Equatable {
    case object([String: JSONValue])
    case array([JSONValue])
    case string(String)
    /// As it is written.
    case number(String)
    case boolean(Bool)
    case null

    /// No format read here nests deeper than half of it.
    private static let maximumDepth = 12
    /// All values of a text together: two bytes of text can cost a hundred of memory. The largest texts, indices of sharded models, have some thousands.
    private static let maximumValues = 1 << 17

    /// Parses a whole text.
    package init(parsing bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        var count = 0
        self = try Self.value(&reader, depth: 0, count: &count)
        try reader.end()
    }

    private static func value(_ reader: inout JSONReader, depth: Int, count: inout Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < maximumDepth else { throw reader.failure("nested deeper than \(maximumDepth)") }
        count += 1
        guard count <= maximumValues else { throw reader.failure("more than \(maximumValues) values") }
        switch try reader.kind() {
        case .object:
            var members: [String: JSONValue] = [:]
            try reader.object { reader, key throws(JSONSyntaxError) in members[key] = try value(&reader, depth: depth + 1, count: &count) }
            return .object(members)
        case .array:
            var elements: [JSONValue] = []
            try reader.array { reader throws(JSONSyntaxError) in elements.append(try value(&reader, depth: depth + 1, count: &count)) }
            return .array(elements)
        case .string: return .string(try reader.string())
        case .number: return .number(try reader.number())
        case .boolean: return .boolean(try reader.boolean())
        case .null:
            try reader.null()
            return .null
        }
    }
}
