import RaDialogPipeline
import ReportModel
import Testing

/// Known results, written by `python/preprocess_oracle.py goldens` (OpenCV 4, Pillow 13, torchvision 0.29): no Python needed.
@Suite struct PreprocessGoldenTests {
    struct Golden: Sendable {
        var rows: Int, columns: Int, bits: Int, isMonochrome1: Bool, seed: UInt64
        var rendered: String, encoder: String, classifier: String
    }

    static let goldens = [
        Golden(
            rows: 640, columns: 523, bits: 12, isMonochrome1: false, seed: 0,
            rendered: "3303897abaa8adf3aa726062eb2cf4b97524699854649a6e8881b93ea07e0d3a",
            encoder: "e3517176512b3ef315dc2dfd68301c2c3120ce9643ba3a6c05a6b811c5c49331",
            classifier: "abddb7ab53948d6bd083761db58a688cacdc728d561f7af6ec4666505b468212"),
        Golden(
            rows: 300, columns: 401, bits: 8, isMonochrome1: true, seed: 1,
            rendered: "961a0c677f2560b27b5e872bb4ef41a5620043d714744a62ec7eae419d2da804",
            encoder: "9586ae23b8aca75dd230444375e9a16800c6414c8f9da2bafc76d3e6dda4a437",
            classifier: "fab7885ca1d8a11f4fd9368764c177ec28562916e5d8da907b36fbc3ed9478e9"),
        Golden(
            rows: 1111, columns: 777, bits: 14, isMonochrome1: false, seed: 2,
            rendered: "a3da00274bcc4e68e20989d7c331732998079a432e576742185c64bcbd3d45c4",
            encoder: "a29696f29d9c8cb7308c1001b44c926bbc80513303810c37bdcc235b6edd0ce6",
            classifier: "3c2d27d77a60cac24096f1c4413da1352e360f57fabc2003002b0128d62ffbad"),
        Golden(
            rows: 512, columns: 512, bits: 10, isMonochrome1: true, seed: 3,
            rendered: "0d966e2af898c1b6a5c9c05e4f08451a04ea4886e36b05f5f0281fceaf7684b2",
            encoder: "35d01c0f0221a7d075c47a33b73a3ab10124cf345f9a1c11de9fd39b0e83fd6b",
            classifier: "a21cbdcdeb2d8a2ee6e9a8996393fbc3b3f7a971822ded73ab6a022d91c879c1"),
    ]

    @Test(arguments: goldens)
    func `a film is rendered and cropped as the training images were`(golden: Golden) throws {
        let radiograph = Radiograph.gray(
            rows: golden.rows, columns: golden.columns, bits: golden.bits,
            values: pattern(rows: golden.rows, columns: golden.columns, bits: golden.bits, seed: golden.seed),
            photometric: golden.isMonochrome1 ? .monochrome1 : .monochrome2)
        let input = try ModelInput.make(from: radiograph, preprocessing: .published)
        #expect(input.renderedSHA256 == golden.rendered)
        #expect(sha256(input.encoder) == golden.encoder)
        #expect(sha256(input.classifier) == golden.classifier)
    }

    @Test func `a picture that JPEG cannot make small comes back as Pillow decodes it`() throws {
        // 412252 bytes of stream: more than the buffer the shim starts with.
        let image = GrayImage(rows: 640, columns: 640, pixels: (0..<640 * 640).map { noise($0, seed: 1) })
        #expect(try image.throughJPEG(quality: 95).sha256 == "2698f5233bb3cb36963a3c8cc96a247213c925b41c69753c37445fea51ec0cb2")
    }

    /// 7 rows of 11.
    static let small: [[UInt8]] = [
        [17, 30, 25, 7, 43, 53, 41, 38, 53, 36, 61], [61, 47, 40, 31, 45, 70, 29, 41, 34, 11, 45],
        [83, 102, 51, 101, 48, 39, 44, 59, 57, 65, 66], [122, 96, 123, 79, 74, 63, 45, 63, 68, 48, 13],
        [132, 102, 108, 88, 70, 70, 103, 53, 55, 36, 52], [193, 150, 171, 150, 106, 91, 98, 106, 50, 52, 56],
        [180, 159, 196, 175, 148, 108, 125, 78, 89, 42, 52],
    ]

    static let resized: [[[UInt8]]] = [
        [[47, 44, 44, 43], [103, 77, 61, 49], [158, 127, 91, 56]],
        [
            [24, 22, 45, 43, 49], [51, 38, 51, 34, 28], [85, 75, 46, 56, 64], [111, 92, 62, 59, 38], [115, 91, 78, 63, 46],
            [170, 147, 99, 84, 53], [174, 174, 123, 88, 55],
        ],
        [
            [17, 30, 25, 7, 43, 53, 41, 38, 53, 36, 61], [46, 41, 35, 23, 44, 64, 33, 40, 40, 19, 50],
            [71, 71, 45, 62, 46, 56, 36, 49, 44, 35, 54], [92, 101, 67, 96, 54, 44, 44, 60, 59, 61, 54],
            [122, 96, 123, 79, 74, 63, 45, 63, 68, 48, 13], [130, 101, 111, 86, 71, 68, 90, 55, 58, 39, 43],
            [166, 129, 143, 122, 90, 82, 100, 82, 52, 45, 54], [189, 153, 179, 158, 120, 97, 107, 97, 63, 49, 55],
            [180, 159, 196, 175, 148, 108, 125, 78, 89, 42, 52],
        ],
    ]

    @Test(arguments: resized)
    func `a small picture is resized as Pillow does it`(expected: [[UInt8]]) throws {
        let image = GrayImage(rows: 7, columns: 11, pixels: Self.small.flatMap { $0 })
        let result = try image.resized(rows: expected.count, columns: expected[0].count)
        #expect(result.pixels == expected.flatMap { $0 })
    }
}
