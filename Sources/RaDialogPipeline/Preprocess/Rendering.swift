internal import CKernels
package import ReportModel

/// From stored values to an 8-bit picture in which air is black. Source: model.md section 1 (`mimic-cxr-jpg`), DICOM PS3.3 C.11.1,
/// C.11.2 and C.11.6 (`voi`).
package enum Rendering {
    /// - Throws: `.noImageContent` for a frame that is constant or nearly so, after quantisation to 8 bit.
    package static func render(_ radiograph: Radiograph, _ mode: RenderingMode) throws(PreprocessError) -> GrayImage {
        guard radiograph.rows > 0, radiograph.columns > 0 else { throw .noImageContent(reason: "it has no pixels") }
        let frame = Frame(radiograph)
        guard frame.smallest < frame.largest else { throw .noImageContent(reason: "every pixel has the same value") }
        let scaled = frame.mapped(MinMaxScale(frame, inverted: radiograph.photometricInterpretation == .monochrome1))
        let histogram = try content(of: scaled)
        switch mode {
        case .mimicCXRJPG: return try scaled.mapped(equalization(histogram)).throughJPEG(quality: mimicQuality)
        case .voi: return voi(radiograph, frame)
        }
    }

    /// MIMIC-CXR-JPG was written by OpenCV with quality 95.
    static let mimicQuality: Int32 = 95

    /// A picture is called empty where fewer than one pixel in this many differs from the commonest gray (a marker or some hot pixels
    /// on a blank detector) ...
    static let emptyFraction: UInt64 = 100
    /// ... or where it has fewer grays than this (a mask, a scanned page, a test pattern). The 71 films of the corpus have at least one
    /// differing pixel in two, and 121 grays.
    static let fewestGrays = 16

    /// The histogram of a picture that is not empty.
    private static func content(of image: GrayImage) throws(PreprocessError) -> [UInt64] {
        var histogram = [UInt64](repeating: 0, count: 256)
        ck_histogram_u8(image.pixels, image.pixels.count, &histogram)
        let total = UInt64(image.pixels.count)
        let others = total - (histogram.max() ?? 0)
        guard others * emptyFraction >= total else {
            throw .noImageContent(reason: "only \(others) of \(total) pixels differ from the commonest gray")
        }
        let grays = histogram.count { $0 > 0 }
        guard grays >= fewestGrays else { throw .noImageContent(reason: "it has only \(grays) grays") }
        return histogram
    }

    /// OpenCV's equalizeHist: the first gray that occurs becomes 0, the others the share of pixels up to them, in 32-bit floating point,
    /// rounded half to even.
    package static func equalization(_ histogram: [UInt64]) -> [UInt8] {
        var table = [UInt8](repeating: 0, count: 256)
        let total = histogram.reduce(0, +)
        guard let first = histogram.firstIndex(where: { $0 > 0 }) else { return table }
        guard histogram[first] < total else { return [UInt8](repeating: UInt8(first), count: 256) }
        let scale = Float(255) / Float(total - histogram[first])
        var sum: UInt64 = 0
        for gray in (first + 1)..<256 {
            sum += histogram[gray]
            table[gray] = UInt8(min(255, (Float(sum) * scale).rounded(.toNearestOrEven)))
        }
        return table
    }

    /// As a viewer shows it: VOI LUT, else window, else the whole range; inverted for MONOCHROME1 or a presentation LUT of INVERSE.
    /// PS3.3 C.8.11.3 has the two go together, so that both at once are one inversion.
    private static func voi(_ radiograph: Radiograph, _ frame: Frame) -> GrayImage {
        let inverted = radiograph.photometricInterpretation == .monochrome1 || radiograph.presentationIsInverse
        if radiograph.photometricInterpretation == .rgb {
            return frame.mapped(DisplayScale(bitsStored: radiograph.bitsStored))
        }
        let wholeRange = MinMaxScale(frame, inverted: inverted)
        guard let transform = VOIScale(radiograph.voiTransform, frame, inverted: inverted) else { return frame.mapped(wholeRange) }
        let shown = frame.mapped(transform)
        // A window beside the film's values shows nothing, which is the header's fault and not the film's.
        return shown.isConstant ? frame.mapped(wholeRange) : shown
    }
}

extension GrayImage {
    fileprivate var isConstant: Bool { pixels.allSatisfy { $0 == pixels[0] } }
}
