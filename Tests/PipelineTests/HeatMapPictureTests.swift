import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// What a person gets to see: the picture, its words, its file.
struct HeatMapPictureTests {
    private static let preprocessing = BundleManifest.Preprocessing(rendering: .voi, shorterSide: 340, encoderSide: 320, classifierSide: 320)

    private static func heatMap(
        _ label: FindingLabel = .pleuralEffusion, score: Double = 0.87654, rows: Int = 400, columns: Int = 340, kind: BundleKind = .demo,
        values: [Float] = (0..<256).map { $0 == 68 ? 1 : 0 }
    ) throws -> HeatMap {
        let grey = (0..<rows * columns).map { UInt8($0 % columns % 256) }
        let film = try MappedFilm(rendered: GrayImage(rows: rows, columns: columns, pixels: grey), preprocessing: preprocessing, kind: kind)
        return HeatMap(label: label, score: score, threshold: 0.5, map: .init(rows: 16, columns: 16, values: values), film: film)
    }

    /// The words on a picture, read with the font at every place where one can begin; what is no letter ends a word.
    private func words(on picture: ColourPicture, scale: Int, from top: Int) -> [String] {
        func inked(_ row: Int, _ column: Int) -> Bool {
            guard row < picture.rows, column < picture.columns else { return false }
            return picture[row, column].red > 120
        }
        func letter(_ row: Int, _ column: Int) -> Character? {
            (33...126).map { Character(UnicodeScalar(UInt8($0))) }.first { character in
                (0..<BitmapFont.height).allSatisfy { y in
                    (0..<BitmapFont.width).allSatisfy { x in
                        BitmapFont.hasInk(character, row: y, column: x) == inked(row + y * scale, column + x * scale)
                    }
                }
            }
        }
        let margin = 4 * scale
        return stride(from: top + margin, to: picture.rows - BitmapFont.height * scale, by: (BitmapFont.height + 3) * scale).map { row in
            stride(from: margin, to: picture.columns, by: ColourPicture.advance * scale).map { letter(row, $0).map(String.init) ?? " " }
                .joined().trimmingCharacters(in: .whitespaces)
        }
    }

