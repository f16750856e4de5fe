/// Durations and sizes as the file writes them: a number and a unit, so that nobody has to guess.
package enum Quantity {
    private static let durationUnits: [(suffix: String, milliseconds: Int)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    private static let sizeUnits: [(suffix: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// `30s`, `500ms`, `10m`, `2h`, `7d`. nil for anything else, and beyond 10,000 days.
    package static func duration(_ text: String) -> Duration? {
        guard let (count, suffix) = split(text), let unit = durationUnits.first(where: { $0.suffix == suffix }) else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow, milliseconds <= 10_000 * 86_400_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// In the largest unit that divides it.
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        if milliseconds == 0 { return "0s" }
        let unit = durationUnits.last { milliseconds % $0.milliseconds == 0 } ?? durationUnits[0]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }

    /// `512B`, `64KiB`, `16MiB`, `1GiB`, `1TiB`: bytes. nil for anything else.
    package static func size(_ text: String) -> Int? {
        guard let (count, suffix) = split(text), let unit = sizeUnits.first(where: { $0.suffix == suffix }) else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// In the largest unit that divides it.
    package static func text(bytes: Int) -> String {
        if bytes == 0 { return "0B" }
        let unit = sizeUnits.first { bytes % $0.bytes == 0 } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.suffix)"
    }

    private static func split(_ text: String) -> (count: Int, suffix: String)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard (1...15).contains(digits.count), let count = Int(digits) else { return nil }
        return (count, String(text.dropFirst(digits.count)))
    }
}
