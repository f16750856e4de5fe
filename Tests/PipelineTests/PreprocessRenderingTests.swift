import RaDialogPipeline
import ReportModel
import Testing

@Suite struct PreprocessRenderingTests {
    private let rows = 64, columns = 80

    private func ramp(_ changed: (inout Radiograph) -> Void = { _ in }) -> Radiograph {
        var film = Radiograph.gray(
            rows: rows, columns: columns, bits: 12, values: pattern(rows: rows, columns: columns, bits: 12, seed: 5))
        changed(&film)
        return film
    }

    /// The grays of these values at the start of a film.
    private func shown(_ values: [Int32], _ transform: Radiograph.VOITransform) throws -> [UInt8] {
        let film = ramp {
            $0.storedValues.replaceSubrange(0..<values.count, with: values)
            $0.voiTransform = transform
        }
        return Array(try Rendering.render(film, .voi).pixels.prefix(values.count))
    }

    private func isNoImage(_ film: Radiograph, _ mode: RenderingMode) -> Bool {
        do {
            _ = try Rendering.render(film, mode)
            return false
        } catch PreprocessError.noImageContent {
            return true
        } catch {
            return false
        }
    }

    @Test(arguments: RenderingMode.allCases)
    func `a constant frame is not a picture`(mode: RenderingMode) {
        #expect(isNoImage(ramp { $0.storedValues = [Int32](repeating: 700, count: rows * columns) }, mode))
    }

    @Test(arguments: RenderingMode.allCases)
    func `a blank frame with a few hot pixels is not a picture`(mode: RenderingMode) {
        #expect(isNoImage(ramp { $0.storedValues = (0..<rows * columns).map { $0 < 3 ? 4095 : Int32($0 % 2) } }, mode))
    }

    @Test(arguments: RenderingMode.allCases)
    func `a mask of a few grays is not a picture`(mode: RenderingMode) {
        #expect(isNoImage(ramp { $0.storedValues = (0..<rows * columns).map { Int32($0 % 15) } }, mode))
    }

    @Test func `a strip of pixels is refused before it is resized`() throws {
        let strip = Radiograph.gray(rows: 2, columns: 30_000, bits: 8, values: (0..<60_000).map { Int32($0 % 251) })
        #expect(throws: PreprocessError.self) { try ModelInput.make(from: strip, preprocessing: .published) }
    }

    @Test func `a rescale with a positive slope changes nothing in MIMIC's rendering`() throws {
        let plain = try Rendering.render(ramp(), .mimicCXRJPG)
        let rescaled = try Rendering.render(ramp { $0.modalityTransform = .rescale(slope: 0.37, intercept: -1000.5) }, .mimicCXRJPG)
        #expect(plain == rescaled)
    }

    @Test func `a signed film is that film with an offset`() throws {
        let plain = try Rendering.render(ramp(), .mimicCXRJPG)
        let signed = try Rendering.render(ramp { $0.storedValues = $0.storedValues.map { $0 - 2048 } }, .mimicCXRJPG)
        #expect(plain == signed)
    }

    @Test func `a slope of zero is taken as a broken header`() throws {
        let plain = try Rendering.render(ramp(), .mimicCXRJPG)
        #expect(try Rendering.render(ramp { $0.modalityTransform = .rescale(slope: 0, intercept: 5) }, .mimicCXRJPG) == plain)
    }

    @Test func `a modality table turns values round like a negative slope`() throws {
        let table = Radiograph.LookupTable(firstMapped: 0, bitsPerEntry: 12, values: (0..<4096).map { UInt16(4095 - $0) })
        let byTable = try Rendering.render(ramp { $0.modalityTransform = .lookupTable(table) }, .mimicCXRJPG)
        let bySlope = try Rendering.render(ramp { $0.modalityTransform = .rescale(slope: -1, intercept: 4095) }, .mimicCXRJPG)
        #expect(byTable == bySlope)
    }

    @Test func `values of 32 bits are scaled as those of 16`() throws {
        let narrow = try Rendering.render(ramp { $0.storedValues[0] = 0; $0.storedValues[1] = 4095 }, .mimicCXRJPG)
        let wide = try Rendering.render(
            ramp {
                $0.storedValues[0] = 0
                $0.storedValues[1] = 4095
                $0.storedValues = $0.storedValues.map { $0 * 65_536 }
            }, .mimicCXRJPG)
        #expect(narrow == wide)
    }

