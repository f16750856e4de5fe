internal import CPNG

/// 8-bit sRGB, row-major.
public struct ColourPicture: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    /// Red, green, blue of the first pixel, then of the next.
    public private(set) var pixels: [UInt8]

    package init(rows: Int, columns: Int, filledWith colour: ColourRamp.Colour) {
        precondition(rows > 0 && columns > 0, "a picture has pixels")
        self.rows = rows
        self.columns = columns
        pixels = [UInt8](repeating: 0, count: 3 * rows * columns)
        fill(rows: 0..<rows, columns: 0..<columns, colour)
    }

    /// The picture as a PNG file. The same picture gives the same bytes.
    public func png() throws(HeatMapError) -> [UInt8] {
        var failure = cpng_error()
        var status = CPNG_OK
        let file = [UInt8](unsafeUninitializedCapacity: cpng_largest_length(columns, rows)) { target, count in
            guard let base = target.baseAddress else {
                status = CPNG_BAD_SIZE
                return
            }
            status = cpng_encode_rgb(pixels, columns, rows, base, target.count, &count, &failure)
        }
        guard status == CPNG_OK else {
            let text = withUnsafeBytes(of: failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw .png(reason: text.isEmpty ? "\(columns) x \(rows) pixels are too many" : text)
        }
        return file
    }

    // MARK: Drawing. Everything stays within the picture.

    package subscript(row: Int, column: Int) -> ColourRamp.Colour {
        get {
            let at = 3 * (row * columns + column)
            return ColourRamp.Colour(pixels[at], pixels[at + 1], pixels[at + 2])
        }
        set {
            let at = 3 * (row * columns + column)
            pixels[at] = newValue.red
            pixels[at + 1] = newValue.green
            pixels[at + 2] = newValue.blue
        }
    }

    mutating func fill(rows: Range<Int>, columns: Range<Int>, _ colour: ColourRamp.Colour) {
        for row in rows.clamped(to: 0..<self.rows) {
            for column in columns.clamped(to: 0..<self.columns) { self[row, column] = colour }
        }
    }

    /// Lays `colour` over the pixel; an `opacity` of 1 hides what was there.
    mutating func blend(row: Int, column: Int, _ colour: ColourRamp.Colour, opacity: Float) {
        func mixed(_ below: UInt8, _ above: UInt8) -> UInt8 {
            UInt8((Float(below) + (Float(above) - Float(below)) * min(max(opacity, 0), 1)).rounded())
        }
        let below = self[row, column]
        self[row, column] = .init(mixed(below.red, colour.red), mixed(below.green, colour.green), mixed(below.blue, colour.blue))
    }

    /// - Parameter scale: pixels per dot of the font.
    package mutating func draw(_ text: String, row: Int, column: Int, scale: Int, _ colour: ColourRamp.Colour) {
        for (index, character) in text.enumerated() {
            let left = column + index * Self.advance * scale
            for y in 0..<BitmapFont.height {
                for x in 0..<BitmapFont.width where BitmapFont.hasInk(character, row: y, column: x) {
                    let (top, start) = (row + y * scale, left + x * scale)
                    fill(rows: top..<top + scale, columns: start..<start + scale, colour)
                }
            }
        }
    }

    /// Dots from one character to the next.
    package static let advance = BitmapFont.width + 1

    /// Pixels that `draw` takes, the gap behind the last character with them.
    static func width(of text: String, scale: Int) -> Int { text.count * advance * scale }
}
