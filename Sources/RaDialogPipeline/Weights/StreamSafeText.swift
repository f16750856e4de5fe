extension String {
    /// Text of a file: UTF-8 in the stream-safe format of Unicode (UAX #15, section 13), which has at most 30 combining marks in a row.
    ///
    /// Comparing and hashing strings puts combining marks into canonical order, for which the standard library needs time that grows with the square
    /// of their number: a name of a megabyte would take minutes. No writing system needs more than a few.
    /// - Returns: nil where the bytes are something else.
    package init?(streamSafe bytes: some Collection<UInt8>) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var marks = 0
        for scalar in text.unicodeScalars {
            // The first combining mark is U+0300.
            guard scalar.value >= 0x300, scalar.properties.canonicalCombiningClass != .notReordered else {
                marks = 0
                continue
            }
            marks += 1
            if marks > Self.maximumMarks { return nil }
        }
        self = text
    }

    private static let maximumMarks = 30
}
