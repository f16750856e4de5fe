import Foundation
import ReportModel
import Testing
import WorklistDaemon

@Suite struct ImageSelectionTests {
    private func image(_ uid: String, _ change: (inout InstanceDescription) -> Void = { _ in }) -> InstanceDescription {
        var image = InstanceDescription()
        image.sopInstanceUID = uid
        image.modality = "DX"
        image.bodyPartExamined = "CHEST"
        image.rows = 2000
        image.columns = 2000
        change(&image)
        return image
    }

    private func choose(_ images: InstanceDescription..., study: StudyDescription = StudyDescription()) -> String {
        switch ImageSelection.choose(from: images, study: study) {
        case .image(let index, _, _): images[index].sopInstanceUID
        case .none(let reason, _): reason.rawValue
        }
    }

    @Test func `PA goes before AP, AP before a view nobody stated, and a lateral never wins`() {
        let lateral = image("1") { $0.viewPosition = "LL" }
        let unstated = image("2")
        let ap = image("3") { $0.viewPosition = "AP" }
        let pa = image("4") { $0.viewPosition = "PA" }
        #expect(choose(lateral, unstated, ap, pa) == "4")
        #expect(choose(lateral, unstated, ap) == "3")
        #expect(choose(lateral, unstated) == "2")
        #expect(choose(lateral) == "lateral-only")
    }

    @Test func `the choice does not depend on the order of arrival`() {
        let images = [image("1"), image("2") { $0.viewPosition = "PA" }, image("3") { $0.viewPosition = "PA" }]
        #expect(choose(images[0], images[1], images[2]) == choose(images[2], images[1], images[0]))
    }

    @Test func `for presentation goes before for processing, then the larger matrix, then the later image`() {
        let processing = image("1") { $0.presentationIntentType = "FOR PROCESSING"; $0.rows = 4000 }
        let small = image("2") { $0.presentationIntentType = "FOR PRESENTATION"; $0.rows = 1000 }
        let early = image("3") { $0.acquisitionDateTime = "20260101080000" }
        let late = image("4") { $0.acquisitionDateTime = "20260101090000" }
        #expect(choose(processing, small) == "2")
        #expect(choose(small, early) == "3")
        #expect(choose(early, late) == "4")
    }

    @Test(arguments: [("272479007", "1"), ("399348003", "1"), ("399173006", "lateral-only"), ("399059000", "lateral-only")])
    func `the view code decides where View Position is empty`(code: String, outcome: String) {
        #expect(choose(image("1") { $0.viewCode = Code(value: code, scheme: "SCT", meaning: "") }) == outcome)
    }

    @Test(arguments: [("CHEST LAT", "lateral-only"), ("W Chest PA", "1"), ("CHEST PA AND LATERAL", "1"), ("Thorax seitlich", "lateral-only")])
    func `the series' name is asked last, and a name of the whole examination says nothing`(name: String, outcome: String) {
        #expect(choose(image("1") { $0.seriesDescription = name }) == outcome)
    }

    @Test func `rows that run to the front or back are a lateral`() {
        #expect(choose(image("1") { $0.patientOrientation = "A\\F" }) == "lateral-only")
        #expect(choose(image("1") { $0.patientOrientation = "L\\F" }) == "1")
    }

    @Test(arguments: ["HAND", "RIBCAGE", "ABDOMEN", "CHESTABDOMEN"])
    func `another body part is not a chest film`(part: String) {
        #expect(choose(image("1") { $0.bodyPartExamined = part }) == "not-a-chest-film")
    }

    @Test func `an empty body part is a chest unless the study is called something else`() {
        let blank = image("1") { $0.bodyPartExamined = "" }
        var knee = StudyDescription()
        knee.studyDescription = "XR KNEE 2 VIEWS"
        #expect(choose(blank) == "1")
        #expect(choose(blank, study: knee) == "not-a-chest-film")
        let byCode = image("1") { $0.bodyPartExamined = ""; $0.anatomicRegionCode = Code(value: "72696002", scheme: "SCT", meaning: "Knee") }
        #expect(choose(byCode) == "not-a-chest-film")
    }

    @Test func `an animal is declined, whatever names it`() {
        #expect(choose(image("1") { $0.patientSpeciesDescription = "Canine species" }) == "not-human")
        #expect(choose(image("1") { $0.patientBreedDescription = "Beagle" }) == "not-human")
        #expect(choose(image("1") { $0.acquisitionDeviceProcessingDescription = "CANINE LATERAL THORAX 0-15cm" }) == "not-human")
        #expect(choose(image("1") { $0.patientSpeciesDescription = "Homo sapiens" }) == "1")
    }

