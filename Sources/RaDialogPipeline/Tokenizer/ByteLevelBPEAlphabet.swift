/// GPT-2's alphabet: every byte as one printable scalar, so that a vocabulary can be written as text.
///
/// Printable Latin-1 stands for itself; the other bytes, in order, are U+0100 and what follows. A space is `Ġ`, a line feed `Ċ`.
/// Source: `bytes_to_unicode` in github.com/openai/gpt-2, src/encoder.py.
package enum ByteLevelBPEAlphabet {
    /// By byte.
    package static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next)!  // U+0100...U+0143
            }
        }
    }()

    /// By scalar value; -1 where the scalar is not of the alphabet.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that a token written in the alphabet stands for; nil where a scalar is not of the alphabet.
    static func bytes(of token: String) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.utf8.count)
        for scalar in token.unicodeScalars {
            guard scalar.value < bytes.count, bytes[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar.value)]))
        }
        return result
    }
}
