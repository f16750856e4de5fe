import Foundation
import ReportModel

struct GoldReport {
    var number: Int
    var text: String
    var gold: Set<FindingLabel>
}

/// The report part of the corpus, `D_reports`.
enum ReportCorpus {
    static let root: String = (ProcessInfo.processInfo.environment["RADIALOG_CORPUS"]
        ?? URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../shared/corpus").standardizedFileURL.path(percentEncoded: false)) + "/D_reports"
    static var isThere: Bool { FileManager.default.fileExists(atPath: root + "/openi/openi_gold_labels_dev.csv") }

    /// The labels both schemes have, with the columns of the gold table that mean them.
    static let shared: [(label: FindingLabel, columns: [String])] = [
        (.noFinding, ["normal"]), (.cardiomegaly, ["Cardiomegaly"]), (.lungLesion, ["Mass", "Nodule"]), (.edema, ["Edema"]), (.consolidation, ["Consolidation"]),
        (.pneumonia, ["Pneumonia"]), (.atelectasis, ["Atelectasis"]), (.pneumothorax, ["Pneumothorax"]), (.pleuralEffusion, ["Effusion"]),
    ]

    struct Failure: Error { var text: String }

    /// Rows of a CSV file, quoted fields with line ends included.
    static func table(_ path: String) throws -> [[String]] {
        let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8).replacing("\r\n", with: "\n")
        var rows: [[String]] = [], row: [String] = [], field = "", isQuoted = false
        for character in text {
            switch character {
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                row.append(field)
                field = ""
            case "\n" where !isQuoted:
                rows.append(row + [field])
                (row, field) = ([], "")
            default: field.append(character)
            }
        }
        if !field.isEmpty || !row.isEmpty { rows.append(row + [field]) }
        return rows
    }

    /// Findings and impression of every report with gold labels.
    static func openI() throws -> [GoldReport] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "openi-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        tar.arguments = ["tar", "xzf", root + "/openi/openi_reports_dev.tgz", "-C", folder.path(percentEncoded: false)]
        try tar.run()
        tar.waitUntilExit()
        guard tar.terminationStatus == 0 else { throw Failure(text: "tar could not unpack the reports: status \(tar.terminationStatus)") }
        let rows = try table("openi/openi_gold_labels_dev.csv")
        guard let header = rows.first else { throw Failure(text: "the gold labels are empty") }
        return try rows.dropFirst().compactMap { row in
            guard let number = Int(row[0].dropFirst(3)) else { return nil }
            let xml = try String(contentsOf: folder.appending(path: "ecgen-radiology/\(number).xml"), encoding: .utf8)
            let columns = Set(zip(header, row).filter { $0.1 == "1" }.map(\.0))
            let gold = Set(shared.filter { !columns.isDisjoint(with: $0.columns) }.map(\.label))
            return GoldReport(number: number, text: "FINDINGS: \(section("FINDINGS", xml))\n\nIMPRESSION: \(section("IMPRESSION", xml))", gold: gold)
        }
    }

    private static func section(_ name: String, _ xml: String) -> String {
        guard let start = xml.range(of: "<AbstractText Label=\"\(name)\">"), let end = xml.range(of: "</AbstractText>", range: start.upperBound..<xml.endIndex) else { return "" }
        return String(xml[start.upperBound..<end.lowerBound]).replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"").replacing("&apos;", with: "'").replacing("&amp;", with: "&")
    }
}
