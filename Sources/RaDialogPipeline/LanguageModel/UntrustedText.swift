/// What a language model wrote is input like any other: it may hold anything its vocabulary can spell.
package enum UntrustedText {
    /// The longest answer that is kept, in characters. A report has some 500.
    package static let maximumAnswer = 20_000
    /// The longest question, in characters.
    package static let maximumQuestion = 2_000

    /// Without control and format characters (line feed stays: it cannot hide or reorder anything), without space at the ends,
    /// at most `maximum` characters.
    package static func cleaned(_ text: String, maximum: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar == "\n": scalars.append(scalar)
            case .control where scalar == "\t": scalars.append(" ")
            case .lineSeparator, .paragraphSeparator: scalars.append("\n")
            // Format characters include the ones that reverse the direction of what is read.
            case .control, .format, .surrogate, .privateUse, .unassigned: continue
            default: scalars.append(scalar)
            }
        }
        let kept = String(scalars).drop(while: \.isWhitespace).prefix(maximum)
        guard let last = kept.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(kept[...last])
    }
}
