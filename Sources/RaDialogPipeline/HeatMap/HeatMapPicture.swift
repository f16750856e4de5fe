import ReportModel

// The picture: the film as the model saw it, the map over it, a legend below. Nothing of the patient's is written on it.

extension HeatMap {
    /// Stands on every picture.
    package static let machineMark = "machine generated, not a diagnosis"

    /// The film, at most 1024 pixels on its longer side, with the map in colours and a legend below it.
    public func picture() -> ColourPicture {
        let legend = Legend(self, filmColumns: film.picture.columns)
        var picture = ColourPicture(
            rows: film.picture.rows + legend.rows, columns: max(film.picture.columns, legend.columns), filledWith: Legend.background)
        drawFilm(on: &picture, left: (picture.columns - film.picture.columns) / 2)
        legend.draw(on: &picture, top: film.picture.rows)
        return picture
    }

    /// Opacity of the colours where the map is 1; where it is 0 the film is untouched.
    private static let opacity: Float = 0.6
    /// The map's value from which the colours are that opaque: what speaks most for the label shall not hide the film, and what
    /// speaks little shall be seen.
    private static let opaqueFrom: Float = 0.5

    private func drawFilm(on picture: inout ColourPicture, left: Int) {
        let grey = film.picture
        for row in 0..<grey.rows {
            for column in 0..<grey.columns {
                let value = grey.pixels[row * grey.columns + column]
                picture[row, left + column] = .init(value, value, value)
            }
        }
        let map = film.geometry.resample(map, rows: grey.rows, columns: grey.columns)
        for row in map.mappedRows {
            for column in map.mappedColumns {
                let value = min(max(map.values[row * map.columns + column], 0), 1)
                let opacity = Self.opacity * min(value / Self.opaqueFrom, 1)
                picture.blend(row: row, column: left + column, ColourRamp.colours[Int((value * 255).rounded())], opacity: opacity)
            }
        }
        frame(map.mappedRows, map.mappedColumns.lowerBound + left..<map.mappedColumns.upperBound + left, on: &picture)
    }

    /// A line of light and dark dashes around what the classifier saw, one pixel wide, on the outermost pixels that have a map.
    private func frame(_ rows: Range<Int>, _ columns: Range<Int>, on picture: inout ColourPicture) {
        guard let (top, bottom) = rows.ends, let (left, right) = columns.ends else { return }
        func dash(_ position: Int) -> ColourRamp.Colour { position / 4 % 2 == 0 ? Legend.ink : Legend.background }
        for column in columns {
            for row in [top, bottom] { picture.blend(row: row, column: column, dash(column - left), opacity: 0.8) }
        }
        for row in rows.dropFirst().dropLast() {
            for column in [left, right] { picture.blend(row: row, column: column, dash(row - top), opacity: 0.8) }
        }
    }
}

extension Range<Int> {
    fileprivate var ends: (first: Int, last: Int)? { isEmpty ? nil : (lowerBound, upperBound - 1) }
}

/// The strip below the film.
struct Legend {
    static let background = ColourRamp.Colour(0, 0, 0)
    static let ink = ColourRamp.Colour(230, 230, 230)
    /// Of what must not be overlooked.
    static let warning = ColourRamp.Colour(255, 190, 60)

    private enum Line {
        case text(String, ColourRamp.Colour)
        /// The colours from left to right, between two words.
        case ramp(before: String, after: String)

        var characters: Int {
            switch self {
            case .text(let text, _): text.count
            case .ramp(let before, let after): before.count + Legend.rampCharacters + after.count
            }
        }
    }

    private static let rampCharacters = 16
    private static let lineDots = BitmapFont.height + 3
    private static let marginDots = 4

    private let lines: [Line]
    /// Pixels per dot of the font.
    private let scale: Int

    init(_ heatMap: HeatMap, filmColumns: Int) {
        let side = heatMap.score > heatMap.threshold ? "above" : "not above"
        var lines: [Line] = []
        if heatMap.film.kind == .demo { lines.append(.text(MachineText.demonstrationMark, Self.warning)) }
        lines.append(.text("\(heatMap.label.rawValue) - \(HeatMap.machineMark)", Self.ink))
        lines.append(.text(
            "probability \(Self.decimal(heatMap.score)), \(side) the threshold \(Self.decimal(heatMap.threshold))", Self.ink))
        if heatMap.map.values.contains(where: { $0 > 0 }) {
            lines.append(.ramp(before: "adds to the score: nothing ", after: " most"))
        } else {
            lines.append(.text("no area of this film adds to the score", Self.ink))
        }
        lines.append(.text("dashed line: what the model looked at", Self.ink))
        self.lines = lines
        let widest = lines.map(\.characters).max() ?? 0
        scale = Self.columns(widest, scale: 2) <= filmColumns ? 2 : 1
    }

    var rows: Int { (lines.count * Self.lineDots + 2 * Self.marginDots) * scale }
    var columns: Int { Self.columns(lines.map(\.characters).max() ?? 0, scale: scale) }

    private static func columns(_ characters: Int, scale: Int) -> Int {
        ColourPicture.width(of: String(repeating: " ", count: characters), scale: scale) + 2 * marginDots * scale
    }

    func draw(on picture: inout ColourPicture, top: Int) {
        let left = Self.marginDots * scale
        for (index, line) in lines.enumerated() {
            let row = top + (Self.marginDots + index * Self.lineDots) * scale
            switch line {
            case .text(let text, let colour): picture.draw(text, row: row, column: left, scale: scale, colour)
            case .ramp(let before, let after):
                let start = left + ColourPicture.width(of: before, scale: scale)
                let width = ColourPicture.width(of: String(repeating: " ", count: Self.rampCharacters), scale: scale)
                picture.draw(before, row: row, column: left, scale: scale, Self.ink)
                for step in 0..<width {
                    let colour = ColourRamp.colours[step * 255 / (width - 1)]
                    picture.fill(rows: row..<row + BitmapFont.height * scale, columns: start + step..<start + step + 1, colour)
                }
                picture.draw(after, row: row, column: start + width, scale: scale, Self.ink)
            }
        }
    }

    /// Three places. The word beside it says on which side of the threshold a score is, which rounding could hide.
    private static func decimal(_ value: Double) -> String {
        let thousandths = Int((min(max(value, 0), 1) * 1000).rounded())
        let digits = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
    }
}
