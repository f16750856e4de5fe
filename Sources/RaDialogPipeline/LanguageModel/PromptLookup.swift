/// Guesses how a text goes on: as it did behind the last place where its three latest tokens stood before (prompt lookup decoding, Saxena 2023).
/// A corrected report repeats most of the first; the model has then only to agree.
package struct PromptLookup {
    /// Guesses that are read along at most.
    package static let longest = 7

    private var tokens: [Int32] = []
    /// Where a run of three tokens ended last, not counting the text's end.
    private var ends: [Run: Int] = [:]

    private struct Run: Hashable {
        var first, second, third: Int32
    }

    package init(_ tokens: [Int32]) {
        for token in tokens { append(token) }
    }

    package mutating func append(_ token: Int32) {
        // The run that ended before this token has a continuation now.
        if let run = latest { ends[run] = tokens.count }
        tokens.append(token)
    }

    /// Empty where the latest tokens are new.
    package func guesses(atMost count: Int) -> [Int32] {
        guard count > 0, let run = latest, let end = ends[run] else { return [] }
        return Array(tokens[end...].prefix(count).prefix { $0 >= 0 })
    }

    /// The text's last tokens.
    package func suffix(_ count: Int) -> ArraySlice<Int32> { tokens.suffix(count) }

    private var latest: Run? {
        guard tokens.count >= 3 else { return nil }
        return Run(first: tokens[tokens.count - 3], second: tokens[tokens.count - 2], third: tokens[tokens.count - 1])
    }
}
