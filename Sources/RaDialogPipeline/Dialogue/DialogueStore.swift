internal import Synchronization

/// The open dialogues, by study. Each keeps its key-value cache from turn to turn while there is memory for it; when there is not, the ones
/// that were not used for longest lose theirs, and read everything again when they are asked next.
public final class DialogueStore: Sendable {
    /// What decides how much memory the caches may have.
    public struct Limits: Sendable {
        /// Bytes of all caches together.
        public var cacheBytes: Int
        /// Open dialogues; the one that was not used for longest is closed for a new one.
        public var dialogues: Int
        /// Bytes of the machine's memory (or of the control group's) that have to stay free; below that only the dialogue in use keeps its cache.
        public var freeBytes: Int

        public init(cacheBytes: Int = 2 << 30, dialogues: Int = 64, freeBytes: Int = 512 << 20) {
            self.cacheBytes = cacheBytes
            self.dialogues = dialogues
            self.freeBytes = freeBytes
        }
    }

    private struct Entry {
        let study: String
        let dialogue: Dialogue
    }

    private let limits: Limits
    private let freeMemory: @Sendable () -> Int?
    /// The one used last stands last.
    private let entries = Mutex<[Entry]>([])

    public convenience init(limits: Limits = Limits()) { self.init(limits: limits, freeMemory: FreeMemory.bytes) }

    /// - Parameter freeMemory: nil where it cannot be known; the pressure is then not seen.
    package init(limits: Limits, freeMemory: @escaping @Sendable () -> Int?) {
        self.limits = limits
        self.freeMemory = freeMemory
    }

    /// The study's dialogue; it counts as used now.
    public func dialogue(of study: String) -> Dialogue? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.study == study }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.dialogue
        }
    }

    /// Keeps a study's dialogue, in place of the one it had.
    public func keep(_ dialogue: Dialogue, of study: String) {
        entries.withLock { entries in
            entries.removeAll { $0.study == study }
            entries.append(Entry(study: study, dialogue: dialogue))
            if entries.count > limits.dialogues { entries.removeFirst(entries.count - limits.dialogues) }
        }
        shrink()
    }

    /// Closes a study's dialogue.
    public func close(_ study: String) { entries.withLock { $0.removeAll { $0.study == study } } }

    /// Drops caches until the limits hold. Called after every turn; waits while a dialogue is answering.
    /// - Returns: how many caches were dropped.
    @discardableResult
    public func shrink() -> Int {
        // The newest is the one in use: it keeps its cache whatever it costs.
        let others = entries.withLock { $0.map(\.dialogue) }
        var bytes = others.map(\.cacheBytes)
        var dropped = 0
        for index in others.indices.dropLast() where bytes[index] > 0 {
            let isTight = freeMemory().map { $0 < limits.freeBytes } ?? false
            guard isTight || bytes.reduce(0, +) > limits.cacheBytes else { continue }
            others[index].dropCache()
            bytes[index] = 0
            dropped += 1
        }
        return dropped
    }
}
