internal import Synchronization

/// What a model wrote behind its latest tokens in the texts before: reports repeat each other. Kept in memory alone, bounded, and gone with the process.
///
/// It only guesses. A guess becomes part of a text where the model, which has read the text's own study alone, writes the same token; so no text
/// depends on another's, or on the order they were written in.
package final class PhraseMemory: Sendable {
    /// The latest tokens that decide what is guessed: four, else two. Human reports of Open-i, three guesses a step, are written in half the steps so (docs/speed.md).
    static let run = 4
    private static let shortRun = 2
    /// Stands where a short run has no token.
    private static let nothing: Int32 = -2

    /// The token that followed a run most often: it has a majority where one has (Boyer and Moore 1981).
    private struct Follower {
        var token: Int32
        var votes: Int32
    }

    private struct State {
        /// Learnt last, and before: the older half is forgotten at once.
        var recent: [SIMD4<Int32>: Follower] = [:]
        var older: [SIMD4<Int32>: Follower] = [:]

        subscript(key: SIMD4<Int32>) -> Follower? { recent[key] ?? older[key] }

        mutating func count(_ token: Int32, at key: SIMD4<Int32>) {
            var follower = self[key] ?? Follower(token: token, votes: 0)
            if follower.token == token {
                follower.votes = min(follower.votes, .max - 1) + 1
            } else if follower.votes > 0 {
                follower.votes -= 1
            } else {
                follower = Follower(token: token, votes: 1)
            }
            recent[key] = follower
        }
    }

    private let state = Mutex(State())
    private let capacity: Int

    /// - Parameter capacity: runs that are kept at least, twice as many at most; some 40 bytes each.
    package init(capacity: Int = 1 << 16) { self.capacity = capacity }

    /// Learns a text.
    /// - Parameter context: what the text goes on from.
    package func learn(_ text: [Int32], behind context: [Int32]) {
        let tokens = context.suffix(Self.run) + text
        state.withLock { state in
            for place in (tokens.endIndex - text.count)..<tokens.endIndex {
                for key in Self.keys(tokens[..<place]) { state.count(tokens[place], at: key) }
            }
            if state.recent.count >= capacity {
                state.older = state.recent
                state.recent = [:]
            }
        }
    }

    /// How a text with this end may go on. Empty where the end is new.
    package func guesses(behind end: some Collection<Int32>, atMost count: Int) -> [Int32] {
        guard count > 0 else { return [] }
        var tokens = Array(end)
        let start = tokens.count
        state.withLock { state in
            while tokens.count < start + count {
                let known = Self.keys(tokens[...]).compactMap { state[$0] }
                guard let follower = known.first else { break }
                tokens.append(follower.token)
            }
        }
        return Array(tokens[start...])
    }

    /// Of the runs that end here, the longer first.
    private static func keys(_ tokens: ArraySlice<Int32>) -> [SIMD4<Int32>] {
        let end = tokens.endIndex
        var keys: [SIMD4<Int32>] = []
        if tokens.count >= run { keys.append([tokens[end - 4], tokens[end - 3], tokens[end - 2], tokens[end - 1]]) }
        if tokens.count >= shortRun { keys.append([nothing, nothing, tokens[end - 2], tokens[end - 1]]) }
        return keys
    }
}
