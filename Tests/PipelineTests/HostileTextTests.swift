import RaDialogPipeline
import Testing

/// Texts that are small and would cost much.
@Suite struct HostileTextTests {
    /// Putting `count` marks into canonical order takes time that grows with the square of their number: with all of these, minutes.
    private func marks(_ count: Int) -> String { String(repeating: "\u{301}\u{316}", count: count / 2) }

    /// Why the text was refused; nil where it was read.
    private func refusal(_ text: String) throws -> String? {
        do {
            _ = try Array(text.utf8).withUnsafeBytes { try JSONValue(parsing: $0) }
            return nil
        } catch let error as JSONSyntaxError {
            return error.reason
        }
    }

    @Test func `a text with more combining marks in a row than any writing has is refused before it is compared`() throws {
        for text in [#"{"a\#(marks(500_000))": 1}"#, #"{"format": "r\#(marks(500_000))"}"#, #"["\#(marks(32))"]"#] {
            #expect(try refusal(text)?.contains("combining marks") == true)
        }
        #expect(try refusal(#"{"a\#(marks(30))": "e\#(marks(30))f\#(marks(30))"}"#) == nil)
        // Starters of any number are no marks.
        #expect(try refusal(#"["\#(String(repeating: "\u{5FC3}\u{E9}", count: 10_000))"]"#) == nil)
    }

    @Test func `a text of more values than any configuration has is refused`() throws {
        #expect(try refusal("[" + String(repeating: "0,", count: 131_072) + "0]")?.contains("more than 131072 values") == true)
        #expect(try refusal("[" + String(repeating: "{},", count: 131_070) + "0]") == nil)
    }

    @Test func `weights for which no memory can be had are an error`() {
        for shape in [[1 << 60], [1 << 40, 1 << 40]] {
            #expect(throws: PipelineError.outOfResources("memory for weights of shape \(shape) cannot be had")) { _ = try FloatTensor(shape: shape) { _ in } }
        }
    }
}
