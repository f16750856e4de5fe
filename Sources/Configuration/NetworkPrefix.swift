import Glibc

/// An IPv4 or IPv6 address, or a network of them: `10.1.2.3`, `10.1.0.0/16`, `fd00::/8`.
///
/// IPv4 addresses are compared in their IPv4-mapped form, so that a peer that reaches an IPv6 socket as
/// `::ffff:10.1.2.3` is the peer `10.1.2.3`.
public struct NetworkPrefix: Sendable, Hashable, CustomStringConvertible {
    /// As it was written.
    public let description: String
    /// 16 bytes, network order.
    private let bytes: [UInt8]
    /// 0...128.
    private let length: Int

    /// nil when `text` is neither an address literal nor `literal/length`, or when the network has bits behind its length.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = NetworkPrefix.mappedBytes(String(parts[0])) else { return nil }
        var length = 128
        if parts.count == 2 {
            let isIPv4 = !parts[0].contains(":")
            guard let given = NetworkPrefix.digits(parts[1]), given <= (isIPv4 ? 32 : 128) else { return nil }
            length = isIPv4 ? given + 96 : given
        }
        for bit in length..<128 where address[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0 { return nil }
        self.description = text
        self.bytes = address
        self.length = length
    }

    /// Whether `address`, a literal as `inet_ntop` writes it (a zone such as `%eth0` is ignored), lies in this network.
    public func contains(_ address: String) -> Bool {
        guard let other = NetworkPrefix.mappedBytes(String(address.prefix { $0 != "%" })) else { return false }
        for bit in 0..<length where (bytes[bit / 8] ^ other[bit / 8]) & (0x80 >> UInt8(bit % 8)) != 0 { return false }
        return true
    }

    /// Whether `address` is an IPv4 or IPv6 literal.
    public static func isLiteral(_ address: String) -> Bool { mappedBytes(address) != nil }

    /// 127.0.0.0/8 or ::1.
    public static func isLoopback(_ address: String) -> Bool {
        NetworkPrefix("127.0.0.0/8")?.contains(address) == true || NetworkPrefix("::1")?.contains(address) == true
    }

    private static func digits(_ text: Substring) -> Int? {
        guard (1...3).contains(text.count), text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int(text)
    }

    private static func mappedBytes(_ address: String) -> [UInt8]? {
        guard !address.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, address, &bytes) == 1 { return bytes }
        var four = [UInt8](repeating: 0, count: 4)
        guard inet_pton(AF_INET, address, &four) == 1 else { return nil }
        return [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + four
    }
}
