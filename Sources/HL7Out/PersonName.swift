/// Names between DICOM and HL7. PS3.5 6.2.1 (PN), HL7 2.5.1 2A.88 (XPN), 2A.86 (XCN), 2A.14 (CNN).
///
/// DICOM has family^given^middle^prefix^suffix, HL7 family^given^middle^suffix^prefix: the last two change places.
package struct PersonName: Sendable, Equatable {
    /// One of alphabetic, ideographic, phonetic: the groups that `=` parts.
    package struct Group: Sendable, Equatable {
        package var family = ""
        package var given = ""
        package var middle = ""
        package var prefix = ""
        package var suffix = ""

        var isEmpty: Bool { self == Group() }

        /// HL7's order, escaped.
        var components: [String] { [family, given, middle, suffix, prefix].map(HL7Text.escaped) }
    }

    /// Alphabetic, ideographic, phonetic; missing ones are missing at the end.
    package var groups: [Group]

    /// - Parameter text: a PN value. More than five components or three groups are not allowed; what is too much is kept in
    ///   the last one, so that nothing of a name is lost.
    package init(dicom text: String) {
        // By scalars: a delimiter with a combining mark behind it is still a delimiter.
        groups = text.unicodeScalars.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false).map { group in
            let parts = group.split(separator: "^", maxSplits: 4, omittingEmptySubsequences: false).map { String($0) }
            let part = { (index: Int) in index < parts.count ? parts[index] : "" }
            return Group(family: part(0), given: part(1), middle: part(2), prefix: part(3), suffix: part(4))
        }
    }

    /// XPN, one repetition for each group. With more than one, XPN-8 tells which it is (HL7 table 0465).
    package var xpn: String {
        let named = zip(groups, ["A", "I", "P"]).filter { !$0.0.isEmpty }
        let needsCode = named.count > 1 || groups.first?.isEmpty == true
        return named.map { group, code in
            HL7Segment.join(group.components + ["", "", needsCode ? code : ""], "^")
        }.joined(separator: "~")
    }

    private var first: Group { groups.first { !$0.isEmpty } ?? Group() }

    /// XCN: ID and name; empty when there is neither.
    package func xcn(id: String) -> String {
        HL7Segment.join([HL7Text.escaped(id)] + first.components, "^")
    }

    /// CNN as the first component of an NDL (OBR-32): parts parted as subcomponents.
    package func cnn(id: String) -> String {
        HL7Segment.join([HL7Text.escaped(id)] + first.components, "&")
    }
}
