internal import Foundation
internal import ReportModel

/// Instants as DA, TM and DT in one offset from UTC. PS3.5 6.2; (0008,0201) applies to every DA and TM of the object,
/// the study's own included: so the study's offset is kept where it has one.
struct DocumentTimes {
    /// ±HHMM.
    let offset: String
    private let calendar: Calendar

    init(_ report: OutgoingReport) {
        let seconds = Self.seconds(report.study.timezoneOffsetFromUTC)
        offset = seconds == nil ? "+0000" : report.study.timezoneOffsetFromUTC
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: seconds ?? 0) ?? .gmt
        self.calendar = calendar
    }

    func date(_ instant: Date) -> String {
        let parts = calendar.dateComponents([.year, .month, .day], from: instant)
        return digits(parts.year, 4) + digits(parts.month, 2) + digits(parts.day, 2)
    }

    func time(_ instant: Date) -> String {
        let parts = calendar.dateComponents([.hour, .minute, .second], from: instant)
        return digits(parts.hour, 2) + digits(parts.minute, 2) + digits(parts.second, 2)
    }

    func dateTime(_ instant: Date) -> String {
        date(instant) + time(instant) + offset
    }

    private func digits(_ value: Int?, _ count: Int) -> String {
        let text = String(value ?? 0)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// nil for anything but ±HHMM within -1200...+1400 (PS3.3 C.12.1.1.8).
    private static func seconds(_ offset: String) -> Int? {
        let bytes = Array(offset.utf8)
        guard bytes.count == 5, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            bytes.dropFirst().allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let hours = Int(offset.dropFirst().prefix(2)), let minutes = Int(offset.suffix(2)), minutes < 60
        else { return nil }
        let seconds = (hours * 60 + minutes) * 60 * (bytes[0] == UInt8(ascii: "-") ? -1 : 1)
        // "-0000" is not allowed, and says nothing.
        guard (-12 * 3600...14 * 3600).contains(seconds), offset != "-0000" else { return nil }
        return seconds
    }
}
