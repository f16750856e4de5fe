import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// Bit for bit against NumPy, OpenCV, Pillow and torchvision.
@Suite struct PreprocessOracleTests {
    @Test(.enabled(if: Oracle.hasPython, Comment(rawValue: Oracle.needsPython)))
    func `synthetic films of odd sizes and depths come out as Pillow and torchvision make them`() throws {
        let folder = try ScratchFolder()
        try Oracle.run("preprocess_oracle.py", ["synthetic", folder.path])
        try compareAll(in: folder, atLeast: 20)
    }

    @Test(
        .enabled(if: Oracle.hasPython, Comment(rawValue: Oracle.needsPython)),
        .enabled(if: Oracle.hasCorpus, Comment(rawValue: Oracle.needsCorpus)))
    func `real chest films come out as Pillow and torchvision make them`() throws {
        let corpus = try #require(Oracle.corpus) + "/A_chest_xray"
        let names = try FileManager.default.subpathsOfDirectory(atPath: corpus).sorted()
        let dicom = names.filter { $0.hasSuffix(".dcm") }
        // All of them agree, too; one in six keeps the test quick.
        let pictures = names.filter { $0.hasSuffix(".jpg") || $0.hasSuffix(".png") }.enumerated().filter { $0.offset % 6 == 0 }.map(\.element)
        let folder = try ScratchFolder()
        try Oracle.run("preprocess_oracle.py", ["films", folder.path] + (dicom + pictures).map { "\(corpus)/\($0)" })
        try compareAll(in: folder, atLeast: 2 * dicom.count)
    }

    private func compareAll(in folder: ScratchFolder, atLeast: Int) throws {
        let count = try #require(Int(String(contentsOfFile: "\(folder.path)/count", encoding: .utf8)))
        #expect(count >= atLeast)
        for index in 0..<count { try compare("\(folder.path)/\(index)") }
    }

    private func compare(_ base: String) throws {
        let film = try JSONDecoder().decode(Film.self, from: Data(contentsOf: URL(fileURLWithPath: base + ".json")))
        let preprocessing = BundleManifest.Preprocessing(
            rendering: film.rendering, shorterSide: 512, encoderSide: 448, classifierSide: 488)
        let radiograph = try film.radiograph(values: read(base + ".values"))
        guard !film.constant else {
            #expect(throws: PreprocessError.noImageContent(reason: "every pixel has the same value")) {
                try ModelInput.make(from: radiograph, preprocessing: preprocessing)
            }
            return
        }
        let input = try ModelInput.make(from: radiograph, preprocessing: preprocessing)
        let rendered: [UInt8] = try read(base + ".rendered")
        #expect(input.rendered.pixels == rendered, "\(film.name): \(film.rendering) rendering differs")
        #expect(input.encoder == (try read(base + ".encoder") as [Float]), "\(film.name): the encoder's crop differs")
        #expect(input.classifier == (try read(base + ".classifier") as [Float]), "\(film.name): the classifier's crop differs")
    }

    private func read<Number: BitwiseCopyable>(_ path: String) throws -> [Number] {
        try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { Array($0.bindMemory(to: Number.self)) }
    }
}

/// One case of preprocess_oracle.py.
private struct Film: Decodable {
    struct Table: Decodable {
        var first: Int32
        var values: [UInt16]

        var lookupTable: Radiograph.LookupTable { .init(firstMapped: first, bitsPerEntry: 16, values: values) }
    }

    struct Window: Decodable {
        var center: Double
        var width: Double
        var function: String
    }

    var name: String
    var rows: Int
    var columns: Int
    var photometric: String
    var bits: Int
    var rendering: RenderingMode
    /// NumPy divides by zero here; we have a code for it.
    var constant: Bool
    var slope: Double?
    var intercept: Double?
    var inverse: Bool?
    var modality_lut: Table?
    var voi_lut: Table?
    var window: Window?

    func radiograph(values: [Int32]) throws -> Radiograph {
        let photometric = try #require(Radiograph.PhotometricInterpretation(rawValue: photometric))
        var voi = Radiograph.VOITransform.none
        if let voi_lut {
            voi = .lookupTable(voi_lut.lookupTable)
        } else if let window {
            voi = .window(center: window.center, width: window.width, function: try #require(.init(rawValue: window.function)))
        }
        return Radiograph(
            rows: rows, columns: columns, samplesPerPixel: photometric == .rgb ? 3 : 1, bitsStored: bits,
            photometricInterpretation: photometric, presentationIsInverse: inverse ?? false,
            modalityTransform: modality_lut.map { .lookupTable($0.lookupTable) } ?? .rescale(slope: slope ?? 1, intercept: intercept ?? 0),
            voiTransform: voi, storedValues: values)
    }
}
