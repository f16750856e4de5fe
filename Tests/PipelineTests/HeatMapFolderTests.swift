import Foundation
import RaDialogPipeline
import ReportModel
import Testing

/// The files: their names, and that nobody's film or picture is lost.
struct HeatMapFolderTests {
    private func heatMaps(_ labels: FindingLabel...) throws -> [HeatMap] {
        let film = try MappedFilm(
            rendered: GrayImage(rows: 40, columns: 30, pixels: [UInt8](repeating: 77, count: 1200)),
            preprocessing: .init(rendering: .voi, shorterSide: 512, encoderSide: 448, classifierSide: 488), kind: .clinical)
        return labels.map { HeatMap(label: $0, score: 0.9, threshold: 0.5, map: .init(rows: 1, columns: 1, values: [1]), film: film) }
    }

    @Test func `each finding has a file named after film and label, and films of one name do not meet`() throws {
        let scratch = try ScratchFolder()
        var folder = try HeatMapFolder(path: scratch.path + "/new/deep")
        let first = try folder.write(heatMaps(.pleuralEffusion, .edema), ofFile: "/a/film.dcm")
        let second = try folder.write(heatMaps(.edema), ofFile: "/b/film.DCM")
        let none = try folder.write([], ofFile: "/c/film")
        let fourth = try folder.write(heatMaps(.edema), ofFile: "film-2.dcm")
        #expect(first == ["film-pleural-effusion", "film-edema"].map { "\(scratch.path)/new/deep/\($0).png" })
        #expect(second == ["\(scratch.path)/new/deep/film-2-edema.png"])
        #expect(none.isEmpty)
        #expect(fourth == ["\(scratch.path)/new/deep/film-2-2-edema.png"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
            "film-2-2-edema.png", "film-2-edema.png", "film-edema.png", "film-pleural-effusion.png",
        ])
    }

    @Test(arguments: [
        ("1.2.840.113619.2", "1.2.840.113619.2"), ("a/b/.dcm", "film"), ("IMG.ima", "IMG"), ("two\nlines.dcm", "two_lines"),
        ("röntgen.dicom", "röntgen"), (String(repeating: "ü", count: 120) + ".dcm", String(repeating: "ü", count: 90)),
    ])
    func `a stem is the film's name without an ending that only says DICOM`(_ file: String, _ stem: String) throws {
        let scratch = try ScratchFolder()
        var folder = try HeatMapFolder(path: scratch.path)
        #expect(folder.freeStem(for: file) == stem)
    }

    @Test func `a second run replaces its pictures, leaves everything else, and gives files the usual mode`() throws {
        let scratch = try ScratchFolder()
        try scratch.write(Array("somebody's notes".utf8), as: "notes.txt")
        try scratch.write(Array("old".utf8), as: "film-edema.png")
        var folder = try HeatMapFolder(path: scratch.path)
        let map = try heatMaps(.edema)
        let path = try #require(try folder.write(map, ofFile: "film.dcm").first)
        #expect([UInt8](try Data(contentsOf: URL(filePath: path))) == (try map[0].picture().png()))
        #expect(try String(contentsOfFile: scratch.path + "/notes.txt", encoding: .utf8) == "somebody's notes")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).count == 2)
        // As any other program's file: 0666 less the umask.
        let usual = open(scratch.path + "/usual", O_WRONLY | O_CREAT, 0o666)
        defer { close(usual) }
        var (ours, theirs) = (stat(), stat())
        #expect(stat(path, &ours) == 0 && fstat(usual, &theirs) == 0)
        #expect(ours.st_mode == theirs.st_mode)
    }

    @Test func `what cannot be written is named, and no half of it stays`() throws {
        let scratch = try ScratchFolder()
        try scratch.write([1], as: "file")
        #expect { try HeatMapFolder(path: scratch.path + "/file") } throws: { "\($0)".contains("\(scratch.path)/file") }
        #expect { try HeatMapFolder(path: scratch.path + "/file/below") } throws: { "\($0)".contains("making the folder") }
        // A folder stands where the picture should.
        try FileManager.default.createDirectory(atPath: scratch.path + "/film-edema.png", withIntermediateDirectories: false)
        var folder = try HeatMapFolder(path: scratch.path)
        #expect { try folder.write(heatMaps(.edema), ofFile: "film.dcm") } throws: { "\($0)".contains("film-edema.png: Is a directory") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted() == ["file", "film-edema.png"])
    }
}
