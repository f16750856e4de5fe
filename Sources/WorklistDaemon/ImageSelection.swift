internal import Foundation
public import ReportModel

/// Which image of a study is drafted, or the coded reason why none is.
///
/// RaDialog reads one frontal chest radiograph. In order: a radiograph of a human chest; frontal (View Position, then
/// View Code Sequence, then Patient Orientation, then what the series is called); PA before AP before a view nobody
/// stated; for presentation before for processing; the largest matrix; the latest; at last the SOP Instance UID, so
/// that the choice never depends on the order of arrival.
public enum ImageSelection: Sendable, Equatable {
    /// `index` into the images given; `reason` and `choice` as they stand in the draft's provenance.
    case image(index: Int, reason: String, choice: ImageChoice)
    case none(NoDraftReason, detail: String)

    /// - Parameters:
    ///   - images: all of the study's, in its fixed order: their numbers in `ImageChoice` count from it.
    ///   - chestBodyParts: further values of Body Part Examined, upper case, that count as a chest.
    ///   - undecodable: indices of images whose pixels turned out not to be readable.
    public static func choose(
        from images: [InstanceDescription], study: StudyDescription, chestBodyParts: [String] = [], undecodable: Set<Int> = []
    ) -> ImageSelection {
        let readable = images.indices.filter { !undecodable.contains($0) }
        let radiographs = readable.filter { isRadiograph(images[$0]) }
        guard !radiographs.isEmpty else {
            let kinds = Set(readable.map { images[$0].modality.isEmpty ? "none" : images[$0].modality }).sorted().joined(separator: ", ")
            return .none(.unsupportedImageKind, detail: "no radiograph among \(readable.count) image(s); Modality: \(kinds)")
        }
        let human = radiographs.filter { !isAnimal(images[$0], study: study) }
        guard !human.isEmpty else {
            return .none(.notHuman, detail: "species, breed, institution or processing description names an animal")
        }
        let chest = human.filter { isChest(images[$0], study: study, more: chestBodyParts) }
        guard !chest.isEmpty else {
            let parts = Set(human.map { images[$0].bodyPartExamined }).sorted().joined(separator: ", ")
            return .none(.notAChestFilm, detail: parts.isEmpty ? "the study's description names another body part" : "Body Part Examined: \(parts)")
        }
        let candidates = chest.map { Candidate(index: $0, image: images[$0], view: view(of: images[$0]).view) }.filter(\.isFrontal)
        guard let best = candidates.min(by: { $1.goesAfter($0) != nil }) else {
            return .none(.lateralOnly, detail: "\(chest.count) chest image(s), none of them frontal")
        }
        let alternatives = candidates.count == 1 ? "" : ", best of \(candidates.count) frontal images"

        func entry(_ index: Int) -> ImageChoice.Image {
            let reason: ImageChoice.Reason? =
                if index == best.index { nil }
                else if undecodable.contains(index) { .undecodable }
                else if let candidate = candidates.first(where: { $0.index == index }) { candidate.goesAfter(best) }
                else if chest.contains(index) { .notFrontal }
                else if human.contains(index) { .notAChestFilm }
                else if radiographs.contains(index) { .notHuman }
                else { .unsupportedImageKind }
            let (view, source) = view(of: images[index])
            return ImageChoice.Image(
                number: index + 1, sopInstanceUID: images[index].sopInstanceUID, view: view, viewSource: source, notUsedBecause: reason)
        }
        let choice = ImageChoice(imageCount: images.count, used: entry(best.index), notUsed: images.indices.filter { $0 != best.index }.map(entry))
        return .image(index: best.index, reason: describe(best.view) + alternatives, choice: choice)
    }

    // MARK: - The order of candidates

    private struct Candidate {
        let index: Int
        let image: InstanceDescription
        let view: ImageChoice.View

        var isFrontal: Bool { rank != nil }

        private var rank: Int? {
            switch view {
            case .posteroAnterior: 0
            case .anteroPosterior: 1
            case .frontal: 2
            case .unstated: 3
            case .lateral, .notFrontal: nil
            }
        }

        /// Why this one stands behind `other`; nil where it does not.
        func goesAfter(_ other: Candidate) -> ImageChoice.Reason? {
            func isBehind<T: Comparable>(_ mine: T, _ theirs: T) -> Bool? { mine == theirs ? nil : mine > theirs }
            let (mine, theirs) = (image, other.image)
            let (ranks, processing) = ((rank ?? .max, other.rank ?? .max), (mine.isForProcessing, theirs.isForProcessing))
            let questions: [(Bool?, ImageChoice.Reason)] = [
                (isBehind(ranks.0, ranks.1), .viewGoesAfter),
                (isBehind(processing.0 ? 1 : 0, processing.1 ? 1 : 0), .forProcessing),
                (isBehind(theirs.rows * theirs.columns, mine.rows * mine.columns), .smallerMatrix),
                (isBehind(theirs.acquisitionDateTime, mine.acquisitionDateTime), .earlier),
                (isBehind(mine.sopInstanceUID, theirs.sopInstanceUID), .laterUID),
            ]
            guard let (isBehind, reason) = questions.first(where: { $0.0 != nil }) else { return nil }
            return isBehind == true ? reason : nil
        }
    }

    private static func describe(_ view: ImageChoice.View) -> String {
        view == .unstated ? "view not stated, taken as frontal" : view.rawValue
    }

    // MARK: - Views

