/// Numbers the words and word beginnings ("atelecta*") that all tables use, so that a word of a text is looked up once.
struct Vocabulary: Sendable {
    private var exact: [String: Int] = [:]
    private var prefixes: [String: Int] = [:]
    private var prefixLengths: Set<Int> = []
    private(set) var count = 0

    mutating func atom(_ pattern: Substring) -> Int {
        if pattern.hasSuffix("*") {
            let stem = String(pattern.dropLast())
            if let known = prefixes[stem] { return known }
            prefixes[stem] = count
            prefixLengths.insert(stem.utf8.count)
        } else {
            if let known = exact[String(pattern)] { return known }
            exact[String(pattern)] = count
        }
        count += 1
        return count - 1
    }

    /// Every atom `word` satisfies.
    func atoms(of word: String) -> [Int] {
        var found: [Int] = []
        if let atom = exact[word] { found.append(atom) }
        let bytes = word.utf8
        for length in prefixLengths where length <= bytes.count {
            guard let stem = String(bytes.prefix(length)), let atom = prefixes[stem] else { continue }
            found.append(atom)
        }
        return found
    }
}

/// Phrases with what each means. A phrase is words parted by spaces:
/// `opacit*` any ending · `a|b` either · `the?` may be missing · `~2` up to two words of any kind.
/// Marks never match: a phrase does not reach across a comma.
struct PhraseTable<Meaning: Sendable>: Sendable {
    private struct Element: Sendable {
        var atoms: [Int] = []
        var isOptional = false
        /// Words skipped at most; an element with a gap has no atoms.
        var gap = 0
    }
    private struct Phrase: Sendable {
        var elements: [Element]
        var meaning: Int
    }

    private let meanings: [Meaning]
    private var phrases: [Phrase] = []
    /// Phrases by the atom they begin with.
    private var byFirstAtom: [Int: [Int]] = [:]

    init(_ entries: [(Meaning, String)], vocabulary: inout Vocabulary) {
        meanings = entries.map(\.0)
        for (meaning, entry) in entries.enumerated() {
            for line in entry.1.split(separator: ",") {
                let elements = line.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { word -> Element in
                    if word.hasPrefix("~") { return Element(gap: Int(word.dropFirst()) ?? 1) }
                    let isOptional = word.hasSuffix("?")
                    return Element(atoms: word.drop(while: { $0 == "?" }).split(separator: "|").map { vocabulary.atom(isOptional && $0.hasSuffix("?") ? $0.dropLast() : $0) }, isOptional: isOptional)
                }
                guard let first = elements.first else { continue }
                precondition(!first.isOptional && first.gap == 0, "a phrase begins with a word it needs: \(line)")
                for atom in first.atoms { byFirstAtom[atom, default: []].append(phrases.count) }
                phrases.append(Phrase(elements: elements, meaning: meaning))
            }
        }
    }

    /// The longest phrase that begins at `index` and ends before `limit`; of equally long ones the first in the table.
    func longestMatch(at index: Int, in tokens: [Token], atoms: [[Int]], before limit: Int = .max) -> (meaning: Meaning, count: Int)? {
        guard tokens[index].word >= 0 else { return nil }
        var best: (phrase: Int, count: Int)?
        for atom in atoms[tokens[index].word] {
            for candidate in byFirstAtom[atom] ?? [] {
                guard let end = match(phrases[candidate].elements[...], at: index, tokens, atoms), end <= limit else { continue }
                let count = end - index
                if best == nil || count > best!.count || (count == best!.count && candidate < best!.phrase) { best = (candidate, count) }
            }
        }
        return best.map { (meanings[phrases[$0.phrase].meaning], $0.count) }
    }

    /// Index behind the match. Recursion is as deep as the phrase is long.
    private func match(_ elements: ArraySlice<Element>, at index: Int, _ tokens: [Token], _ atoms: [[Int]]) -> Int? {
        guard let element = elements.first else { return index }
        let rest = elements.dropFirst()
        if element.gap > 0 {
            for skipped in 0...element.gap {
                if let end = match(rest, at: index + skipped, tokens, atoms) { return end }
                guard index + skipped < tokens.count, tokens[index + skipped].word >= 0 else { return nil }
            }
            return nil
        }
        if index < tokens.count, tokens[index].word >= 0, element.atoms.contains(where: atoms[tokens[index].word].contains),
            let end = match(rest, at: index + 1, tokens, atoms) {
            return end
        }
        return element.isOptional ? match(rest, at: index, tokens, atoms) : nil
    }
}
