import ReportLabeler
import ReportModel
import Testing

/// What is recognised, and how mentions become labels.
struct MentionTests {
    @Test(arguments: [
        Said("Heart size is normal.", .cardiomegaly, .negative),
        Said("Normal heart size and mediastinal contours.", .enlargedCardiomediastinum, .negative),
        Said("Heart size, mediastinal contours and pulmonary vascularity are within normal limits.", .cardiomegaly, .negative),
        Said("Heart size, mediastinal contours and pulmonary vascularity are within normal limits.", .enlargedCardiomediastinum, .negative),
        Said("The heart is mildly enlarged.", .cardiomegaly, .positive),
        Said("The heart is not enlarged.", .cardiomegaly, .negative),
        Said("Enlarged cardiac silhouette.", .cardiomegaly, .positive),
        Said("The cardiomediastinal silhouette is enlarged.", .cardiomegaly, .positive),
        Said("The cardiac silhouette may be enlarged.", .cardiomegaly, .uncertain),
        Said("Borderline heart size.", .cardiomegaly, .uncertain),
        Said("Heart size is at the upper limits of normal.", .cardiomegaly, .negative),
        Said("Stable cardiac silhouette.", .cardiomegaly, .uncertain),
        Said("The mediastinum is widened.", .enlargedCardiomediastinum, .positive),
        Said("No mediastinal widening.", .enlargedCardiomediastinum, .negative),
        Said("The heart is seen.", .cardiomegaly, .blank),
        Said("The lungs are clear and the heart is enlarged.", .cardiomegaly, .positive),
        Said("Heart failure is present.", .cardiomegaly, .blank),
        Said("The left heart border is obscured.", .cardiomegaly, .blank),
    ])
    func `an anatomy is judged by the words around it`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("Left PTX.", .pneumothorax, .positive), Said("CHF.", .edema, .positive), Said("PICC in the SVC.", .supportDevices, .positive),
        Said("Pulmonary oedema.", .edema, .positive), Said("A tumour in the right lung.", .lungLesion, .positive), Said("Haemothorax on the left.", .pleuralEffusion, .positive),
        Said("NO PNEUMOTHORAX", .pneumothorax, .negative), Said("Air-space disease.", .lungOpacity, .positive), Said("Air\u{2011}space opacities.", .lungOpacity, .positive),
        Said("No pleural\neffusion.", .pleuralEffusion, .negative), Said("There is no evidence of\r\npneumothorax or\r\neffusion.", .pleuralEffusion, .negative),
        Said("Pneumothorax can\u{2019}t be excluded.", .pneumothorax, .uncertain), Said("Consolidation w/o effusion.", .pleuralEffusion, .negative),
        Said("Pulmonary œdema.", .edema, .positive), Said("No\u{00A0}pneumothorax.", .pneumothorax, .negative), Said("Non-displaced rib fracture.", .fracture, .positive),
        Said("Bi-basilar atelectases.", .atelectasis, .positive), Said("Left lower lobe collapse.", .atelectasis, .positive), Said("Pleural thickening.", .pleuralOther, .positive),
        Said("Ground-glass opacities.", .lungOpacity, .positive), Said("Hydropneumothorax.", .pneumothorax, .positive), Said("Hydropneumothorax.", .pleuralEffusion, .positive),
        Said("ET tube 3.5 cm above the carina.", .supportDevices, .positive), Said("Dual-lead pacemaker.", .supportDevices, .positive), Said("Sternal plates and screws.", .supportDevices, .positive),
        Said("Vascular congestion.", .edema, .uncertain), Said("Nodular opacity.", .lungLesion, .uncertain), Said("Nodular opacity.", .lungOpacity, .positive),
    ])
    func `spellings, abbreviations, hyphens and line ends do not matter`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("Pericardial effusion.", .pleuralEffusion, .blank), Said("Massive cardiomegaly.", .lungLesion, .blank), Said("Soft tissue edema of the neck.", .edema, .blank),
        Said("In the midclavicular line.", .supportDevices, .blank), Said("Compression collapse of T8.", .atelectasis, .blank), Said("Prior granulomatous infection.", .pneumonia, .blank),
        Said("Aortic valve calcification is a heart valve matter.", .cardiomegaly, .blank),
    ])
    func `words that only look like a finding are none`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test func `a positive mention outweighs an uncertain one, and that a negative one`() {
        #expect(label("No right effusion. Left effusion.")[.pleuralEffusion] == .positive)
        #expect(label("No right effusion. Possible left effusion.")[.pleuralEffusion] == .uncertain)
        #expect(label("Possible left effusion. Right effusion.")[.pleuralEffusion] == .positive)
        #expect(label("The left lung shows consolidation, the right lung does not show consolidation.")[.consolidation] == .positive)
    }

    @Test(arguments: [
        ("Heart size normal. Lungs clear.", LabelState.positive), ("No acute cardiopulmonary process.", .positive), ("Normal chest radiograph.", .positive),
        ("No effusion. PICC in place.", .positive), ("Stable cardiac silhouette. Lungs are clear.", .positive),
        ("No effusion. Scoliosis.", .blank), ("No effusion. Possible nodule.", .blank), ("Lungs are clear. Mild cardiomegaly.", .blank), ("No effusion. No scoliosis.", .positive),
        ("", .blank), ("Thank you for the referral.", .blank), ("PICC in place.", .blank), ("Low lung volumes, otherwise clear.", .blank),
    ])
    func `No Finding needs something healthy and nothing else than devices`(text: String, state: LabelState) { #expect(label(text)[.noFinding] == state) }

    @Test func `request, history and technique say nothing of the image`() {
        let report = label("INDICATION: Pneumonia? History of CHF.\nTECHNIQUE: Portable.\nFINDINGS: No pneumothorax.\nIMPRESSION: Left effusion.")
        #expect(report[.pneumonia] == .blank && report[.edema] == .blank)
        #expect(report[.pneumothorax] == .negative && report[.pleuralEffusion] == .positive)
    }

    @Test func `lists without full stops are sentences of their own`() {
        for text in ["No pneumothorax\nSmall effusion", "- No pneumothorax\n- Small effusion", "1. No pneumothorax 2. Small effusion", "1) No pneumothorax\n2) Small effusion", "No pneumothorax\n\nsmall effusion"] {
            #expect(label(text)[.pneumothorax] == .negative && label(text)[.pleuralEffusion] == .positive, "\(text)")
        }
        #expect(label("A 2.5 cm nodule, no effusion vs. the left.")[.lungLesion] == .positive)
    }

    @Test func `a mention says where it stands`() throws {
        let text = "Naïve text. Große Linie: é. No pleural effusion is seen. Heart normal."
        let mention = try #require(label(text).evidence(for: .pleuralEffusion))
        #expect(mention.phrase == "pleural effusion" || mention.phrase == "effusion")
        #expect(mention.phraseRange.slice(of: text) == mention.phrase)
        #expect(mention.sentenceRange.slice(of: text) == "No pleural effusion is seen.")
        #expect(TextRange(start: 5, end: 900).slice(of: text) == "" && TextRange(start: -1, end: 2).slice(of: text) == "" && TextRange(start: 9, end: 2).slice(of: text) == "")
    }

    @Test func `the mark of a demonstration bundle changes nothing`() {
        let text = "The heart is enlarged. There is a left effusion.\nNo pneumothorax."
        #expect(label(MachineText.marked(text, kind: .demo)).labels == label(text).labels)
    }
}
