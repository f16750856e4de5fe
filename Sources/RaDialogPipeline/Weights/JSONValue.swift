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

    /// Parses a whole text.
    package init(parsing bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        self = try Self.value(&reader, depth: 0)
        try reader.end()
    }

    private static func value(_ reader: inout JSONReader, depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < maximumDepth else { throw reader.failure("nested deeper than \(maximumDepth)") }
        switch try reader.kind() {
        case .object:
            var members: [String: JSONValue] = [:]
            try reader.object { reader, key throws(JSONSyntaxError) in members[key] = try value(&reader, depth: depth + 1) }
            return .object(members)
        case .array:
            var elements: [JSONValue] = []
            try reader.array { reader throws(JSONSyntaxError) in elements.append(try value(&reader, depth: depth + 1)) }
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
