/// Types of metadata values; the numbers are the format's.
package enum GGUFValueType: UInt32, Sendable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case boolean = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// nil for strings and arrays.
    var bytes: Int? {
        switch self {
        case .uint8, .int8, .boolean: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

/// Where one metadata value lies. It is decoded when asked for.
struct GGUFEntry {
    var type: GGUFValueType
    /// Of an array.
    var element: GGUFValueType?
    /// Elements of an array; 1 otherwise.
    var count: Int
    /// The numbers, or the string's bytes, or an array's elements: for strings each with its length in front.
    var range: Range<Int>

    init(_ cursor: inout GGUFCursor, key: String) throws(WeightsError) {
        type = try Self.type(&cursor, key: key)
        count = 1
        switch type {
        case .string: range = try cursor.string("the value of \"\(key)\"")
        case .array:
            let element = try Self.type(&cursor, key: key)
            let claimed = try cursor.unsigned(8, "the length of array \"\(key)\"")
            // An element has a byte at least.
            guard claimed <= UInt64(cursor.count) else { throw cursor.failure("array \"\(key)\" claims \(claimed) elements") }
            self.element = element
            count = Int(claimed)
            if element == .string {
                range = try cursor.strings(count, key: key)
            } else if let size = element.bytes {
                let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
                guard !overflow else { throw cursor.failure("array \"\(key)\" claims \(claimed) elements") }
                range = try cursor.skip(bytes, "array \"\(key)\"")
            } else {
                throw cursor.failure("metadata \"\(key)\" is an array of arrays, which no key of ours is")
            }
        default: range = try cursor.skip(type.bytes ?? 0, "the value of \"\(key)\"")
        }
    }

    private static func type(_ cursor: inout GGUFCursor, key: String) throws(WeightsError) -> GGUFValueType {
        let number = try cursor.unsigned(4, "the type of \"\(key)\"")
        guard let type = GGUFValueType(rawValue: UInt32(number)) else { throw cursor.failure("metadata \"\(key)\" has the unknown type \(number)") }
        return type
    }
}

/// Metadata values. nil where the file has no such key; an error where it is of another kind.
extension GGUF {
    /// What stands under `key`, and for an array of what; nil where nothing does.
    package func type(of key: String) -> (type: GGUFValueType, element: GGUFValueType?, count: Int)? {
        entries[key].map { ($0.type, $0.element, $0.count) }
    }

    /// A whole number of any width.
    package func integer(_ key: String) throws(WeightsError) -> Int? {
        guard let entry = entries[key] else { return nil }
        guard let value = Self.integer(file.bytes, entry.type, entry.range) else { throw kind(key, "a whole number") }
        return value
    }

    /// A floating-point number of either width.
    package func real(_ key: String) throws(WeightsError) -> Double? {
        guard let entry = entries[key] else { return nil }
        let bits = entry.type.bytes == nil ? 0 : file.bytes.littleEndian(entry.range)
        switch entry.type {
        case .float32: return Double(Float(bitPattern: UInt32(bits)))
        case .float64: return Double(bitPattern: bits)
        default: throw kind(key, "a floating-point number")
        }
    }

    package func boolean(_ key: String) throws(WeightsError) -> Bool? {
        guard let entry = entries[key] else { return nil }
        guard entry.type == .boolean, file.bytes[entry.range.lowerBound] <= 1 else { throw kind(key, "true or false") }
        return file.bytes[entry.range.lowerBound] == 1
    }

    package func string(_ key: String) throws(WeightsError) -> String? {
        guard let entry = entries[key] else { return nil }
        guard entry.type == .string, let text = file.bytes.text(entry.range) else { throw kind(key, "a UTF-8 string") }
        return text
    }

    /// An array of strings. Vocabularies hold pieces that differ in normalisation alone, which `String` takes for equal:
    /// compare and look up pieces by their UTF-8.
    package func strings(_ key: String) throws(WeightsError) -> [String]? {
        guard let entry = entries[key] else { return nil }
        guard entry.element == .string else { throw kind(key, "an array of strings") }
        var texts: [String] = []
        texts.reserveCapacity(entry.count)
        var offset = entry.range.lowerBound
        for index in 0..<entry.count {
            let start = offset + 8
            offset = start + Int(file.bytes.littleEndian(offset..<start))
            guard let text = file.bytes.text(start..<offset) else { throw kind(key, "UTF-8 at element \(index)") }
            texts.append(text)
        }
        return texts
    }

    /// An array of 32-bit floats.
    package func floats(_ key: String) throws(WeightsError) -> [Float]? {
        guard let entry = entries[key] else { return nil }
        guard entry.element == .float32 else { throw kind(key, "an array of 32-bit floating-point numbers") }
        return (0..<entry.count).map { index in
            let start = entry.range.lowerBound + 4 * index
            return Float(bitPattern: UInt32(truncatingIfNeeded: file.bytes.littleEndian(start..<start + 4)))
        }
    }

    /// An array of whole numbers of 32 bits, signed or not, that fit a signed one.
    package func int32s(_ key: String) throws(WeightsError) -> [Int32]? {
        guard let entry = entries[key] else { return nil }
        guard let element = entry.element, element == .int32 || element == .uint32 else { throw kind(key, "an array of 32-bit whole numbers") }
        var values: [Int32] = []
        values.reserveCapacity(entry.count)
        for index in 0..<entry.count {
            let start = entry.range.lowerBound + 4 * index
            guard let value = Self.integer(file.bytes, element, start..<start + 4).flatMap({ Int32(exactly: $0) }) else {
                throw kind(key, "numbers below 2^31")
            }
            values.append(value)
        }
        return values
    }

    private static func integer(_ bytes: UnsafeRawBufferPointer, _ type: GGUFValueType, _ range: Range<Int>) -> Int? {
        let bits = type.bytes == nil ? 0 : bytes.littleEndian(range)
        switch type {
        case .uint8, .uint16, .uint32, .uint64: return Int(exactly: bits)
        case .int8: return Int(Int8(truncatingIfNeeded: bits))
        case .int16: return Int(Int16(truncatingIfNeeded: bits))
        case .int32: return Int(Int32(truncatingIfNeeded: bits))
        case .int64: return Int(Int64(bitPattern: bits))
        case .float32, .float64, .boolean, .string, .array: return nil
        }
    }

    func kind(_ key: String, _ expected: String) -> WeightsError {
        .malformed(path: path, reason: "metadata \"\(key)\" is not \(expected)")
    }
}
