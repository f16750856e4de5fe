internal import TOMLKit

/// One step from the root of a TOML document to a value.
package enum PathComponent: Hashable, Sendable {
    case key(String)
    case index(Int)
}

package typealias KeyPath = [PathComponent]

extension [PathComponent] {
    /// `dicom.peer[0].ae_title`. Keys that are not bare are quoted.
    package var text: String {
        var text = ""
        for component in self {
            switch component {
            case .index(let index): text += "[\(index)]"
            case .key(let key):
                let isBare = !key.isEmpty && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
                text += (text.isEmpty ? "" : ".") + (isBare ? key : TOMLNode.quoted(key))
            }
        }
        return text
    }
}

/// A parsed TOML value, without the library's types.
package indirect enum TOMLNode: Sendable, Equatable {
    case string(String)
    case integer(Int)
    case double(Double)
    case boolean(Bool)
    case array([TOMLNode])
    case table([String: TOMLNode])
    /// A date or time, which no key takes.
    case date

    /// How deep a document may nest; the schema needs four levels.
    private static let maximumDepth = 16

    /// - Throws: line (counted from 1) and reason, in a value that the caller puts the file's name to.
    package static func parse(_ text: String) throws(SyntaxError) -> TOMLNode {
        // toml++ takes a C string: a NUL would silently end the document.
        if let position = text.utf8.firstIndex(of: 0) {
            let line = text.utf8[..<position].count { $0 == UInt8(ascii: "\n") } + 1
            throw SyntaxError(line: line, reason: "a NUL character")
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw SyntaxError(line: error.source.begin.line, reason: error.description)
        } catch {
            throw SyntaxError(line: 1, reason: "\(error)")
        }
        return try convert(table.tomlValue, depth: 0)
    }

    package struct SyntaxError: Error, Equatable {
        package var line: Int
        package var reason: String
    }

    private static func convert(_ value: TOMLValue, depth: Int) throws(SyntaxError) -> TOMLNode {
        guard depth <= maximumDepth else { throw SyntaxError(line: 1, reason: "nested more than \(maximumDepth) levels deep") }
        switch value.type {
        case .string: return .string(value.string ?? "")
        case .int: return .integer(value.int ?? 0)
        case .double: return .double(value.double ?? 0)
        case .bool: return .boolean(value.bool ?? false)
        case .date, .time, .dateTime: return .date
        case .array:
            var nodes: [TOMLNode] = []
            if let array = value.array {
                for element in array { nodes.append(try convert(element.tomlValue, depth: depth + 1)) }
            }
            return .array(nodes)
        case .table:
            var nodes: [String: TOMLNode] = [:]
            if let table = value.table {
                for key in table.keys {
                    guard let element = table[key] else { continue }
                    nodes[key] = try convert(element.tomlValue, depth: depth + 1)
                }
            }
            return .table(nodes)
        }
    }

    /// What a reader calls this kind of value.
    package var kind: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .double: "a floating-point number"
        case .boolean: "a boolean"
        case .array: "an array"
        case .table: "a table"
        case .date: "a date or time"
        }
    }

    /// The value as one line of TOML.
    package var text: String {
        switch self {
        case .string(let string): TOMLNode.quoted(string)
        case .integer(let integer): String(integer)
        case .double(let double): String(double)
        case .boolean(let boolean): String(boolean)
        case .array(let nodes): "[" + nodes.map(\.text).joined(separator: ", ") + "]"
        case .table(let nodes):
            "{" + nodes.sorted { $0.key < $1.key }.map { "\([PathComponent.key($0.key)].text) = \($0.value.text)" }.joined(separator: ", ") + "}"
        case .date: "a date or time"
        }
    }

    /// A TOML basic string.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