    @Test func `the legend names label, score, threshold and both warnings, and nothing else`() throws {
        let picture = try Self.heatMap().picture()
        let lines = words(on: picture, scale: 1, from: 400)
        #expect(lines.prefix(3) == [
            "DEMONSTRATION MODEL - NOT FOR CLINICAL USE", "Pleural Effusion - machine generated, not a diagnosis",
            "probability 0.877, above the threshold 0.500",
        ])
        #expect(lines[3].hasPrefix("adds to the score: nothing") && lines[3].hasSuffix("most"))
        #expect(lines[4...] == ["dashed line: what the model looked at"])
        let clinical = words(on: try Self.heatMap(kind: .clinical).picture(), scale: 1, from: 400)
        #expect(clinical.count == 4 && clinical[0].hasSuffix(HeatMap.machineMark))
    }

    @Test func `a score a hair above its threshold is called above it, and one below is not`() throws {
        func line(_ score: Double) throws -> String { words(on: try Self.heatMap(score: score).picture(), scale: 1, from: 400)[2] }
        #expect(try line(0.50000001) == "probability 0.500, above the threshold 0.500")
        #expect(try line(0.49999999) == "probability 0.500, not above the threshold 0.500")
        #expect(try line(0.0565) == "probability 0.057, not above the threshold 0.500")
        #expect(try line(1) == "probability 1.000, above the threshold 0.500")
    }

    @Test func `a map that is zero everywhere leaves the film as it is and says so`() throws {
        let picture = try Self.heatMap(values: [Float](repeating: 0, count: 256)).picture()
        #expect(words(on: picture, scale: 1, from: 400).contains("no area of this film adds to the score"))
        // The frame lies on the outermost pixels of the crop.
        for (row, column) in [(200, 170), (130, 100), (350, 300)] {
            #expect(picture[row, column] == .init(UInt8(column % 256), UInt8(column % 256), UInt8(column % 256)))
        }
    }

    @Test func `colour lies on the lit cell only, and a frame around what the classifier saw`() throws {
        // 400 x 340 is not resized; the crop begins at row 40 and column 10. Cell 68 is (4, 4): its middle is (130, 100).
        let picture = try Self.heatMap().picture()
        func isGrey(_ row: Int, _ column: Int) -> Bool {
            let colour = picture[row, column]
            return colour.red == colour.green && colour.green == colour.blue
        }
        #expect(!isGrey(130, 100) && !isGrey(130 + 15, 100 - 15))
        #expect(isGrey(130, 100 + 22) && isGrey(130 + 22, 100) && isGrey(300, 250))
        // Dashes of four, light and dark, beginning in the corner.
        #expect(picture[40, 10].red > 180 && picture[40, 13].red > 180 && picture[40, 14].red < 14 && picture[40, 18].red > 180)
        #expect(picture[39, 10] == .init(10, 10, 10) && picture[40, 9] == .init(9, 9, 9))
        #expect(picture[359, 10].red > 180 && picture[359, 329].red < 20)
    }

    @Test(arguments: [(3000, 2500, 1024, 853), (2500, 3000, 853, 1024), (90, 70, 90, 70), (1024, 500, 1024, 500)])
    func `a film is reduced to 1024 pixels and never enlarged, and its legend always fits`(
        _ rows: Int, _ columns: Int, _ shownRows: Int, _ shownColumns: Int
    ) throws {
        let picture = try Self.heatMap(.enlargedCardiomediastinum, rows: rows, columns: columns).picture()
        let scale = shownColumns >= 700 ? 2 : 1
        #expect(picture.rows == shownRows + scale * (5 * 11 + 8))
        #expect(picture.columns >= shownColumns && (picture.columns == shownColumns || shownColumns < 400))
        let lines = words(on: picture, scale: scale, from: shownRows)
        #expect(lines.prefix(2) == [MachineText.demonstrationMark, "Enlarged Cardiomediastinum - machine generated, not a diagnosis"])
    }

    @Test(.enabled(if: Oracle.hasPython, Comment(rawValue: Oracle.needsPython)))
    func `Pillow reads the same pixels from the file`() throws {
        let folder = try ScratchFolder()
        let picture = try Self.heatMap().picture()
        try folder.write(picture.png(), as: "map.png")
        try Oracle.run("png_pixels.py", ["\(folder.path)/map.png", "\(folder.path)/pixels"])
        let read = [UInt8](try Data(contentsOf: URL(filePath: "\(folder.path)/pixels")))
        #expect(read == Array("RGB \(picture.rows) \(picture.columns)\n".utf8) + picture.pixels)
    }

    @Test func `a PNG has its signature, its size and the same bytes every time, and too many pixels are refused`() throws {
        let picture = ColourPicture(rows: 2, columns: 300, filledWith: .init(1, 2, 3))
        let file = try picture.png()
        #expect(file.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(file[16..<24] == [0, 0, 1, 44, 0, 0, 0, 2])
        #expect(file.suffix(8) == [0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
        #expect(try picture.png() == file)
        #expect(throws: HeatMapError.self) { try ColourPicture(rows: 1, columns: 16385, filledWith: .init(0, 0, 0)).png() }
    }

    @Test func `equal steps of the colours look equal, and every one is lighter than the last`() {
        let colours = ColourRamp.colours
        #expect(colours.count == 256)
        let steps = (0..<31).map { ColourRamp.difference(colours[$0 * 8], colours[$0 * 8 + 8]) }
        let mean = steps.reduce(0, +) / Double(steps.count)
        print("colour ramp: steps \(steps.map { ($0 / mean * 100).rounded() / 100 })")
        #expect(steps.allSatisfy { abs($0 / mean - 1) < 0.25 })
        #expect((0..<31).allSatisfy { ColourRamp.lightness(colours[$0 * 8]) < ColourRamp.lightness(colours[$0 * 8 + 8]) })
    }

    @Test func `every printable character has a glyph of its own, and all others a question mark`() {
        func glyph(_ character: Character) -> [Bool] {
            (0..<40).map { BitmapFont.hasInk(character, row: $0 / 5, column: $0 % 5) }
        }
        let glyphs = (32...126).map { glyph(Character(UnicodeScalar(UInt8($0)))) }
        #expect(Set(glyphs).count == 95)
        #expect(glyphs[0].allSatisfy { !$0 })
        for other in ["é", "\u{7F}", "\n", "中", "👩‍⚕️"] as [Character] { #expect(glyph(other) == glyph("?")) }
    }
}
