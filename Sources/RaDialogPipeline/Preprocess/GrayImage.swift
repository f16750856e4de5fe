internal import CKernels

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

    /// The longer side may be this many times the shorter one; nothing that is a chest film comes near it, and a strip of one row
    /// would grow to gigabytes.
    static let maximumAspectRatio = 16

    /// As torchvision's `Resize(shorterSide)` on a Pillow image: bilinear with antialiasing.
    package func resized(shorterSide: Int) throws(PreprocessError) -> GrayImage {
        let shorter = min(rows, columns), longer = max(rows, columns)
        guard shorter > 0, longer <= shorter * Self.maximumAspectRatio else {
            throw .noImageContent(reason: "\(columns) x \(rows) pixels are a strip, not a film")
        }
        let size = Self.resizedSize(rows: rows, columns: columns, shorterSide: shorterSide)
        return try resized(rows: size.rows, columns: size.columns)
    }

    /// What `resized(shorterSide:)` makes of a picture's size: the longer side is truncated.
    static func resizedSize(rows: Int, columns: Int, shorterSide: Int) -> (rows: Int, columns: Int) {
        let longer = shorterSide * max(rows, columns) / min(rows, columns)
        return rows <= columns ? (shorterSide, longer) : (longer, shorterSide)
    }

    /// As Pillow's `resize((columns, rows), BILINEAR)`.
    package func resized(rows newRows: Int, columns newColumns: Int) throws(PreprocessError) -> GrayImage {
        precondition(rows > 0 && columns > 0 && newRows > 0 && newColumns > 0, "an empty image has no size to change")
        var done = false
        let resized = [UInt8](unsafeUninitializedCapacity: newRows * newColumns) { target, count in
            guard let base = target.baseAddress else { return }
            done = ck_resize_u8(base, newRows, newColumns, pixels, rows, columns)
            count = done ? newRows * newColumns : 0
        }
        guard done else { throw .outOfMemory(step: "resizing \(columns) x \(rows) pixels") }
        return GrayImage(rows: newRows, columns: newColumns, pixels: resized)
    }

    /// As torchvision's `CenterCrop(side)`: a picture smaller than the crop is padded with 0 first, the odd pixel right and below; the
    /// offset is rounded half to even.
    package func centerCrop(side: Int) -> GrayImage {
        let (top, height) = Self.cropOffset(length: rows, side: side)
        let (left, width) = Self.cropOffset(length: columns, side: side)
        var cropped = [UInt8](repeating: 0, count: side * side)
        for row in 0..<height {
            let source = (max(top, 0) + row) * columns + max(left, 0)
            let target = (max(-top, 0) + row) * side + max(-left, 0)
            cropped.replaceSubrange(target..<target + width, with: pixels[source..<source + width])
        }
        return GrayImage(rows: side, columns: side, pixels: cropped)
    }

    /// Where the crop starts (negative: pixels of padding), and how many pixels of the picture it holds.
    static func cropOffset(length: Int, side: Int) -> (offset: Int, count: Int) {
        guard length > side else { return (-((side - length) / 2), length) }
        return (Int((Double(length - side) / 2).rounded(.toNearestOrEven)), side)
    }
}
