internal import Foundation
public import ReportModel

/// Which image of a study is drafted, or the coded reason why none is.
///
/// RaDialog reads one frontal chest radiograph. In order: a radiograph of a human chest; frontal (View Position, then
/// View Code Sequence, then Patient Orientation, then what the series is called); PA before AP before a view nobody
/// stated; for presentation before for processing; the largest matrix; the latest; at last the SOP Instance UID, so
/// that the choice never depends on the order of arrival.
public enum ImageSelection: Sendable, Equatable {
    /// `index` into the images given; `reason` as it stands in the draft's provenance.
    case image(index: Int, reason: String)
    case none(NoDraftReason, detail: String)

    /// - Parameter chestBodyParts: further values of Body Part Examined, upper case, that count as a chest.
    public static func choose(
        from images: [InstanceDescription], study: StudyDescription, chestBodyParts: [String] = []
    ) -> ImageSelection {
        let radiographs = images.indices.filter { isRadiograph(images[$0]) }
        guard !radiographs.isEmpty else {
            let kinds = Set(images.map { $0.modality.isEmpty ? "none" : $0.modality }).sorted().joined(separator: ", ")
            return .none(.unsupportedImageKind, detail: "no radiograph among \(images.count) image(s); Modality: \(kinds)")
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
        let candidates = chest.map { ($0, view(of: images[$0], study: study)) }.filter { $0.1 != .notFrontal }
        guard let best = candidates.min(by: { precedes(images[$0.0], $0.1, images[$1.0], $1.1) }) else {
            return .none(.lateralOnly, detail: "\(chest.count) chest image(s), none of them frontal")
        }
        let alternatives = candidates.count == 1 ? "" : ", best of \(candidates.count) frontal images"
        return .image(index: best.0, reason: best.1.description + alternatives)
    }

    // MARK: - Views

    enum View: Int, Comparable, CustomStringConvertible {
        case posteroAnterior, anteroPosterior, frontal, unstated, notFrontal

        static func < (left: View, right: View) -> Bool { left.rawValue < right.rawValue }

        var description: String {
            switch self {
            case .posteroAnterior: "PA"
            case .anteroPosterior: "AP"
            case .frontal: "frontal"
            case .unstated: "view not stated, taken as frontal"
            case .notFrontal: "not frontal"
            }
        }
    }

    static func view(of image: InstanceDescription, study: StudyDescription) -> View {
        switch image.viewPosition.uppercased().trimmingCharacters(in: .whitespaces) {
        case "PA": return .posteroAnterior
        case "AP": return .anteroPosterior
        case "": break
        default: return .notFrontal  // LL, RL, LLD, RLD, LLO, RLO, …: PS3.3 C.8.7.1.1.3
        }
        if let code = image.viewCode, let view = viewsByCode[code.value] { return view }
        if image.viewCode != nil { return .notFrontal }
        for text in [image.acquisitionDeviceProcessingDescription, image.seriesDescription, image.protocolName] {
            if let view = view(named: text) { return view }
        }
        // Row direction first: towards the patient's left or right is frontal, towards front or back is lateral.
        if let direction = image.patientOrientation.split(separator: "\\").first?.first {
            if "LR".contains(direction) { return .frontal }
            if "AP".contains(direction) { return .notFrontal }
        }
        return .unstated
    }

    /// View codes of PS3.16 CID 4010 that are frontal; every other code is not.
    private static let viewsByCode: [String: View] = [
        "272479007": .posteroAnterior, "R-10214": .posteroAnterior,
        "399348003": .anteroPosterior, "R-10206": .anteroPosterior,
        "399033003": .frontal,
    ]

    private static func view(named text: String) -> View? {
        let words = Self.words(text)
        let notFrontal = !words.isDisjoint(with: ["LAT", "LATERAL", "LL", "OBL", "OBLIQUE", "DECUBITUS", "SEITLICH", "PROFIL"])
        let frontal: View? = words.contains("PA") ? .posteroAnterior : words.contains("AP") ? .anteroPosterior : words.contains("FRONTAL") ? .frontal : nil
        // "CHEST PA AND LATERAL" names the examination, not this image.
        if notFrontal { return frontal == nil ? .notFrontal : nil }
        return frontal
    }

    private static func precedes(_ left: InstanceDescription, _ leftView: View, _ right: InstanceDescription, _ rightView: View) -> Bool {
        if leftView != rightView { return leftView < rightView }
        let processing = (left.presentationIntentType == "FOR PROCESSING", right.presentationIntentType == "FOR PROCESSING")
        if processing.0 != processing.1 { return processing.1 }
        let pixels = (left.rows * left.columns, right.rows * right.columns)
        if pixels.0 != pixels.1 { return pixels.0 > pixels.1 }
        if left.acquisitionDateTime != right.acquisitionDateTime { return left.acquisitionDateTime > right.acquisitionDateTime }
        return left.sopInstanceUID < right.sopInstanceUID
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
