/// WordPiece of `bert-base-uncased`: each word is cut into the longest pieces of the vocabulary, from its beginning on; one that cannot be
/// cut is `[UNK]`. Names of special tokens in a text are text: a report cannot hold a control token.
///
/// Source: Devlin et al. 2018, arXiv:1810.04805, and google-research/bert, `tokenization.py`.
package struct WordPieceTokenizer: Sendable {
    /// Ids are below it.
    package let vocabularySize: Int
    /// `[UNK]`
    package let unknownToken: Int32
    /// `[CLS]`, in front of every text.
    package let classToken: Int32
    /// `[SEP]`, behind every text.
    package let separatorToken: Int32

    /// Pieces at the beginning of a word.
    private let starts: PieceTable
    /// Pieces within a word, without their `##`.
    private let continuations: PieceTable

    private static let maximumTokens = 1_000_000
    /// Scalars of a word; a longer one is `[UNK]`, as in BERT.
    private static let maximumWord = 100
    private static let continuationMark = Array("##".utf8)

    /// Reads `vocab.txt`, given whole: one token a line, the line's number from 0 on is its id.
    /// - Parameter path: for messages.
    package init(vocabulary bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
        func damaged(_ reason: String) -> TokenizerError { .damagedVocabulary(source: path, reason: reason) }
        let lines = try Self.lines(bytes, path: path)
        var starts = PieceTable(capacity: lines.count)
        var continuations = PieceTable(capacity: lines.count)
        for (index, line) in lines.enumerated() {
            let id = Int32(index)
            guard starts.insert(line, id: id) else { throw damaged("the token of line \(index + 1) stands twice") }
            if line.starts(with: Self.continuationMark), line.count > Self.continuationMark.count {
                _ = continuations.insert(Array(line.dropFirst(Self.continuationMark.count)), id: id)
            }
        }
        func special(_ name: String) throws(TokenizerError) -> Int32 {
            guard let id = Array(name.utf8).withUnsafeBufferPointer(starts.id(of:)) else {
                throw damaged("it has no \(name): it is not the vocab.txt of a BERT model")
            }
            return id
        }
        unknownToken = try special("[UNK]")
        classToken = try special("[CLS]")
        separatorToken = try special("[SEP]")
        vocabularySize = lines.count
        self.starts = starts
        self.continuations = continuations
    }

    private static func lines(_ bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest.dropFirst(line.count + 1)
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard !line.isEmpty, String(validating: line, as: UTF8.self) != nil else {
                throw .damagedVocabulary(source: path, reason: "line \(lines.count + 1) is empty or not UTF-8")
            }
            guard lines.count < maximumTokens else { throw .damagedVocabulary(source: path, reason: "it has more than \(maximumTokens) lines") }
            lines.append(Array(line))
        }
        return lines
    }

    /// `[CLS]`, the text's tokens, `[SEP]`; of a longer text the first `limit - 1` and `[SEP]`.
    /// - Parameter limit: 2 at least.
    package func encode(_ text: String, limit: Int) -> (tokens: [Int32], isTruncated: Bool) {
        precondition(limit >= 2, "[CLS] and [SEP] have room")
        var tokens = [classToken]
        for word in UncasedWords(text) {
            append(word, to: &tokens)
            guard tokens.count < limit else {
                return (tokens.prefix(limit - 1) + [separatorToken], true)
            }
        }
        return (tokens + [separatorToken], false)
    }

    private func append(_ word: UncasedWords.Scalars, to tokens: inout [Int32]) {
        guard word.count <= Self.maximumWord else { return tokens.append(unknownToken) }
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for scalar in word {
            bytes.append(contentsOf: UTF8.encode(scalar) ?? .init())
            ends.append(bytes.count)
        }
        let count = tokens.count
        bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                guard let piece = longestPiece(of: bytes, from: start, ends: ends) else {
                    tokens.removeSubrange(count...)
                    return tokens.append(unknownToken)
                }
                tokens.append(piece.id)
                start = piece.end
            }
        }
    }

    /// - Parameter ends: where the word's scalars end.
    private func longestPiece(of word: UnsafeBufferPointer<UInt8>, from start: Int, ends: [Int]) -> (id: Int32, end: Int)? {
        let table = start == 0 ? starts : continuations
        for end in ends.reversed() where end > start {
            if let id = table.id(of: .init(rebasing: word[start..<end])) { return (id, end) }
        }
        return nil
    }
}
