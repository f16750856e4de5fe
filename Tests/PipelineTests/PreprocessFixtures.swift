import RaDialogPipeline
import ReportModel

extension BundleManifest.Preprocessing {
    /// Sizes of the published model.
    static let published = Self(rendering: .mimicCXRJPG, shorterSide: 512, encoderSide: 448, classifierSide: 488)
}

extension Radiograph {
    static func gray(
        rows: Int, columns: Int, bits: Int, values: [Int32], photometric: PhotometricInterpretation = .monochrome2,
        modality: ModalityTransform = .identity, voi: VOITransform = .none, presentationIsInverse: Bool = false
    ) -> Radiograph {
        Radiograph(
            rows: rows, columns: columns, samplesPerPixel: 1, bitsStored: bits, photometricInterpretation: photometric,
            presentationIsInverse: presentationIsInverse, modalityTransform: modality, voiTransform: voi, storedValues: values)
    }
}

/// A gradient with noise, in integers only: preprocess_oracle.py makes the same.
func pattern(rows: Int, columns: Int, bits: Int, seed: UInt64) -> [Int32] {
    let top = (1 << bits) - 1
    return (0..<rows * columns).map { index in
        let row = index / columns, column = index % columns
        let smooth = row * (columns - column) * top / (rows * columns)
        return Int32(min(smooth * 3 / 4 + Int(noise(index, seed: seed)) * (top + 1) / 1024, top))
    }
}

func noise(_ index: Int, seed: UInt64) -> UInt8 {
    var x = ((UInt64(index) + seed) * 2_654_435_761) & 0xFFFF_FFFF
    x ^= x >> 15
    x = (x * 2_246_822_519) & 0xFFFF_FFFF
    x ^= x >> 13
    return UInt8(x >> 24)
}

/// Lower-case hex, of the values' bytes.
func sha256(_ values: [Float]) -> String {
    values.withUnsafeBytes { sha256Hex($0) }
}

func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { sha256Hex($0) } }
