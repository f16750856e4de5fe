import Foundation
import ReportModel

/// Films that no patient was in front of.
enum SyntheticFilm {
    /// A bright heart between two dark lungs: not a constant frame.
    static let chest: Radiograph = {
        let (rows, columns) = (600, 500)
        let values = (0..<rows * columns).map { index -> Int32 in
            let (y, x) = (Double(index / columns) / Double(rows) - 0.5, Double(index % columns) / Double(columns) - 0.5)
            let lungs = exp(-(abs(x) - 0.22) * (abs(x) - 0.22) * 60 - y * y * 9)
            return Int32(3000 - 2200 * lungs + 200 * sin(Double(index) * 0.7))
        }
        return Radiograph(
            rows: rows, columns: columns, samplesPerPixel: 1, bitsStored: 12, photometricInterpretation: .monochrome2,
            presentationIsInverse: false, modalityTransform: .identity, voiTransform: .none, storedValues: values)
    }()
}
