/// Value representations as they stand in explicit VR: two letters, the first in the high byte. PS3.5 Table 6.2-1.
enum VR {
    static let ob = code("OB"), ow = code("OW"), sq = code("SQ"), un = code("UN")

    /// Two bytes reserved and four of length: PS3.5 Table 7.1-1.
    private static let long = codes("OB OD OF OL OV OW SQ SV UC UN UR UT UV")
    private static let short = codes("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US")
    static let known = long.union(short)

    /// Whether the length stands in the two bytes behind the VR. A VR that is not known is taken as a short one, as most
    /// software does.
    static func hasShortLength(_ vr: UInt16) -> Bool { !long.contains(vr) }

    static func isTwoLetters(_ vr: UInt16) -> Bool {
        let letters: ClosedRange<UInt16> = 0x41...0x5A
        return letters.contains(vr >> 8) && letters.contains(vr & 0xFF)
    }

    private static func codes(_ text: String) -> Set<UInt16> { Set(text.split(separator: " ").map { code($0) }) }

    private static func code(_ letters: some StringProtocol) -> UInt16 {
        letters.utf8.reduce(0) { $0 << 8 | UInt16($1) }
    }
}
