/// The name that was probably meant.
package enum Suggestion {
    /// The candidate within two edits (one for names up to four characters), or nil.
    package static func nearest(to name: String, among candidates: [String]) -> String? {
        // A name far longer than every key is no typing error, and costs nothing.
        guard name.count <= 64 else { return nil }
        let limit = name.count <= 4 ? 1 : 2
        let best = candidates.map { (distance: distance(Array(name.lowercased()), Array($0)), name: $0) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best, best.distance <= limit else { return nil }
        return best.name
    }

    /// Optimal string alignment distance: insertions, deletions, substitutions, swapped neighbours.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 1..<(a.count + 1) {
            var row = [i]
            for j in 1..<(b.count + 1) {
                let cost = a[i - 1] == b[j - 1] ? 0 : 1
                var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + cost)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
