import Crypto
import DICOM
import Foundation
import ReportModel
import Testing

/// Real files of the corpus. `pixel_sha256` of its index is an oracle: SHA-256, first 16 digits, over the stored values
/// as pydicom returns them (or dcmdjpeg, dcmdjpls where pydicom has no decoder).
@Suite(.enabled(if: DecodeCorpus.isThere, "the corpus is not there: set RADIALOG_CORPUS or put it at ../shared/corpus"))
struct `Decoding the corpus` {
    @Test func `every file with a known hash decodes to exactly those values`() throws {
        let decoder = DecodeSupport.decoder
        var decoded = 0
        for entry in try DecodeCorpus.entries() where entry.isDecodedHere && !entry.isFuzz {
            guard let frame = record(entry.path, { try decoder.decodeFrame(path: entry.file) }) else { continue }
            #expect(frame.radiograph.storedValuesSHA256(bytesPerSample: entry.bytesPerSample) == entry.pixelSHA256, "\(entry.path)")
            decoded += 1
        }
        #expect(decoded >= 35)
    }

    /// The result, or an issue that names the file.
    private func record(_ path: String, _ decode: () throws -> DecodedFrame) -> DecodedFrame? {
        do {
            return try decode()
        } catch {
            Issue.record("\(path): \(error)")
            return nil
        }
    }

    /// 17 transfer syntaxes and their oddities: one file for each, by what its name says.
    @Test(arguments: [
        "RG2_J2KI", "RG2_J2KR", "RG2_JLSL", "RG2_JLSN", "RG2_JPLL", "RG2_JPLY", "RG2_RLE", "RG3_UNC",
        "BigEndianExplicit", "DeflatedExplicit", "JPEGProcess10_12", "JPEGProcess6_8", "JPEGProcess14", "JPEGProcess1Transfer",
        "JPEG-LS-NearLossless", "color-pl", "CT1_RLE_FRAGS",
    ])
    func `the corpus has this kind`(_ name: String) throws {
        #expect(try DecodeCorpus.entries().contains { $0.path.contains(name) && $0.isDecodedHere })
    }

    @Test(arguments: [
        ("TestPattern_Palette_16", "unsupported-photometric"), ("HTJ2KLossless_08_RGB", "unsupported-transfer-syntax"),
        ("report_dfl", "no-pixel-data"), ("dwv-test_no-number-rows", "missing-attribute"),
        ("MR_truncated", "unreadable-data-set"), ("badVR", "unsupported-bit-depth"), ("deflate_corrupt", "unreadable-data-set"),
    ])
    func `what cannot be decoded is refused with its reason`(_ name: String, _ code: String) throws {
        let entry = try #require(try DecodeCorpus.entries().first { $0.path.contains(name) })
        #expect { try DecodeSupport.decoder.decode(path: entry.file) } throws: { ($0 as? DecodeError)?.reasonCode == code }
    }

    @Test func `a multi-frame object gives its first frame and says so`() throws {
        let entry = try #require(try DecodeCorpus.entries().first { $0.path.contains("SC_rgb_rle_16bit_2frame") })
        let frame = try DecodeSupport.decoder.decodeFrame(path: entry.file)
        #expect(frame.numberOfFrames == 2)
        #expect(frame.notes.contains("frame 1 of 2 was decoded"))
        // Of the first frame alone, from pydicom's pixel_array[0].
        #expect(frame.radiograph.storedValuesSHA256(bytesPerSample: 2) == "36de0258708d3af7")
    }

    @Test func `modality and VOI lookup tables are read with the sign that they have`() throws {
        let entries = try DecodeCorpus.entries()
        let modality = try #require(entries.first { $0.path.contains("mlut_18") })
        guard case .lookupTable(let table) = try DecodeSupport.decoder.decode(path: modality.file).modalityTransform else {
            Issue.record("no modality LUT")
            return
        }
        #expect(table.firstMapped == -2048)
        #expect(table.values.count == 4096)
        let voi = try #require(entries.first { $0.path.contains("vlut_04") })
        guard case .lookupTable(let curve) = try DecodeSupport.decoder.decode(path: voi.file).voiTransform else {
            Issue.record("no VOI LUT")
            return
        }
        #expect(curve.values.count == 256)
        #expect(curve.bitsPerEntry == 16)
    }

