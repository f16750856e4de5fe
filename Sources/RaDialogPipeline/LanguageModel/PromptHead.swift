internal import Synchronization

/// The beginning that all report prompts of a bundle share: its keys and values are computed once, and stored once.
package final class PromptHead: Sendable {
    let tokens: [Int32]
    private let read = Mutex<KeyValueCache?>(nil)

    package init(tokens: [Int32]) { self.tokens = tokens }

    /// A cache that holds the head, for a conversation to go on with.
    func cache(_ model: LanguageModel, _ scheduler: ComputeScheduler, urgency: Urgency, check: () throws -> Void) throws -> KeyValueCache {
        if let cache = read.withLock({ $0?.fork() }) { return cache }
        guard !tokens.isEmpty else { return model.makeCache() }
        // Two that begin at the same time both read it; one of them is kept.
        let cache = model.makeCache()
        _ = try scheduler.read(model.embed(tokens), cache: cache, urgency: urgency, check: check)
        return read.withLock { kept in
            kept = kept ?? cache
            return kept?.fork() ?? cache
        }
    }
}
