/// On which line of a TOML document each key, table header and array element stands. TOMLKit keeps no positions.
///
/// Input: a document that TOMLKit has accepted, so nothing is checked again here. One pass over the bytes with a stack
/// of open brackets; dotted and quoted keys, tables, arrays of tables, inline tables, multi-line strings and arrays.
package struct LineIndex {
    /// Lines count from 1. A table's entry is the line of its (last) header, a key's entry that of the key.
    private var lines: [KeyPath: Int] = [:]

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    /// Number of `[[path]]` headers so far.
    private var arraysOfTables: [KeyPath: Int] = [:]

    private enum Bracket {
        /// The element index that comes next.
        case array(path: KeyPath, next: Int)
        case inlineTable(path: KeyPath)
    }

    package init(_ text: String) {
        bytes = Array(text.utf8)
        scan()
    }

    /// The line of `path`, or of the nearest thing around it that has one.
    package func line(of path: KeyPath) -> Int? {
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return nil
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func has(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        return text.withUTF8Buffer { buffer in buffer.elementsEqual(bytes[position..<(position + count)]) }
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func record(_ path: KeyPath) {
        if lines[path] == nil { lines[path] = line }
    }

    /// White space, line ends and comments.
    private mutating func skipBlank() {
        while let byte = current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): while let byte = current, byte != UInt8(ascii: "\n") { advance() }
            default: return
            }
        }
    }

    private mutating func skipSpaces() {
        while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { advance() }
    }

    private mutating func scan() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        var table: KeyPath = []
        while true {
            skipBlank()
            guard let byte = current else { return }
            if has("[[") {
                advance(2)
                let path = resolve(readKey())
                let index = arraysOfTables[path, default: 0]
                arraysOfTables[path] = index + 1
                table = path + [.index(index)]
                record(path)
                record(table)
                advance(2)
            } else if byte == UInt8(ascii: "[") {
                advance()
                table = resolve(readKey())
                // An implicit table gets its own header later: that is the better line.
                lines[table] = line
                advance()
            } else {
                readPair(in: table)
            }
            if position >= bytes.count { return }
        }
    }

    /// A header's path, with the last element wherever it passes through an array of tables.
    private func resolve(_ keys: [String]) -> KeyPath {
        var path: KeyPath = []
        for (position, key) in keys.enumerated() {
            path.append(.key(key))
            if position < keys.count - 1, let count = arraysOfTables[path] { path.append(.index(count - 1)) }
        }
        return path
    }

    /// `a."b.c".d`, up to the byte that ends it.
    private mutating func readKey() -> [String] {
        var keys: [String] = []
        while true {
            skipSpaces()
            switch current {
            case UInt8(ascii: "\""), UInt8(ascii: "'"): keys.append(readQuotedKey())
            default:
                let start = position
                while let byte = current, !Array(".=] \t\r\n".utf8).contains(byte) { advance() }
                keys.append(String(decoding: bytes[start..<position], as: UTF8.self))
            }
            skipSpaces()
            guard current == UInt8(ascii: ".") else { return keys }
            advance()
        }
    }

    private mutating func readQuotedKey() -> String {
        let start = position
        skipString()
        let literal = String(decoding: bytes[start..<position], as: UTF8.self)
        // Escapes in keys are rare; the library decodes them as it did for the document.
        if literal.first == "\"", literal.contains("\\"), case .table(let table)? = try? TOMLNode.parse(literal + " = 0"),
            let key = table.keys.first
        {
            return key
        }
        return String(literal.dropFirst().dropLast())
    }

    /// `key = value`, in a table or an inline table.
    private mutating func readPair(in table: KeyPath) {
        var stack: [Bracket] = []
        beginPair(in: table, &stack)
        while let top = stack.last {
            skipBlank()
            guard let byte = current else { return }
            if byte == UInt8(ascii: ",") {
                advance()
                continue
            }
            if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                advance()
                stack.removeLast()
                continue
            }
            switch top {
            case .array(let path, let next):
                stack[stack.count - 1] = .array(path: path, next: next + 1)
                let element = path + [.index(next)]
                record(element)
                beginValue(element, &stack)
            case .inlineTable(let path): beginPair(in: path, &stack)
            }
        }
    }

    private mutating func beginPair(in table: KeyPath, _ stack: inout [Bracket]) {
        let start = line
        let path = table + readKey().map { PathComponent.key($0) }
        // Dotted keys make their tables on the way.
        for length in (table.count + 1)..<(max(path.count, table.count) + 1) where lines[Array(path.prefix(length))] == nil {
            lines[Array(path.prefix(length))] = start
        }
        advance()  // the equals sign
        skipSpaces()
        beginValue(path, &stack)
    }

    private mutating func beginValue(_ path: KeyPath, _ stack: inout [Bracket]) {
        switch current {
        case UInt8(ascii: "["):
            advance()
            stack.append(.array(path: path, next: 0))
        case UInt8(ascii: "{"):
            advance()
            stack.append(.inlineTable(path: path))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): skipString()
        default:
            // A number, boolean, date or time: up to what can end it.
            while let byte = current, !Array(",]}#\r\n".utf8).contains(byte) { advance() }
        }
    }

    private mutating func skipString() {
        guard let quote = current else { return }
        let isLiteral = quote == UInt8(ascii: "'")
        if has("\"\"\"") || has("'''") {
            advance(3)
            while position < bytes.count {
                if !isLiteral, current == UInt8(ascii: "\\") {
                    advance(2)
                } else if bytes[position...].starts(with: [quote, quote, quote]) {
                    advance(3)
                    // Up to two quotes may stand right before the closing three.
                    for _ in 0..<2 where current == quote { advance() }
                    return
                } else {
                    advance()
                }
            }
            return
        }
        advance()
        while let byte = current, byte != quote {
            advance(!isLiteral && byte == UInt8(ascii: "\\") ? 2 : 1)
        }
        advance()
    }
}
