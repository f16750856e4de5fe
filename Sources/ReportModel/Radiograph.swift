/// One decoded frame: stored values as the modality wrote them, and the attributes that rendering needs.
///
/// Produced by the decoder child (DICOM target), consumed by the model's preprocessing. Nothing has been applied yet:
/// no modality LUT, no VOI LUT, no inversion. Source: DICOM PS3.3 C.7.6.3, C.11.1, C.11.2.
public struct Radiograph: Sendable, Equatable {
    /// (0028,0004), reduced to what a radiograph can be. YBR is converted to RGB by the decoder.
    public enum PhotometricInterpretation: String, Sendable, Codable {
        case monochrome1 = "MONOCHROME1"
        case monochrome2 = "MONOCHROME2"
        case rgb = "RGB"
    }

    /// A lookup table of PS3.3 C.11.1.1 / C.11.2.1.1: `values[0]` belongs to the stored value `firstMapped`;
    /// smaller inputs take the first entry, larger ones the last.
    public struct LookupTable: Sendable, Equatable {
        public var firstMapped: Int32
        public var bitsPerEntry: Int
        public var values: [UInt16]

        public init(firstMapped: Int32, bitsPerEntry: Int, values: [UInt16]) {
            self.firstMapped = firstMapped
            self.bitsPerEntry = bitsPerEntry
            self.values = values
        }
    }

    /// From stored values to modality values.
    public enum ModalityTransform: Sendable, Equatable {
        case rescale(slope: Double, intercept: Double)
        case lookupTable(LookupTable)

        public static let identity = ModalityTransform.rescale(slope: 1, intercept: 0)
    }

    /// (0028,1056).
    public enum WindowFunction: String, Sendable {
        case linear = "LINEAR"
        case linearExact = "LINEAR_EXACT"
        case sigmoid = "SIGMOID"
    }

    /// From modality values to what a viewer shows. The first one of the data set; a LUT goes before a window.
    public enum VOITransform: Sendable, Equatable {
        case none
        case window(center: Double, width: Double, function: WindowFunction)
        case lookupTable(LookupTable)
    }

    public var rows: Int
    public var columns: Int
    /// 1, or 3 for `.rgb` (interleaved).
    public var samplesPerPixel: Int
    /// (0028,0101).
    public var bitsStored: Int
    public var photometricInterpretation: PhotometricInterpretation
    /// (2050,0020) is INVERSE. Matters to `voi` rendering only.
    public var presentationIsInverse: Bool
    public var modalityTransform: ModalityTransform
    public var voiTransform: VOITransform
    /// Row-major, `rows * columns * samplesPerPixel`, sign-extended where PixelRepresentation is 1.
    public var storedValues: [Int32]

    public init(
        rows: Int, columns: Int, samplesPerPixel: Int, bitsStored: Int,
        photometricInterpretation: PhotometricInterpretation, presentationIsInverse: Bool,
        modalityTransform: ModalityTransform, voiTransform: VOITransform, storedValues: [Int32]
    ) {
        precondition(storedValues.count == rows * columns * samplesPerPixel, "a radiograph has rows x columns x samples values")
        self.rows = rows
        self.columns = columns
        self.samplesPerPixel = samplesPerPixel
        self.bitsStored = bitsStored
        self.photometricInterpretation = photometricInterpretation
        self.presentationIsInverse = presentationIsInverse
        self.modalityTransform = modalityTransform
        self.voiTransform = voiTransform
        self.storedValues = storedValues
    }
}