    @Test func `a CT or an empty study is no radiograph`() {
        #expect(choose(image("1") { $0.modality = "CT" }) == "unsupported-image-kind")
        #expect(choose() == "unsupported-image-kind")
    }

    // MARK: - What the draft says of the choice

    private func choice(_ images: [InstanceDescription], undecodable: Set<Int> = []) throws -> ImageChoice {
        let selection = ImageSelection.choose(from: images, study: StudyDescription(), undecodable: undecodable)
        guard case .image(_, _, let choice) = selection else { throw Unchosen(selection: selection) }
        return choice
    }

    private struct Unchosen: Error { var selection: ImageSelection }

    @Test func `every image that was not used has its reason`() throws {
        let pa = image("5") { $0.viewPosition = "PA" }
        let all: [(InstanceDescription, ImageChoice.Reason?)] = [
            (image("1") { $0.modality = "CT" }, .unsupportedImageKind),
            (image("2") { $0.patientSpeciesDescription = "Canine species" }, .notHuman),
            (image("3") { $0.bodyPartExamined = "HAND" }, .notAChestFilm),
            (image("4") { $0.viewPosition = "LL" }, .notFrontal),
            (pa, nil),
            (image("6") { $0.viewPosition = "AP" }, .viewGoesAfter),
            (image("7") { $0.viewPosition = "PA"; $0.presentationIntentType = "FOR PROCESSING" }, .forProcessing),
            (image("8") { $0.viewPosition = "PA"; $0.rows = 1000 }, .smallerMatrix),
            (image("9") { $0.viewPosition = "PA" }, .laterUID),
        ]
        let choice = try choice(all.map(\.0))
        #expect(choice.imageCount == 9 && choice.used.number == 5 && choice.used.sopInstanceUID == "5" && choice.used.notUsedBecause == nil)
        #expect(choice.notUsed.map(\.number) == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(choice.notUsed.map(\.notUsedBecause) == all.map(\.1).filter { $0 != nil })
    }

    @Test func `an earlier exposure says so, and one that cannot be decoded keeps its number`() throws {
        let early = image("1") { $0.viewPosition = "PA"; $0.acquisitionDateTime = "20260101080000" }
        let late = image("2") { $0.viewPosition = "PA"; $0.acquisitionDateTime = "20260101090000" }
        #expect(try choice([early, late]).notUsed.map(\.notUsedBecause) == [.earlier])
        let rest = try choice([early, late], undecodable: [1])
        #expect(rest.used.number == 1 && rest.imageCount == 2 && rest.notUsed.map(\.notUsedBecause) == [.undecodable] && rest.notUsed[0].number == 2)
    }

    @Test func `the choice is told in codes, with the attribute that told the view`() throws {
        let lateral = image("1") { $0.viewPosition = "LL" }
        let pa = image("2") { $0.viewPosition = "PA" }
        let ap = image("3") { $0.viewCode = Code(value: "399348003", scheme: "SCT", meaning: "antero-posterior") }
        let unstated = image("4")
        #expect(
            try "\(choice([lateral, pa, ap, unstated]))"
                == "image 2 of 4 used: PA (ViewPosition); not used: 1 lateral (ViewPosition), 3 AP (ViewCodeSequence): view-goes-after, 4 view not stated: view-goes-after")
        #expect(try "\(choice([pa]))" == "image 1 of 1 used: PA (ViewPosition)")
        #expect(try "\(choice([unstated]))" == "image 1 of 1 used: view not stated")
    }

    @Test(arguments: [
        ("LL", "", "", "lateral"), ("RLD", "", "", "not-frontal"), ("", "399173006", "", "lateral"), ("", "399059000", "", "not-frontal"), ("", "", "A\\F", "lateral"), ("", "", "AL\\F", "not-frontal"),
    ])
    func `a lateral is told from other views`(position: String, code: String, orientation: String, view: String) throws {
        let other = image("2") {
            $0.viewPosition = position
            $0.viewCode = code.isEmpty ? nil : Code(value: code, scheme: "SCT", meaning: "")
            $0.patientOrientation = orientation
        }
        #expect(try choice([image("1"), other]).notUsed.first?.view.rawValue == view)
    }

    @Test func `what a modality wrote as free text does not stand in the choice`() throws {
        let named = image("1") { $0.seriesDescription = "MUSTER ERIKA CHEST LAT"; $0.protocolName = "MUSTER" }
        let text = try String(decoding: JSONEncoder().encode(choice([named, image("2")])), as: UTF8.self)
        #expect(!text.contains("MUSTER") && text.contains("SeriesDescription") && text.contains("\"not_used_because\":\"not-frontal\""))
    }
}
