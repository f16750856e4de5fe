internal import Crypto
internal import Foundation

/// Names that are a function of what they name: a retry re-sends the same instance, and other content never
/// travels under a used name.
public enum DeterministicUID {
    /// A UID under 2.25 (PS3.5 B.2) from the SHA-256 of the parts. Each part is length-prefixed, so that
    /// ("ab", "c") and ("a", "bc") differ.
    public static func uid(_ parts: String...) -> String {
        var bytes = Array(digest(parts).prefix(16))
        bytes[6] = (bytes[6] & 0x0F) | 0x80  // UUID version 8 (RFC 9562): a name-based UUID of our own
        bytes[8] = (bytes[8] & 0x3F) | 0x80
        return "2.25." + decimal(bytes)
    }

    /// At most 20 characters (MSH-10 in HL7 2.3.1 and 2.4), letters and digits.
    public static func controlID(_ parts: String...) -> String {
        "R" + digest(parts).prefix(9).map { String(format: "%02X", $0) }.joined()
    }

    private static func digest(_ parts: [String]) -> SHA256.Digest {
        var hash = SHA256()
        for part in parts {
            let bytes = Array(part.utf8)
            withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: bytes)
        }
        return hash.finalize()
    }

    /// Big-endian bytes as a decimal number without leading zeros, by repeated division.
    private static func decimal(_ bytes: [UInt8]) -> String {
        var number = bytes
        var digits: [Character] = []
        while number.contains(where: { $0 != 0 }) {
            var remainder = 0
            for index in number.indices {
                let value = remainder << 8 | Int(number[index])
                number[index] = UInt8(value / 10)
                remainder = value % 10
            }
            digits.append(Character(String(remainder)))
        }
        return digits.isEmpty ? "0" : String(digits.reversed())
    }
}
