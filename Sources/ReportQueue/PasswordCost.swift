internal import Crypto
internal import CryptoExtras
internal import Foundation

/// What one guess at a password costs: scrypt's parameters (RFC 7914). Stored with each hash, so that they can grow.
public struct PasswordCost: Sendable, Equatable {
    /// N, a power of two. Memory is 128 * N * blockSize bytes.
    public var rounds: Int
    /// r
    public var blockSize: Int
    /// p
    public var parallelism: Int

    public init(rounds: Int, blockSize: Int, parallelism: Int) {
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// 32 MiB for a moment. OWASP Password Storage Cheat Sheet, third row (N = 2^15, r = 8, p = 3): the daemon's memory
    /// belongs to the model.
    public static let standard = PasswordCost(rounds: 1 << 15, blockSize: 8, parallelism: 3)

    static let saltByteCount = 16
    static let hashByteCount = 32

    static func randomSalt() -> Data {
        SymmetricKey(size: .init(bitCount: saltByteCount * 8)).withUnsafeBytes { Data($0) }
    }

    /// - Throws: `.invalid` for parameters scrypt does not take.
    func hash(_ password: String, salt: Data) throws(QueueError) -> Data {
        do {
            // One password typed on two keyboards may be two code point sequences; NFC makes them one.
            let bytes = Data(password.precomposedStringWithCanonicalMapping.utf8)
            return try KDF.Scrypt.deriveKey(
                from: bytes, salt: salt, outputByteCount: Self.hashByteCount, rounds: rounds, blockSize: blockSize, parallelism: parallelism
            ).withUnsafeBytes { Data($0) }
        } catch {
            throw .invalid(what: "hashing a password", found: "scrypt refused N=\(rounds), r=\(blockSize), p=\(parallelism)")
        }
    }

    /// Takes the same time wherever the two differ.
    static func isEqual(_ one: Data, _ two: Data) -> Bool {
        guard one.count == two.count else { return false }
        return zip(one, two).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
