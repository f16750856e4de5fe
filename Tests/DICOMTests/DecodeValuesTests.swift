import DICOM
import ReportModel
import Testing

/// What becomes of stored values and attributes, on images of a few pixels.
@Suite struct `Decoded values` {
    @Test func `bits above Bits Stored are masked away`() throws {
        let image = ExampleImage(pixels: ExampleImage.words([0x1001, 0xF002, 0x0FFF, 0x8000, 0x7123, 0]))
        let radiograph = try DecodeSupport.decode(image.bytes).radiograph
        #expect(radiograph.storedValues == [1, 2, 4095, 0, 0x123, 0])
        #expect((radiograph.rows, radiograph.columns) == (2, 3))
        #expect(radiograph.bitsStored == 12)
        #expect(radiograph.modalityTransform == .identity)
        #expect(radiograph.voiTransform == .none)
    }

    @Test func `signed values are extended from Bits Stored, not from Bits Allocated`() throws {
        let image = ExampleImage(representation: 1, pixels: ExampleImage.words([0x0FFF, 0x0800, 0x07FF, 0xFFFF, 0x1800, 0]))
        #expect(try DecodeSupport.decode(image.bytes).radiograph.storedValues == [-1, -2048, 2047, -1, -2048, 0])
    }

    @Test func `a High Bit above Bits Stored shifts down`() throws {
        let image = ExampleImage(highBit: 15, pixels: ExampleImage.words([0xFFF0, 0x0010, 0x0020, 0, 0, 0x000F]))
        #expect(try DecodeSupport.decode(image.bytes).radiograph.storedValues == [4095, 1, 2, 0, 0, 0])
    }

    @Test func `colour by plane comes out interleaved`() throws {
        let image = ExampleImage(
            rows: 1, columns: 2, samples: 3, photometric: "RGB", allocated: 8, stored: 8, highBit: 7, planar: 1,
            pixels: [1, 2, 3, 4, 5, 6])
        let radiograph = try DecodeSupport.decode(image.bytes).radiograph
        #expect(radiograph.storedValues == [1, 3, 5, 2, 4, 6])
        #expect(radiograph.photometricInterpretation == .rgb)
    }

    @Test func `YBR_FULL becomes RGB`() throws {
        // Grey, and pure red after PS3.3 C.7.6.3.1.2: Y 76, Cb 85, Cr 255.
        let image = ExampleImage(
            rows: 1, columns: 2, samples: 3, photometric: "YBR_FULL", allocated: 8, stored: 8, highBit: 7, planar: 0,
            pixels: [100, 128, 128, 76, 85, 255])
        let values = try DecodeSupport.decode(image.bytes).radiograph.storedValues
        #expect(values.prefix(3) == [100, 100, 100])
        #expect(zip(values.suffix(3), [254, 0, 0]).allSatisfy { abs($0 - $1) <= 1 })
    }

    @Test func `YBR_FULL_422 is widened before it becomes RGB`() throws {
        let image = ExampleImage(
            rows: 1, columns: 2, samples: 3, photometric: "YBR_FULL_422", allocated: 8, stored: 8, highBit: 7, planar: 0,
            pixels: [50, 60, 128, 128])
        #expect(try DecodeSupport.decode(image.bytes).radiograph.storedValues == [50, 50, 50, 60, 60, 60])
    }

    @Test func `rescale, window and presentation shape are handed on, not applied`() throws {
        let more = ExampleImage.text(0x28, 0x1050, "DS", "40\\300") + ExampleImage.text(0x28, 0x1051, "DS", "400\\1500")
            + ExampleImage.text(0x28, 0x1052, "DS", "-1024") + ExampleImage.text(0x28, 0x1053, "DS", "2.5")
            + ExampleImage.text(0x28, 0x1056, "CS", "SIGMOID") + ExampleImage.text(0x2050, 0x20, "CS", "INVERSE")
        let image = ExampleImage(photometric: "MONOCHROME1", more: more, pixels: ExampleImage.words([0, 1, 2, 3, 4, 5]))
        let radiograph = try DecodeSupport.decode(image.bytes).radiograph
        #expect(radiograph.modalityTransform == .rescale(slope: 2.5, intercept: -1024))
        #expect(radiograph.voiTransform == .window(center: 40, width: 400, function: .sigmoid))
        #expect(radiograph.photometricInterpretation == .monochrome1)
        #expect(radiograph.presentationIsInverse)
        #expect(radiograph.storedValues == [0, 1, 2, 3, 4, 5])
    }

