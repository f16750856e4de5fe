import ReportModel
import Testing

@Suite struct DeterministicUIDTests {
    @Test func `the same parts make the same UID, under 2.25 and within 64 characters`() {
        let uid = DeterministicUID.uid("document", "1.2.3", "1")
        #expect(uid == DeterministicUID.uid("document", "1.2.3", "1"))
        #expect(uid.hasPrefix("2.25."))
        #expect(uid.count <= 64)
        #expect(uid.dropFirst(5).first != "0")
    }

    /// Version 8 of RFC 9562 and its variant, from the decimal number back to bits.
    @Test func `the number is a UUID of version 8`() throws {
        for index in 0..<50 {
            let digits = DeterministicUID.uid("part", String(index)).dropFirst(5)
            let number = try #require(UInt128(digits))
            #expect((number >> 76) & 0xF == 8)
            #expect((number >> 62) & 0x3 == 2)
        }
    }

    @Test func `parts that run together differ`() {
        #expect(DeterministicUID.uid("ab", "c") != DeterministicUID.uid("a", "bc"))
        #expect(DeterministicUID.uid("a", "") != DeterministicUID.uid("a"))
        #expect(DeterministicUID.controlID("ab", "c") != DeterministicUID.controlID("a", "bc"))
    }

    @Test func `a control ID fits MSH-10 of every HL7 version and has letters and digits only`() {
        let id = DeterministicUID.controlID("oru", "2.25.1")
        #expect(id.count <= 20)
        #expect(id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }
}

@Suite struct MachineTextTests {
    @Test func `every non-empty line of a demonstration text is marked, and a clinical text is left alone`() {
        let text = "The heart is normal.\n\nNo effusion."
        let marked = MachineText.marked(text, kind: .demo).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(marked.count == 3)
        #expect(marked[0].hasSuffix("The heart is normal.") && marked[0].contains(MachineText.demonstrationMark))
        #expect(marked[1].isEmpty)
        #expect(marked[2].contains(MachineText.demonstrationMark))
        #expect(MachineText.marked(text, kind: .clinical) == text)
    }
}
