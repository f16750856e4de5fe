package import DICOM
import Synchronization

/// Refused associations, as they are to be written down: the first of its kind at once, its repetitions as one number a minute.
/// A port scanner or a load balancer's probe must not fill the log and the audit trail.
package final class RejectionTally: Sendable {
    /// `count` associations like `latest`, since the last entry about them.
    package struct Entry {
        package var latest: RejectedAssociation
        package var count: Int
    }

    private struct Kind: Hashable {
        var address: String
        var result: AssociationRejection?
        var reason: String
    }

    private struct Window {
        var end: ContinuousClock.Instant
        var repeated: Entry
    }

    private let length: Duration
    private let mostKinds: Int
    private let windows = Mutex<[Kind: Window]>([:])

    /// Beyond `mostKinds` addresses and reasons, the new ones of a window count together.
    package init(length: Duration = .seconds(60), mostKinds: Int = 256) {
        self.length = length
        self.mostKinds = mostKinds
    }

    /// - Returns: what is to be written down now.
    package func add(_ rejection: RejectedAssociation, now: ContinuousClock.Instant = .now) -> [Entry] {
        windows.withLock { windows in
            var entries = Self.takeEnded(&windows, now)
            var kind = Kind(address: rejection.peerAddress, result: rejection.result, reason: rejection.reason)
            if windows[kind] == nil, windows.count >= mostKinds { kind.address = "other addresses" }
            if windows[kind] == nil {
                entries.append(Entry(latest: rejection, count: 1))
                windows[kind] = Window(end: now + length, repeated: Entry(latest: rejection, count: 0))
            } else {
                windows[kind]?.repeated.latest = rejection
                windows[kind]?.repeated.count += 1
            }
            return entries
        }
    }

    /// Repetitions whose minute has ended.
    package func ended(now: ContinuousClock.Instant = .now) -> [Entry] {
        windows.withLock { Self.takeEnded(&$0, now) }
    }

    /// Everything that was not written down yet: at the stop.
    package func rest() -> [Entry] {
        windows.withLock { windows in
            defer { windows = [:] }
            return windows.values.map(\.repeated).filter { $0.count > 0 }
        }
    }

    private static func takeEnded(_ windows: inout [Kind: Window], _ now: ContinuousClock.Instant) -> [Entry] {
        let ended = windows.filter { $0.value.end <= now }
        for kind in ended.keys { windows[kind] = nil }
        return ended.values.map(\.repeated).filter { $0.count > 0 }
    }
}
