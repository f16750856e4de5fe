import ReportModel
import Testing
import WorklistDaemon

/// What every draft gets on its way out of the model: flags, their origin, and the image it was made from.
@Suite struct CheckedDraftTests {
    private func draft(_ text: String, kind: BundleKind = .clinical, _ scores: [(FindingLabel, Double)] = []) -> DraftReport {
        DraftReport(
            text: MachineText.marked(text, kind: kind),
            findings: scores.map { Finding(label: $0.0, score: $0.1, threshold: 0.5, isPositive: $0.1 > 0.5, activationMap: nil) }, promptFindings: "",
            provenance: DraftProvenance(
                bundleName: "test", bundleVersion: "1", bundleKind: kind, bundleSHA256: "", algorithms: [], build: "test", arithmetic: "", sopInstanceUID: nil,
                selectionReason: nil, inputSHA256: nil, rendering: "", renderedSHA256: "", promptSHA256: "", generatedTokens: 0, finishReason: "stop",
                timings: .init()))
    }

    private struct Fixed: TextLabeler {
        var states: [FindingLabel: LabelState]
        var name: String { "fixed" }
        func label(_ text: String) -> LabeledReport {
            // It gets the model's own words.
            text.contains(MachineText.demonstrationMark) ? LabeledReport(states: [.fracture: .positive]) : LabeledReport(states: states)
        }
    }

    @Test func `contradiction, omission and comparison become flags of the draft, in that order`() throws {
        let checked = try draft("No pleural effusion. The heart is stable.", [(.pleuralEffusion, 0.9), (.pneumothorax, 0.8), (.fracture, 0.1)]).checked(choice: nil, labeler: nil)
        let flags = try #require(checked.flags)
        #expect(flags.map(\.kind) == [.contradiction, .omission, .comparisonWithoutPrior])
        #expect(flags.map(\.label) == [.pleuralEffusion, .pneumothorax, nil])
        #expect(flags.map(\.sentence) == ["No pleural effusion.", nil, "The heart is stable."])
        #expect(flags[0].score == 0.9 && flags[0].threshold == 0.5)
        #expect(checked.provenance.labeler == "rules 1")
        #expect(checked.text == "No pleural effusion. The heart is stable.")
    }

    @Test func `a draft that agrees with its findings has an empty list of flags`() throws {
        let checked = try draft("Small left pleural effusion. No pneumothorax.", [(.pleuralEffusion, 0.9), (.pneumothorax, 0.1)]).checked(choice: nil, labeler: nil)
        #expect(checked.flags == [])
    }

    @Test func `the demonstration's marks are not read, and ranges are those of the marked text`() throws {
        let text = "The heart is enlarged.\n\nNo pleural effusion, and\nno pneumothorax. Unchanged."
        let plain = try #require(try draft(text, [(.pneumothorax, 0.9), (.pleuralEffusion, 0.9)]).checked(choice: nil, labeler: nil).flags)
        let checked = try draft(text, kind: .demo, [(.pneumothorax, 0.9), (.pleuralEffusion, 0.9)]).checked(choice: nil, labeler: nil)
        let flags = try #require(checked.flags)
        #expect(flags.count == 3 && flags.map(\.sentence) == plain.map(\.sentence) && flags.map(\.phrase) == plain.map(\.phrase))
        for flag in flags {
            #expect(flag.phraseRange?.slice(of: checked.text) == flag.phrase)
            // A sentence over a line's end has the next line's mark inside; its words are the same.
            let marked = flag.sentenceRange?.slice(of: checked.text)
            #expect(marked?.replacing("[\(MachineText.demonstrationMark)] ", with: "") == flag.sentence)
        }
    }

    @Test func `another labeler's labels go before those of the rules, which keep the sentences and the comparison words`() throws {
        let report = draft("No pneumothorax. Something is said of the pleura. Unchanged.", kind: .demo, [(.pneumothorax, 0.9), (.pleuralEffusion, 0.9), (.edema, 0.9)])
        let checked = try report.checked(choice: nil, labeler: Fixed(states: [.pneumothorax: .negative, .pleuralEffusion: .negative, .edema: .uncertain]))
        let flags = try #require(checked.flags)
        #expect(flags.map(\.label) == [.pneumothorax, .pleuralEffusion, nil])
        #expect(flags.map(\.kind) == [.contradiction, .contradiction, .comparisonWithoutPrior])
        #expect(flags.map(\.sentence) == ["No pneumothorax.", nil, "Unchanged."])
        #expect(checked.provenance.labeler == "fixed, rules 1")
    }

    @Test func `a draft without findings is read for comparison words alone`() throws {
        #expect(try draft("No edema. Unchanged.").checked(choice: nil, labeler: nil).flags?.map(\.kind) == [.comparisonWithoutPrior])
    }

    @Test func `flags are counted by kind, and told in one line`() throws {
        let flags = try #require(try draft("No\nedema.", [(.edema, 0.876), (.fracture, 0.7), (.pneumothorax, 0.7)]).checked(choice: nil, labeler: nil).flags)
        #expect(flags.summary == "3 (1 contradiction, 2 omissions)" && [DraftFlag]().summary == "none")
        #expect("\(flags[0])" == "contradiction: Edema (score 0.88, threshold 0.50): \"No edema.\"")
        #expect("\(flags[1])" == "omission: Fracture (score 0.70, threshold 0.50)")
    }
}

@Suite struct UnmarkedTextTests {
    @Test(arguments: ["", "one line", "two\nlines", "\n\nempty\n\nlines\n", "umlaut Ä\n\u{1F600}\nend"])
    func `marks come off as they went on`(text: String) {
        for kind in [BundleKind.demo, .clinical] { #expect(MachineText.unmarked(MachineText.marked(text, kind: kind)).text == text) }
    }

    @Test func `every stretch within a line is found again in the marked text`() {
        let text = "first line\n\nthird Ä line\nfourth"
        let marked = MachineText.marked(text, kind: .demo)
        let own = MachineText.unmarked(marked)
        let bytes = Array(text.utf8)
        for start in bytes.indices {
            for end in start...bytes.count where !bytes[start..<end].contains(UInt8(ascii: "\n")) {
                let range = TextRange(start: start, end: end)
                #expect(own.markedRange(range).slice(of: marked) == range.slice(of: text))
            }
        }
    }
}
