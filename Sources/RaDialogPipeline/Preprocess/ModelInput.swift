package import ReportModel
internal import CKernels

/// What the networks see of one radiograph. Source: model.md section 1.
///
///     rendered = render(radiograph)             8 bit, as the training images were made
///     resized  = resize(remap(rendered))        shorter side to `shorter_side`
///     encoder  = crop(resized) / 255            `encoder_side` squared; classifier alike
///
/// The three channels of the networks' input are equal, so that one plane stands for all three: the stem sums its weights over
/// the input channels, or repeats the plane. No mean or deviation is taken off.
package struct ModelInput: Sendable {
    /// `[side, side]`, 0...1, row-major: one plane.
    package var encoder: [Float]
    package var encoderSide: Int
    package var classifier: [Float]
    package var classifierSide: Int
    /// How it was rendered.
    package var rendering: RenderingMode
    /// The picture before remapping, resizing and cropping.
    package var rendered: GrayImage
    /// SHA-256 of `rendered`'s pixels, lower-case hex.
    package var renderedSHA256: String

    /// Renders, resizes and crops.
    /// - Parameter mode: what the configuration puts in the place of the bundle's rendering; nil keeps the bundle's.
    package static func make(
        from radiograph: Radiograph, preprocessing: BundleManifest.Preprocessing, rendering mode: RenderingMode? = nil
    ) throws(PreprocessError) -> ModelInput {
        let mode = mode ?? preprocessing.rendering
        let rendered = try Rendering.render(radiograph, mode)
        let resized = try rendered.remapped().resized(shorterSide: preprocessing.shorterSide)
        return ModelInput(
            encoder: resized.centerCrop(side: preprocessing.encoderSide).unitFloats(), encoderSide: preprocessing.encoderSide,
            classifier: resized.centerCrop(side: preprocessing.classifierSide).unitFloats(), classifierSide: preprocessing.classifierSide,
            rendering: mode, rendered: rendered, renderedSHA256: rendered.sha256)
    }
}

extension GrayImage {
    /// Smallest value to 0, largest to 255, truncated: in 64-bit floating point and in this order, because 8-bit values that span
    /// 0...255 already do not all come back (`Int(51 / 255.0 * 255)` is exact, others may lose one), and the networks were trained so.
    package func remapped() -> GrayImage {
        guard !pixels.isEmpty else { return self }
        var (smallest, largest): (UInt8, UInt8) = (0, 0)
        ck_min_max_u8(pixels, pixels.count, &smallest, &largest)
        guard smallest < largest else { return self }
        let (low, high) = (Int(smallest), Int(largest))
        let table = (0..<256).map { value in
            UInt8(Double(min(max(value, low), high) - low) / Double(high - low) * 255)
        }
        return mapped(table)
    }

    /// `table[pixel]` for every pixel.
    func mapped(_ table: [UInt8]) -> GrayImage {
        var result = self
        result.pixels.withUnsafeMutableBufferPointer { target in
            guard let base = target.baseAddress else { return }
            ck_map_u8(base, base, target.count, table)
        }
        return result
    }

    /// 0...255 to 0...1 in 32-bit floating point, as torchvision's ToTensor: division, not multiplication by 1/255.
    package func unitFloats() -> [Float] {
        let table = (0..<256).map { Float($0) / 255 }
        return [Float](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBufferPointer { source in
                for index in source.indices { target.initializeElement(at: index, to: table[Int(source[index])]) }
            }
            count = pixels.count
        }
    }

    /// SHA-256 of the pixels, lower-case hex.
    package var sha256: String {
        pixels.withUnsafeBytes { sha256Hex($0) }
    }
}
