/// Which image of a study a draft was made from, and why none of the others. Codes, numbers and UIDs only: nothing that a
/// modality wrote as free text.
public struct ImageChoice: Sendable, Codable, Equatable {
    /// What an image shows, as far as its headers tell.
    public enum View: String, Sendable, Codable {
        case posteroAnterior = "PA"
        case anteroPosterior = "AP"
        case frontal
        case unstated = "not-stated"
        case lateral
        /// Oblique, decubitus, apical, …
        case notFrontal = "not-frontal"
    }

    /// The attribute that told the view, by its DICOM keyword.
    public enum ViewSource: String, Sendable, Codable {
        case viewPosition = "ViewPosition"
        case viewCode = "ViewCodeSequence"
        case processingDescription = "AcquisitionDeviceProcessingDescription"
        case seriesDescription = "SeriesDescription"
        case protocolName = "ProtocolName"
        case patientOrientation = "PatientOrientation"
    }

    /// Why an image was not used, in the order in which it is asked.
    public enum Reason: String, Sendable, Codable {
        case unsupportedImageKind = "unsupported-image-kind"
        case notHuman = "not-human"
        case notAChestFilm = "not-a-chest-film"
        case notFrontal = "not-frontal"
        /// Its pixels could not be decoded.
        case undecodable
        /// Frontal, but another view goes first.
        case viewGoesAfter = "view-goes-after"
        case forProcessing = "for-processing"
        case smallerMatrix = "smaller-matrix"
        case earlier
        /// Nothing tells them apart but the SOP Instance UID.
        case laterUID = "later-uid"
    }

    /// One image of the study.
    public struct Image: Sendable, Codable, Equatable {
        /// 1, 2, … in the study's fixed order: series number, instance number, SOP Instance UID.
        public var number: Int
        public var sopInstanceUID: String
        public var view: View
        /// nil where nothing tells the view.
        public var viewSource: ViewSource?
        /// Why it was not used; nil for the one that was.
        public var notUsedBecause: Reason?

        public init(number: Int, sopInstanceUID: String, view: View, viewSource: ViewSource?, notUsedBecause: Reason?) {
            self.number = number
            self.sopInstanceUID = sopInstanceUID
            self.view = view
            self.viewSource = viewSource
            self.notUsedBecause = notUsedBecause
        }

        enum CodingKeys: String, CodingKey {
            case number, view
            case sopInstanceUID = "sop_instance_uid"
            case viewSource = "view_source"
            case notUsedBecause = "not_used_because"
        }
    }

    /// How many images the study had when it was drafted.
    public var imageCount: Int
    public var used: Image
    /// All the others, by number.
    public var notUsed: [Image]

    public init(imageCount: Int, used: Image, notUsed: [Image]) {
        self.imageCount = imageCount
        self.used = used
        self.notUsed = notUsed
    }

    enum CodingKeys: String, CodingKey {
        case imageCount = "image_count"
        case used
        case notUsed = "not_used"
    }
}

extension ImageChoice: CustomStringConvertible {
    /// "image 2 of 3 used: PA (ViewPosition); not used: 1 lateral (ViewPosition), 3 AP (ViewPosition): view-goes-after".
    public var description: String {
        let start = "image \(used.number) of \(imageCount) used: \(used.viewText)"
        if notUsed.isEmpty { return start }
        let others = notUsed.map { image in
            var text = "\(image.number) \(image.viewText)"
            // Of a lateral the view is the reason.
            if let reason = image.notUsedBecause, reason != .notFrontal { text += ": \(reason.rawValue)" }
            return text
        }
        return start + "; not used: " + others.joined(separator: ", ")
    }
}

extension ImageChoice.Image {
    fileprivate var viewText: String {
        guard let viewSource else { return view == .unstated ? "view not stated" : view.rawValue }
        return "\(view.rawValue) (\(viewSource.rawValue))"
    }
}
