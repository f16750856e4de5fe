import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// Maps of every label, and the way from the classifier's grid back to the film.
struct HeatMapGeometryTests {
    private static let folder = Golden.root.appending(path: "fixtures/activation-maps").path
    private static let published = BundleManifest.Preprocessing(rendering: .voi, shorterSide: 512, encoderSide: 448, classifierSide: 488)

    private func fullSize(_ map: ActivationMap, rows: Int, columns: Int, _ preprocessing: BundleManifest.Preprocessing) throws -> FilmMap {
        let film = try MappedFilm(
            rendered: GrayImage(rows: rows, columns: columns, pixels: [UInt8](repeating: 9, count: rows * columns)),
            preprocessing: preprocessing, kind: .demo)
        return HeatMap(label: .edema, score: 0.9, threshold: 0.5, map: map, film: film).fullSize()
    }

    @Test(
        .enabled(if: !Golden.all.isEmpty, Comment(rawValue: Golden.absence)),
        arguments: ["chest-pa", "chest-ap-edema-j2k"])
    func `the map of every label agrees with PyTorch's autograd`(_ film: String) throws {
        let golden = try #require(Golden.all.first { $0.stem.lastPathComponent == film })
        let (bundle, pool) = (try ModelBundle.open(golden.bundleDirectory), try KernelPool(threads: 1))
        let vision = try #require(bundle.manifest.vision)
        let side = vision.preprocessing.classifierSide
        let classifier = try Classifier(bundle.weights(vision.classifier.encoder.weights), side: side, vision.classifier)
        let plane = try #require(try golden.tensors()["classifier_crop"]).values.map { $0 / 255 }
        let findings = try classifier(pool, plane: plane, side: side, maps: .all).findings
        #expect(findings.count == 14)

        let reference = try FloatTensor(#require(Safetensors(path: "\(Self.folder)/\(film).safetensors").find("maps")))
        let area = try #require(findings.first?.activationMap).values.count
        #expect(reference.array.count == 14 * area)
        for (label, finding) in findings.enumerated() {
            let raw = reference.array[label * area..<(label + 1) * area]
            let largest = raw.max() ?? 0
            let scaled = raw.map { largest > 0 ? max(0, $0) / largest : 0 }
            let map = try #require(finding.activationMap)
            let worst = zip(map.values, scaled).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(worst < 1e-4, "\(finding.label)")
        }
        // Without being asked for, only positive labels have one.
        let usual = try classifier(pool, plane: plane, side: side).findings
        #expect(usual.map { $0.activationMap != nil } == usual.map(\.isPositive))
        #expect(usual.contains { !$0.isPositive })
    }

    @Test(arguments: ["512x512", "636x764", "1101x877", "97x64", "211x169", "60x40"])
    func `a map at the film's size agrees with PyTorch's grid_sample, and has nothing outside the crop`(_ name: String) throws {
        let file = try Safetensors(path: "\(Self.folder)/geometry.safetensors")
        let shape = try FloatTensor(#require(file.find(name + ".shape"))).array.map { Int($0) }
        let cells = try #require(file.find(name + ".map"))
        let map = ActivationMap(rows: cells.shape[0], columns: cells.shape[1], values: try FloatTensor(cells).array)
        let expected = try #require(file.find(name + ".film"))
        let values = try FloatTensor(expected).array
        let found = try fullSize(
            map, rows: shape[0], columns: shape[1],
            .init(rendering: .voi, shorterSide: shape[2], encoderSide: shape[3], classifierSide: shape[3]))
        #expect(found.rows == shape[0] && found.columns == shape[1])
        var worst: Float = 0
        for row in 0..<expected.shape[0] {
            for column in 0..<expected.shape[1] {
                let (ours, theirs) = (found.values[row * shape[4] * found.columns + column * shape[4]], values[row * expected.shape[1] + column])
                #expect(ours.isNaN == theirs.isNaN)
                if !ours.isNaN { worst = max(worst, abs(ours - theirs)) }
            }
        }
        print("heat map \(name): largest difference \(worst)")
        #expect(worst < 1e-4)
    }

    @Test func `one lit cell lies where resizing and cropping put it`() throws {
        // 1024 x 2048 is halved to 512 x 1024; the crop begins 12 pixels below and 268 right of its corner. The middle of cell (4, 10)
        // is (4.5, 10.5) x 30.5 in the crop, so (149.25, 588.25) in the halved picture and (298.5, 1176.5) on the film.
        var values = [Float](repeating: 0, count: 256)
        values[4 * 16 + 10] = 1
        let map = try fullSize(.init(rows: 16, columns: 16, values: values), rows: 1024, columns: 2048, Self.published)
        #expect(map.mappedRows == 24..<1000)
        #expect(map.mappedColumns == 536..<1512)
        #expect(map.values[298 * 2048 + 1176] == 1)
        #expect(map.values.count { $0 == 1 } == 1)
        let lit = map.values.indices.filter { map.values[$0] > 0 }
        // Bilinear: it fades out to the next cells' centres, 61 film pixels away.
        #expect(lit.allSatisfy { abs($0 / 2048 - 298) < 61 && abs($0 % 2048 - 1176) < 61 })
        #expect(map.values[(298 + 60) * 2048 + 1176] > 0)
        for outside in [23 * 2048 + 1000, 1000 * 2048 + 1000, 500 * 2048 + 535, 500 * 2048 + 1512] {
            #expect(map.values[outside].isNaN)
        }
    }

    @Test(arguments: [(900, 640), (640, 1111), (300, 301)])
    func `what is at one place on the film and in the classifier's crop comes back to that place`(_ rows: Int, _ columns: Int) throws {
        // A bright square through the real preprocessing; the crop's pixels stand for the cells.
        let (top, left, size) = (rows / 2 + 37, columns / 2 - 71, 24)
        var pixels = [UInt8](repeating: 0, count: rows * columns)
        for row in top..<top + size { for column in left..<left + size { pixels[row * columns + column] = 255 } }
        let crop = try GrayImage(rows: rows, columns: columns, pixels: pixels).resized(shorterSide: 512).centerCrop(side: 488)
        let map = try fullSize(.init(rows: 488, columns: 488, values: crop.unitFloats()), rows: rows, columns: columns, Self.published)
        var (sum, down, across) = (0.0, 0.0, 0.0)
        for (index, value) in map.values.enumerated() where value > 0 {
            sum += Double(value)
            down += Double(value) * (Double(index / columns) + 0.5)
            across += Double(value) * (Double(index % columns) + 0.5)
        }
        #expect(abs(down / sum - Double(top + size / 2)) < 0.1)
        #expect(abs(across / sum - Double(left + size / 2)) < 0.1)
        // Its area, too.
        #expect(abs(sum / Double(size * size) - 1) < 0.02)
    }
}
