internal import CDCMTK

extension cdcmtk_error {
    /// The text up to its NUL.
    var message: String {
        withUnsafeBytes(of: text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