    @Test func `MONOCHROME1 and a presentation LUT of INVERSE together are one inversion`() throws {
        let window = Radiograph.VOITransform.window(center: 1500, width: 2000, function: .linear)
        let plain = try Rendering.render(ramp { $0.voiTransform = window }, .voi)
        let inverted = GrayImage(rows: rows, columns: columns, pixels: plain.pixels.map { 255 - $0 })
        for (photometric, inverse) in [(Radiograph.PhotometricInterpretation.monochrome1, false), (.monochrome1, true), (.monochrome2, true)] {
            let film = ramp { ($0.voiTransform, $0.photometricInterpretation, $0.presentationIsInverse) = (window, photometric, inverse) }
            #expect(try Rendering.render(film, .voi) == inverted)
        }
    }

    @Test func `a linear window follows PS3.3 C 11 2 1 2 1 at its edges`() throws {
        // Below 2047.5 - 127.5 and including it: 0; above 2047.5 + 127.5: 255.
        let values: [Int32] = [0, 1920, 1921, 2048, 2175, 4095]
        #expect(try shown(values, .window(center: 2048, width: 256, function: .linear)) == [0, 0, 1, 128, 255, 255])
    }

    @Test func `a window of width one is a threshold`() throws {
        #expect(try shown([9, 10, 11, 12], .window(center: 11, width: 1, function: .linear)) == [0, 0, 255, 255])
    }

    @Test func `an exact window has its edges at half the width, and a sigmoid its middle at the center`() throws {
        #expect(try shown([1791, 1792, 1856, 2048, 2304, 2305], .window(center: 2048, width: 512, function: .linearExact)) == [0, 0, 32, 128, 255, 255])
        // 255 / (1 + exp(-4 (x - c) / w)) at -w, 0, +w / 4, +w.
        #expect(try shown([1024, 2048, 2304, 3072], .window(center: 2048, width: 1024, function: .sigmoid)) == [5, 128, 186, 250])
    }

    @Test(arguments: [(center: 90_000.0, width: 10.0), (2000.0, 0.0), (.nan, 100.0), (2000.0, -.infinity)])
    func `a window that shows nothing is taken as absent`(window: (center: Double, width: Double)) throws {
        let whole = try Rendering.render(ramp(), .voi)
        let film = ramp { $0.voiTransform = .window(center: window.center, width: window.width, function: .linear) }
        #expect(try Rendering.render(film, .voi) == whole)
    }

    @Test func `a VOI table whose descriptor claims too many bits is not dark`() throws {
        let table = Radiograph.LookupTable(firstMapped: 0, bitsPerEntry: 16, values: (0..<4096).map { UInt16($0) })
        let shown = try Rendering.render(ramp { $0.voiTransform = .lookupTable(table); $0.storedValues[0] = 4095 }, .voi)
        #expect(shown.pixels[0] == 255)
    }

    @Test func `the first gray that occurs becomes black in the equalised histogram`() {
        var histogram = [UInt64](repeating: 0, count: 256)
        (histogram[10], histogram[20], histogram[30]) = (50, 1, 2)
        let table = Rendering.equalization(histogram)
        #expect([table[9], table[10], table[20], table[30], table[255]] == [0, 0, 85, 255, 255])
    }

    @Test func `remapping 0 to 255 truncates where the training code did`() {
        let image = GrayImage(rows: 1, columns: 256, pixels: (0...255).map { UInt8($0) })
        #expect(image.remapped().pixels == (0...255).map { UInt8(Double($0) / 255 * 255) })
        #expect(GrayImage(rows: 1, columns: 3, pixels: [10, 15, 20]).remapped().pixels == [0, 127, 255])
    }

    @Test func `the crop's offset is rounded half to even`() {
        let image = GrayImage(rows: 1, columns: 11, pixels: (0..<11).map { UInt8($0) })
        #expect(GrayImage(rows: 11, columns: 11, pixels: (0..<11).flatMap { _ in image.pixels }).centerCrop(side: 6).pixels[0] == 2)
        #expect(GrayImage(rows: 11, columns: 11, pixels: (0..<11).flatMap { _ in image.pixels }).centerCrop(side: 4).pixels[0] == 4)
    }

    @Test func `a picture smaller than the crop is padded, the odd pixel right and below`() {
        let image = GrayImage(rows: 2, columns: 3, pixels: [1, 2, 3, 4, 5, 6])
        #expect(image.centerCrop(side: 4).pixels == [0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0])
    }

    @Test func `a picture with a side no JPEG can have is refused with libjpeg's limit`() {
        let image = GrayImage(rows: 1, columns: 65_501, pixels: [UInt8](repeating: 3, count: 65_501))
        #expect(throws: PreprocessError.jpeg(reason: "encoding: a side is empty or longer than a JPEG can have")) {
            try image.throughJPEG(quality: 95)
        }
    }
}
