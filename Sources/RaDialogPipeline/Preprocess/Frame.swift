internal import CKernels
import ReportModel

/// One channel of values of a radiograph, and how they become modality values: `value * slope + intercept`.
struct Frame {
    let rows: Int
    let columns: Int
    /// Row-major. Stored values; luma of them for RGB; a modality LUT's output where there is one.
    let values: [Int32]
    let slope: Double
    let intercept: Double
    /// Of `values`.
    let smallest: Int32
    let largest: Int32

    init(_ radiograph: Radiograph) {
        rows = radiograph.rows
        columns = radiograph.columns
        let count = radiograph.rows * radiograph.columns
        let samples = radiograph.photometricInterpretation == .rgb ? 3 : 1
        precondition(radiograph.storedValues.count == count * samples, "a decoder's colour radiograph has three samples per pixel")
        var slope = 1.0, intercept = 0.0
        if radiograph.photometricInterpretation == .rgb {
            // PS3.3 has no modality transform for colour.
            values = Self.filled(count) { ck_luma_i32($0, radiograph.storedValues, count) }
        } else {
            switch radiograph.modalityTransform {
            case .rescale(let factor, let offset):
                values = radiograph.storedValues
                // A slope of 0 or none at all is a broken header, not a blank film.
                if factor.isFinite, factor != 0, offset.isFinite { (slope, intercept) = (factor, offset) }
            case .lookupTable(let table) where table.values.isEmpty:
                values = radiograph.storedValues
            case .lookupTable(let table):
                values = Self.filled(count) {
                    ck_look_up_u16($0, radiograph.storedValues, count, table.firstMapped, table.values, table.values.count)
                }
            }
        }
        self.slope = slope
        self.intercept = intercept
        var low: Int32 = 0, high: Int32 = 0
        if !values.isEmpty { ck_min_max_i32(values, values.count, &low, &high) }
        (smallest, largest) = (low, high)
    }

    private static func filled(_ count: Int, _ fill: (UnsafeMutablePointer<Int32>) -> Void) -> [Int32] {
        [Int32](unsafeUninitializedCapacity: count) { target, initialized in
            guard let base = target.baseAddress else { return }
            fill(base)
            initialized = count
        }
    }

    /// Up to this many different values go through a table: 16-bit films always do.
    private static let largestTable = 1 << 20

    /// The 8-bit picture in which each value is what `scale` says.
    func mapped(_ scale: some Scale) -> GrayImage {
        let span = Int64(largest) - Int64(smallest) + 1
        var pixels: [UInt8]
        if span <= Self.largestTable {
            let table = (0..<span).map { scale.gray(of: Int64(smallest) + $0) }
            pixels = [UInt8](repeating: 0, count: values.count)
            ck_look_up_u8(&pixels, values, values.count, smallest, table, table.count)
        } else {
            pixels = values.map { scale.gray(of: Int64($0)) }
        }
        return GrayImage(rows: rows, columns: columns, pixels: pixels)
    }
}
