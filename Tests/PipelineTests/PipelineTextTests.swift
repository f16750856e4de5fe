import RaDialogPipeline
import Testing

/// Prompts byte for byte, and the cleaning of what a model wrote.
struct PipelineTextTests {
    @Test func `the report prompt is system, user turn and the assistant's name, cut at the image`() throws {
        let prompt = try ReportPrompt(
            system: "A chat.", instruction: "<image>. Predicted Findings: {findings}. Write the report.", findings: "edema, pneumonia")
        #expect(prompt.beforeImage == "A chat. USER: ")
        #expect(prompt.afterImage == ". Predicted Findings: edema, pneumonia. Write the report. ASSISTANT:")
        #expect(prompt.text == "A chat. USER: <image>. Predicted Findings: edema, pneumonia. Write the report. ASSISTANT:")
    }

    @Test(arguments: ["no image", "<image> and <image>"])
    func `a prompt has one image`(_ instruction: String) {
        #expect(throws: PipelineError.self) {
            try ReportPrompt(system: "", instruction: instruction, findings: "")
        }
    }

    @Test(arguments: [
        (" No edema. \n", "No edema."),
        ("a\u{0}b\u{1B}[2Jc\u{7F}", "ab[2Jc"),
        ("one\r\ntwo\tthree", "one\ntwo three"),
        ("safe\u{202E}txet\u{2066}\u{200B}\u{FEFF}", "safetxet"),
        ("line\u{2028}line", "line\nline"),
        ("größer 5 µm – 肺", "größer 5 µm – 肺"),
        ("\n\u{A0} \n", ""),
        ("private\u{E000}\u{10FFFF}", "private"),
    ])
    func `what a model wrote has no control or direction characters and no space around it`(_ text: String, _ expected: String) {
        #expect(UntrustedText.cleaned(text, maximum: 100) == expected)
    }

    @Test func `a text is cut at its longest`() {
        #expect(UntrustedText.cleaned(String(repeating: "ab ", count: 100), maximum: 6) == "ab ab")
    }
}