    @Test(arguments: [("0", "1"), ("x", "1"), ("1", "0"), ("1", "-5"), ("1e999", "1")])
    func `a transform that cannot be used is left out and noted`(_ slope: String, _ width: String) throws {
        let more = ExampleImage.text(0x28, 0x1050, "DS", "40") + ExampleImage.text(0x28, 0x1051, "DS", width)
            + ExampleImage.text(0x28, 0x1052, "DS", "0") + ExampleImage.text(0x28, 0x1053, "DS", slope)
        let image = ExampleImage(more: more, pixels: ExampleImage.words([0, 1, 2, 3, 4, 5]))
        let frame = try DecodeSupport.decode(image.bytes)
        if slope != "1" { #expect(frame.radiograph.modalityTransform == .identity) }
        if width != "1" { #expect(frame.radiograph.voiTransform == .none) }
        #expect(frame.notes.count { $0.contains("left out") } == (slope != "1" ? 1 : 0) + (width != "1" ? 1 : 0))
    }

    @Test func `a lookup table of packed bytes is unpacked, a cut one left out`() throws {
        func image(_ data: [UInt8]) -> ExampleImage {
            let item = ExampleImage.element(0x28, 0x3002, "US", ExampleImage.words([4, 10, 8]))
                + ExampleImage.element(0x28, 0x3006, "OW", data)
            let length = UInt32(item.count)
            let sequence = ExampleImage.words([0xFFFE, 0xE000]) + (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + item
            return ExampleImage(more: ExampleImage.element(0x28, 0x3000, "SQ", sequence), pixels: ExampleImage.words([0, 1, 2, 3, 4, 5]))
        }
        #expect(
            try DecodeSupport.decode(image([9, 8, 7, 6]).bytes).radiograph.modalityTransform
                == .lookupTable(.init(firstMapped: 10, bitsPerEntry: 8, values: [9, 8, 7, 6])))
        let cut = try DecodeSupport.decode(image([9, 8]).bytes)
        #expect(cut.radiograph.modalityTransform == .identity)
        #expect(cut.notes.contains { $0.contains("modality transform is unusable") })
    }

    @Test func `RLE is undone, and a short segment refused`() throws {
        func header(_ offsets: [UInt32]) -> [UInt8] {
            var words = [UInt32(offsets.count)] + offsets
            words += [UInt32](repeating: 0, count: 16 - words.count)
            return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        }
        // High bytes: a run of six 1s (257 - 6 = 251). Low bytes: six literals.
        var image = ExampleImage(transferSyntax: "1.2.840.10008.1.2.5", pixels: header([64, 66]) + [251, 1, 5, 0, 1, 2, 3, 4, 5, 0])
        #expect(try DecodeSupport.decode(image.bytes).radiograph.storedValues == [256, 257, 258, 259, 260, 261])
        for (pixels, code) in [
            (header([64, 66]) + [251, 1, 3, 0, 1, 2, 3, 0], "truncated-pixel-data"),
            (header([64, 66]) + [251, 1, 6, 0, 1, 2, 3, 4, 5, 6], "corrupt-codestream"),
            (header([64, 9000]) + [251, 1], "corrupt-codestream"),
            (header([64]) + [251, 1], "codestream-mismatch"),
            ([1, 0, 0, 0], "corrupt-codestream"),
        ] {
            image.pixels = pixels
            #expect { try DecodeSupport.decode(image.bytes) } throws: { ($0 as? DecodeError)?.reasonCode == code }
        }
    }
}
