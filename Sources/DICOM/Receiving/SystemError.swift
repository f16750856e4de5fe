import Glibc

/// errno as text.
enum SystemError {
    static func text(_ number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(number, &buffer, buffer.count) != nil else { return "errno \(number)" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        // GNU's strerror_r may answer with a static text and leave the buffer alone.
        return bytes.isEmpty ? "errno \(number)" : String(decoding: bytes, as: UTF8.self) + " (errno \(number))"
    }
}
