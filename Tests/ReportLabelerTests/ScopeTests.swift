import ReportLabeler
import ReportModel
import Testing

/// How far a denial or a doubt reaches.
struct ScopeTests {
    @Test(arguments: [
        Said("No pneumothorax.", .pneumothorax, .negative),
        Said("no evidence of pulmonary edema", .edema, .negative),
        Said("The film is negative for pneumonia.", .pneumonia, .negative),
        Said("Lungs are free of consolidation.", .consolidation, .negative),
        Said("The bases are clear of effusion.", .pleuralEffusion, .negative),
        Said("Cardiomegaly without overt edema.", .edema, .negative),
        Said("Cardiomegaly without overt edema.", .cardiomegaly, .positive),
        Said("Fracture is not seen.", .fracture, .negative),
        Said("Neither effusion nor pneumothorax.", .pleuralEffusion, .negative),
        Said("Neither effusion nor pneumothorax.", .pneumothorax, .negative),
        Said("This does not represent pneumonia.", .pneumonia, .negative),
        Said("Pneumothorax: none.", .pneumothorax, .negative),
        Said("The pneumothorax is no longer visible.", .pneumothorax, .negative),
        Said("Absence of consolidation.", .consolidation, .negative),
        Said("Pneumothorax is ruled out.", .pneumothorax, .negative),
        Said("There isn't any effusion.", .pleuralEffusion, .negative),
    ])
    func `a denial reaches its mention`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [FindingLabel.pneumothorax, .pleuralEffusion, .consolidation])
    func `a denial covers a list`(_ finding: FindingLabel) {
        for text in [
            "No pneumothorax, effusion or consolidation.", "No consolidation, pneumothorax, or pleural effusion is seen.", "There is no focal consolidation, effusion, and pneumothorax.",
            "Without consolidation/effusion/pneumothorax.", "Pneumothorax, effusion and consolidation are not seen.", "No pneumothorax, no effusion, no consolidation.",
            "No consolidation, large effusion or pneumothorax is identified.",
        ] { #expect(label(text)[finding] == .negative, "\(text)") }
    }

    @Test(arguments: [
        Said("No pneumothorax, but there is an effusion.", .pleuralEffusion, .positive),
        Said("No pneumothorax, small left effusion.", .pleuralEffusion, .positive),
        Said("No pneumothorax and the heart is enlarged.", .cardiomegaly, .positive),
        Said("No effusion, heart size normal.", .cardiomegaly, .negative),
        Said("There is no effusion although consolidation persists.", .consolidation, .positive),
        Said("No acute disease apart from mild atelectasis.", .atelectasis, .positive),
        Said("No effusion; consolidation on the right.", .consolidation, .positive),
        Said("No effusion. Consolidation on the right.", .consolidation, .positive),
        Said("No pneumothorax is seen, and there is a new consolidation.", .consolidation, .positive),
        Said("There is atelectasis, no effusion.", .atelectasis, .positive),
        Said("Atelectasis is present and effusion has resolved.", .atelectasis, .positive),
        Said("No pneumothorax with small pleural effusion.", .pleuralEffusion, .positive),
    ])
    func `a denial ends where the statement changes`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("The effusion has resolved.", .pleuralEffusion, .negative),
        Said("Interval resolution of pulmonary edema.", .edema, .negative),
        Said("Resolved consolidation.", .consolidation, .negative),
        Said("Resolving consolidation.", .consolidation, .positive),
        Said("The chest tube has been removed.", .supportDevices, .negative),
        Said("Interval removal of the PICC line.", .supportDevices, .negative),
    ])
    func `what is gone is denied, and what is going is not`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("No change in the left pleural effusion.", .pleuralEffusion, .positive),
        Said("No significant interval change in bibasilar atelectasis.", .atelectasis, .positive),
        Said("Not only pneumothorax is seen here.", .pneumothorax, .positive),
        Said("The scan is not without consolidation.", .consolidation, .positive),
        Said("Without significant change in pneumothorax.", .pneumothorax, .positive),
        Said("No increase in the effusion.", .pleuralEffusion, .positive),
        Said("No prior study; effusion on the right.", .pleuralEffusion, .positive),
    ])
    func `a negation of something else denies nothing`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("Pneumonia cannot be excluded.", .pneumonia, .uncertain),
        Said("Cannot exclude pneumonia.", .pneumonia, .uncertain),
        Said("We cannot rule out a small pneumothorax.", .pneumothorax, .uncertain),
        Said("A small effusion is not excluded.", .pleuralEffusion, .uncertain),
        Said("Possible left effusion.", .pleuralEffusion, .uncertain),
        Said("Opacity may represent atelectasis or pneumonia.", .atelectasis, .uncertain),
        Said("Opacity may represent atelectasis or pneumonia.", .pneumonia, .uncertain),
        Said("Opacity may represent atelectasis or pneumonia.", .lungOpacity, .positive),
        Said("Opacity suspicious for pneumonia.", .pneumonia, .uncertain),
        Said("Findings concerning for edema.", .edema, .uncertain),
        Said("Atelectasis versus consolidation at the base.", .consolidation, .uncertain),
        Said("A pneumothorax is suspected.", .pneumothorax, .uncertain),
        Said("Is there a fracture?", .fracture, .uncertain),
        Said("?pneumothorax", .pneumothorax, .uncertain),
        Said("No new consolidation.", .consolidation, .uncertain),
        Said("r/o pneumonia", .pneumonia, .uncertain),
        Said("Small pleural effusion would be difficult to exclude.", .pleuralEffusion, .uncertain),
        Said("In the appropriate clinical setting, this is compatible with pneumonia.", .pneumonia, .uncertain),
    ])
    func `a doubt is kept as a doubt`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }

    @Test(arguments: [
        Said("Possible pneumonia and small right effusion.", .pleuralEffusion, .positive),
        Said("Possible nodule in an area of consolidation.", .consolidation, .positive),
        Said("No evidence of suspicious nodule.", .lungLesion, .negative),
        Said("No opacity to suggest pneumonia.", .pneumonia, .negative),
        Said("No pneumothorax, possible effusion.", .pleuralEffusion, .uncertain),
        Said("Opacity consistent with pneumonia.", .pneumonia, .positive),
    ])
    func `a doubt covers its phrase and no more`(_ said: Said) { #expect(label(said.text)[said.label] == said.state) }
}