    @Test func `every file of the fuzzing corpus ends in the right frame or a coded refusal`() throws {
        var ended = 0
        for entry in try DecodeCorpus.entries() where entry.isFuzz {
            do throws(DecodeError) {
                let radiograph = try DecodeSupport.decoder.decode(path: entry.file)
                #expect(radiograph.storedValuesSHA256(bytesPerSample: entry.bytesPerSample) == entry.pixelSHA256, "\(entry.path)")
            } catch {
                guard case .refused = error else {
                    Issue.record("\(entry.path): \(error)")
                    continue
                }
            }
            ended += 1
        }
        #expect(ended >= 80)
    }

    @Test(arguments: ["CT1_RLE_FRAGS", "RG2_J2KR", "RG2_JLSL", "RG2_JPLL", "JPEGProcess1Transfer", "DeflatedExplicit"])
    func `a cut file is refused, wherever it is cut`(_ name: String) throws {
        let entry = try #require(try DecodeCorpus.entries().first { $0.path.contains(name) })
        let bytes = try Data(contentsOf: URL(fileURLWithPath: entry.file))
        for part in 1..<8 {
            let path = try DecodeSupport.write([UInt8](bytes.prefix(bytes.count * part / 8)))
            defer { unlink(path) }
            #expect(throws: DecodeError.self, "cut at \(part)/8") { try DecodeSupport.decoder.decode(path: path) }
        }
    }
}

enum DecodeCorpus {
    struct Entry {
        var path: String
        var bytesPerSample: Int
        var pixelSHA256: String
        var file: String { DecodeCorpus.folder + "/" + path }
        var isFuzz: Bool { path.contains("/fuzz/") }
        /// Not: a bare codestream, HTJ2K and palettes (refused), two frames (a test of its own), damaged structure that
        /// DCMTK refuses where pydicom reads on.
        var isDecodedHere: Bool {
            !pixelSHA256.isEmpty && !["codestreams", "HTJ2K", "Palette", "2frame", "TC0279", "TC0357", "TC0361", "TC0363"].contains { path.contains($0) }
        }
    }

    static let folder: String = {
        if let folder = ProcessInfo.processInfo.environment["RADIALOG_CORPUS"] { return folder }
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return root.deletingLastPathComponent().path + "/shared/corpus"
    }()

    static let isThere = FileManager.default.fileExists(atPath: folder + "/INDEX.tsv")

    static func entries() throws -> [Entry] {
        let lines = try String(contentsOfFile: folder + "/INDEX.tsv", encoding: .utf8).split(separator: "\n")
        let names = lines[0].split(separator: "\t", omittingEmptySubsequences: false)
        return lines.dropFirst().compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            func field(_ name: String) -> String { names.firstIndex { $0 == name }.map { String(fields[$0]) } ?? "" }
            guard field("kind") == "DICOM" else { return nil }
            return Entry(
                path: field("path"), bytesPerSample: field("alloc/stored/high/signed").hasPrefix("8/") ? 1 : 2,
                pixelSHA256: field("pixel_sha256"))
        }
    }
}

extension Radiograph {
    /// As the corpus' index has it: little-endian cells, first 16 hex digits.
    func storedValuesSHA256(bytesPerSample: Int) -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: storedValues.count * bytesPerSample) { bytes, count in
            // Of each little-endian Int32 its first bytes; pointers, because a debug build walks millions of them.
            storedValues.withUnsafeBytes { samples in
                guard let source = samples.baseAddress, let target = bytes.baseAddress else { return }
                var index = 0
                while index < storedValues.count {
                    memcpy(target + index * bytesPerSample, source + index * 4, bytesPerSample)
                    index += 1
                }
            }
            count = bytes.count
        }
        return SHA256.hash(data: bytes).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
