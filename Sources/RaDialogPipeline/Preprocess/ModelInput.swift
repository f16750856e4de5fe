package import ReportModel

/// An 8-bit single-channel picture, row-major.
package struct GrayImage: Sendable, Equatable {
    package var rows: Int
    package var columns: Int
    package var pixels: [UInt8]

    package init(rows: Int, columns: Int, pixels: [UInt8]) {
        precondition(pixels.count == rows * columns, "an image has rows x columns pixels")
        self.rows = rows
        self.columns = columns
        self.pixels = pixels
    }
}

/// What the networks see of one radiograph.
///
/// The three channels of the networks' input are equal (model.md section 1), so that one plane stands for all three:
/// the stem sums its weights over the input channels, or repeats the plane.
package struct ModelInput: Sendable {
    /// `[side, side]`, 0...1, row-major: one plane.
    package var encoder: [Float]
    package var encoderSide: Int
    package var classifier: [Float]
    package var classifierSide: Int
    /// The picture before remapping, resizing and cropping.
    package var rendered: GrayImage
    /// SHA-256 of `rendered`'s pixels, lower-case hex.
    package var renderedSHA256: String

    /// Renders, resizes and crops.
    /// - Parameter mode: the bundle's rendering, or what the configuration puts in its place.
    package static func make(
        from radiograph: Radiograph, preprocessing: BundleManifest.Preprocessing, rendering mode: RenderingMode? = nil
    ) throws(PreprocessError) -> ModelInput {
        throw .noImageContent(reason: "not written yet")
    }
}

/// Why a decoded frame is not given to the model.
public enum PreprocessError: Error, Equatable, CustomStringConvertible {
    /// Decoded, but not a picture (`NoDraftReason.noImageContent`).
    case noImageContent(reason: String)
    /// libjpeg failed, which only memory can make it do.
    case jpeg(reason: String)

    public var description: String {
        switch self {
        case .noImageContent(let reason): "the frame is not a picture: \(reason)"
        case .jpeg(let reason): "the JPEG step of mimic-cxr-jpg rendering failed: \(reason)"
        }
    }
}
