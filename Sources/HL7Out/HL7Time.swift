package import Foundation
import Glibc

/// TS / DTM: `YYYYMMDDHHMMSS±ZZZZ`.
package enum HL7Time {
    /// In UTC, to the second: the same instant always makes the same text.
    package static func text(_ date: Date) -> String {
        let seconds = Int(date.timeIntervalSince1970.rounded(.down))
        var time = tm()
        var clock = time_t(seconds)
        gmtime_r(&clock, &time)
        let twoDigits = [time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec]
        return padded(Int(time.tm_year) + 1900, to: 4) + twoDigits.map { padded(Int($0), to: 2) }.joined() + "+0000"
    }

    /// From DICOM's DA, TM and time zone offset; as precise as they are, empty without a valid date.
    ///
    /// - Parameters:
    ///   - date: YYYYMMDD.
    ///   - time: HH, HHMM, HHMMSS or HHMMSS.F…
    ///   - offset: ±HHMM, or empty.
    package static func text(date: String, time: String, offset: String) -> String {
        guard isDigits(date, 8) else { return "" }
        var digits = String(time.prefix { $0 != "." }.prefix(6))
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return date }
        // HL7 has no time of hours alone; a leap second is not everywhere understood.
        if digits.count == 2 { digits += "00" }
        guard digits.count == 4 || digits.count == 6, let hour = Int(digits.prefix(2)), hour < 24 else { return date }
        let sign = offset.first
        let isOffset = (sign == "+" || sign == "-") && isDigits(String(offset.dropFirst()), 4)
        return date + digits + (isOffset ? offset : "")
    }

    static func isDigits(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
