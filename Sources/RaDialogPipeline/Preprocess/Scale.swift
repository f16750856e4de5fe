internal import Foundation
import ReportModel

/// From one value of a frame to a gray.
protocol Scale {
    func gray(of value: Int64) -> UInt8
}

/// The smallest modality value to 0, the largest to 255, truncated: step 1 of MIMIC-CXR-JPG, which inverts MONOCHROME1 after it.
///
/// The rescale cancels out (a negative slope turns the order round), so that this is computed from the stored values: nothing
/// is lost in the intercept. 64-bit floating point in NumPy's order: difference, quotient, product.
struct MinMaxScale: Scale {
    private let smallest: Int64
    private let largest: Int64
    private let descending: Bool
    private let inverted: Bool

    init(_ frame: Frame, inverted: Bool) {
        smallest = Int64(frame.smallest)
        largest = Int64(frame.largest)
        descending = frame.slope < 0
        self.inverted = inverted
    }

    func gray(of value: Int64) -> UInt8 {
        let above = descending ? largest - value : value - smallest
        let gray = UInt8(Double(above) / Double(largest - smallest) * 255)
        return inverted ? 255 - gray : gray
    }
}

/// Colour films have no VOI: 0 to 0, the largest value of the stored bits to 255, rounded.
struct DisplayScale: Scale {
    private let top: Int64

    init(bitsStored: Int) { top = (1 << Int64(min(max(bitsStored, 1), 31))) - 1 }

    func gray(of value: Int64) -> UInt8 {
        let clamped = min(max(value, 0), top)
        return UInt8((2 * clamped * 255 + top) / (2 * top))
    }
}

/// A VOI LUT or window, to 0...255, rounded. Source: PS3.3 C.11.2.1.
struct VOIScale: Scale {
    private let transform: Radiograph.VOITransform
    private let slope: Double
    private let intercept: Double
    private let inverted: Bool
    /// Largest output of the LUT.
    private let top: Double

    /// Nil where there is no transform, or one that says nothing: an empty LUT, or a width below what PS3.3 allows (1 for LINEAR,
    /// above 0 for the others).
    init?(_ transform: Radiograph.VOITransform, _ frame: Frame, inverted: Bool) {
        switch transform {
        case .none: return nil
        case .window(let center, let width, let function):
            guard center.isFinite, width.isFinite, function == .linear ? width >= 1 : width > 0 else { return nil }
            top = 255
        case .lookupTable(let table):
            // The bits that the entries need, not those the descriptor claims: 12-bit tables that say 16 are common and would come out dark.
            guard let largest = table.values.max(), largest > 0 else { return nil }
            top = Double((1 << (UInt16.bitWidth - largest.leadingZeroBitCount)) - 1)
        }
        self.transform = transform
        slope = frame.slope
        intercept = frame.intercept
        self.inverted = inverted
    }

    func gray(of value: Int64) -> UInt8 {
        let modality = Double(value) * slope + intercept
        let shown: Double
        switch transform {
        case .none: shown = 0
        case .window(let center, let width, let function): shown = Self.window(modality, center, width, function)
        case .lookupTable(let table):
            let index = (modality - Double(table.firstMapped)).rounded()
            let entry = min(max(index, 0), Double(table.values.count - 1))
            shown = Double(table.values[Int(entry)]) / top
        }
        let gray = UInt8((min(max(shown, 0), 1) * 255).rounded())
        return inverted ? 255 - gray : gray
    }

    /// The window's output, 0...1. PS3.3 C.11.2.1.2 and C.11.2.1.3.
    private static func window(_ value: Double, _ center: Double, _ width: Double, _ function: Radiograph.WindowFunction) -> Double {
        switch function {
        case .linear:
            if value <= center - 0.5 - (width - 1) / 2 { return 0 }
            if value > center - 0.5 + (width - 1) / 2 { return 1 }
            return (value - (center - 0.5)) / (width - 1) + 0.5
        case .linearExact:
            if value <= center - width / 2 { return 0 }
            if value > center + width / 2 { return 1 }
            return (value - center) / width + 0.5
        case .sigmoid:
            return 1 / (1 + exp(-4 * (value - center) / width))
        }
    }
}