    /// What the image shows, and which attribute says so.
    private static func view(of image: InstanceDescription) -> (view: ImageChoice.View, source: ImageChoice.ViewSource?) {
        // PS3.3 C.8.7.1.1.3; the rest of its terms are decubitus and oblique.
        switch image.viewPosition.uppercased().trimmingCharacters(in: .whitespaces) {
        case "PA": return (.posteroAnterior, .viewPosition)
        case "AP": return (.anteroPosterior, .viewPosition)
        case "LL", "RL", "LATERAL", "LAT": return (.lateral, .viewPosition)
        case "": break
        default: return (.notFrontal, .viewPosition)
        }
        if let code = image.viewCode { return (viewsByCode[code.value] ?? .notFrontal, .viewCode) }
        let texts: [(String, ImageChoice.ViewSource)] = [
            (image.acquisitionDeviceProcessingDescription, .processingDescription), (image.seriesDescription, .seriesDescription),
            (image.protocolName, .protocolName),
        ]
        for (text, source) in texts {
            if let view = view(named: text) { return (view, source) }
        }
        // Row direction first: towards the patient's left or right is frontal, towards front or back is lateral.
        if let row = image.patientOrientation.split(separator: "\\").first, let direction = row.first {
            if "LR".contains(direction) { return (.frontal, .patientOrientation) }
            if "AP".contains(direction) { return (row.count == 1 ? .lateral : .notFrontal, .patientOrientation) }
        }
        return (.unstated, nil)
    }

    /// View codes of PS3.16 CID 4010 that are frontal or plainly lateral; every other code is neither.
    private static let viewsByCode: [String: ImageChoice.View] = [
        "272479007": .posteroAnterior, "R-10214": .posteroAnterior,
        "399348003": .anteroPosterior, "R-10206": .anteroPosterior,
        "399033003": .frontal,
        "399067008": .lateral, "R-102CD": .lateral,
        "399173006": .lateral, "R-10236": .lateral,
        "399198007": .lateral, "R-10232": .lateral,
    ]

    private static func view(named text: String) -> ImageChoice.View? {
        let words = Self.words(text)
        let isLateral = !words.isDisjoint(with: ["LAT", "LATERAL", "LL", "SEITLICH", "PROFIL"])
        let isOblique = !words.isDisjoint(with: ["OBL", "OBLIQUE", "DECUBITUS"])
        let frontal: ImageChoice.View? = words.contains("PA") ? .posteroAnterior : words.contains("AP") ? .anteroPosterior : words.contains("FRONTAL") ? .frontal : nil
        // "CHEST PA AND LATERAL" names the examination, not this image.
        if isLateral || isOblique { return frontal != nil ? nil : isOblique ? .notFrontal : .lateral }
        return frontal
    }

    // MARK: - What is in the picture

    /// Modality CR, DX or RG, or an image that says nothing better of itself (OT, empty) in a Secondary Capture.
    private static func isRadiograph(_ image: InstanceDescription) -> Bool {
        ["CR", "DX", "RG", "OT", ""].contains(image.modality.uppercased())
    }

    private static func isAnimal(_ image: InstanceDescription, study: StudyDescription) -> Bool {
        let species = image.patientSpeciesDescription.lowercased()
        if !species.isEmpty, !species.contains("homo sapiens"), !species.contains("human") { return true }
        if !image.patientBreedDescription.isEmpty { return true }
        if study.institutionName.lowercased().contains("veterinar") { return true }
        let words = Self.words(image.acquisitionDeviceProcessingDescription + " " + image.protocolName + " " + image.seriesDescription)
        return !words.isDisjoint(with: ["CANINE", "FELINE", "EQUINE", "BOVINE", "VET", "VETERINARY", "DOG", "CAT", "HORSE"])
    }

    /// Body Part Examined decides where it is filled; then the region code; then what study and series are called.
    private static func isChest(_ image: InstanceDescription, study: StudyDescription, more: [String]) -> Bool {
        let part = image.bodyPartExamined.uppercased().trimmingCharacters(in: .whitespaces)
        if !part.isEmpty { return ["CHEST", "THORAX", "LUNG", "LUNGS"].contains(part) || more.contains(part) }
        if let region = image.anatomicRegionCode { return chestRegionCodes.contains(region.value) }
        let words = Self.words([image.seriesDescription, image.protocolName, image.acquisitionDeviceProcessingDescription,
                                study.studyDescription, study.requestedProcedureDescription].joined(separator: " "))
        if !words.isDisjoint(with: ["CHEST", "THORAX", "CXR", "LUNG", "LUNGS"]) { return true }
        return words.isDisjoint(with: otherBodyParts)
    }

    /// Thorax, thoracic cavity, chest, lung: SNOMED CT, and the SNOMED-RT codes older modalities send.
    private static let chestRegionCodes: Set<String> = [
        "51185008", "43799004", "816094009", "39607008", "T-D3000", "T-D3080", "T-28000",
    ]

    private static let otherBodyParts: Set<String> = [
        "ABDOMEN", "ANKLE", "ARM", "BREAST", "CALCANEUS", "CLAVICLE", "COCCYX", "CSPINE", "ELBOW", "FEMUR", "FINGER", "FOOT", "FOREARM",
        "HAND", "HEAD", "HIP", "HUMERUS", "JAW", "KNEE", "KUB", "LEG", "LSPINE", "MAMMOGRAM", "MANDIBLE", "NECK", "ORTHOPANTOMOGRAM",
        "PANORAMIC", "PATELLA", "PELVIS", "RIB", "RIBCAGE", "RIBS", "SACRUM", "SCAPULA", "SHOULDER", "SINUS", "SKULL", "SPINE", "STERNUM", "TEETH",
        "THUMB", "TIBIA", "TOE", "TSPINE", "WRIST",
    ]

    private static func words(_ text: String) -> Set<String> {
        Set(text.uppercased().split { !$0.isLetter && !$0.isNumber }.map(String.init))
    }
}

extension InstanceDescription {
    fileprivate var isForProcessing: Bool { presentationIntentType == "FOR PROCESSING" }
}
