import Glibc

/// errno as text. glibc's `strerror` is safe on any thread since 2.32.
enum SystemError {
    static func text(_ number: Int32) -> String {
        guard let text = strerror(number) else { return "errno \(number)" }
        return "\(String(cString: text)) (errno \(number))"
    }
}
