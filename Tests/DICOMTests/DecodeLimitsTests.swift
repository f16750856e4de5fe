import DICOM
import Foundation
import ReportModel
import Testing

/// What the decoder refuses before it decodes, and what it may not do.
@Suite struct `Decoder limits` {
    @Test(arguments: [
        ("no rows", "invalid-dimensions"), ("too many columns", "invalid-dimensions"), ("two samples", "invalid-attribute"),
        ("32 bits", "unsupported-bit-depth"), ("stored above allocated", "invalid-attribute"),
        ("high bit above allocated", "invalid-attribute"), ("high bit below stored", "invalid-attribute"),
        ("representation 2", "invalid-attribute"), ("rows as SS", "invalid-attribute"), ("no photometric", "missing-attribute"),
        ("CMYK", "unsupported-photometric"), ("zero frames", "invalid-attribute"), ("frames 1A", "invalid-attribute"),
        ("short pixels", "truncated-pixel-data"), ("short second frame", "truncated-pixel-data"),
        ("unknown syntax", "unsupported-transfer-syntax"), ("JPEG of other size", "codestream-mismatch"),
        ("JPEG of 16 bits in 8", "codestream-mismatch"), ("no JPEG", "corrupt-codestream"), ("no JPEG 2000", "corrupt-codestream"),
        ("JPEG 2000 of other size", "codestream-mismatch"), ("JPEG 2000 with a billion tiles", "frame-too-large"),
    ])
    func `a wrong image is refused by name`(_ what: String, _ code: String) throws {
        var image = ExampleImage(pixels: ExampleImage.words([0, 1, 2, 3, 4, 5]))
        switch what {
        case "no rows": image.rows = 0
        case "too many columns": image.columns = 16385
        case "two samples": image.samples = 2
        case "32 bits": (image.allocated, image.stored, image.highBit) = (32, 32, 31)
        case "stored above allocated": (image.stored, image.highBit) = (17, 15)
        case "high bit above allocated": image.highBit = 16
        case "high bit below stored": image.highBit = 10
        case "representation 2": image.representation = 2
        case "rows as SS": image.rowsVR = "SS"
        case "no photometric": image.photometric = ""
        case "CMYK": image.photometric = "CMYK"
        case "zero frames": image.frames = "0"
        case "frames 1A": image.frames = "1A"
        case "short pixels": image.pixels.removeLast(2)
        case "short second frame": image.frames = "2"
        case "unknown syntax": image.transferSyntax = "1.2.840.10008.1.2.4.201"
        case "JPEG of other size": (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.70", Self.jpeg(rows: 60000, precision: 12))
        case "JPEG of 16 bits in 8":
            (image.allocated, image.stored, image.highBit) = (8, 8, 7)
            (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.70", Self.jpeg(rows: 2, precision: 16))
        case "no JPEG": (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.70", [0xFF, 0xD8, 0xFF, 0xDA])
        case "no JPEG 2000": (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.90", [0xFF, 0x4F, 0xFF, 0xD9])
        case "JPEG 2000 of other size":
            (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.90", Self.jpeg2000(columns: 4_000_000_000, tile: 4_000_000_000))
        default: (image.transferSyntax, image.pixels) = ("1.2.840.10008.1.2.4.90", Self.jpeg2000(columns: 4_000_000_000, tile: 1))
        }
        #expect { try DecodeSupport.decode(image.bytes) } throws: { ($0 as? DecodeError)?.reasonCode == code }
    }

    @Test func `the frame limit counts before memory is taken`() throws {
        var image = ExampleImage(rows: 16384, columns: 16384, pixels: [0, 0])
        let path = try DecodeSupport.write(image.bytes)
        defer { unlink(path) }
        #expect { try DecodeSupport.decode(image.bytes) } throws: { ($0 as? DecodeError)?.reasonCode == "truncated-pixel-data" }
        (image.samples, image.photometric) = (3, "RGB")
        #expect { try DecodeSupport.decode(image.bytes) } throws: { ($0 as? DecodeError)?.reasonCode == "frame-too-large" }
        let small = FrameDecoder(executable: DecodeSupport.executable, limits: DecodeLimits(frameBytes: 1 << 20))
        #expect { try small.decode(path: path) } throws: { ($0 as? DecodeError)?.reasonCode == "frame-too-large" }
        let narrow = FrameDecoder(executable: DecodeSupport.executable, limits: DecodeLimits(fileBytes: 100))
        #expect { try narrow.decode(path: path) } throws: { ($0 as? DecodeError)?.reasonCode == "file-too-large" }
    }

    @Test func `20 000 nested sequences cost one child`() throws {
        let open = ExampleImage.words([0x0008, 0x1140]) + Array("SQ".utf8) + [0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
            + ExampleImage.words([0xFFFE, 0xE000, 0xFFFF, 0xFFFF])
        let nested = ExampleImage(before: Array(repeatElement(open, count: 20_000).joined()), pixels: ExampleImage.words([0]))
        #expect(throws: DecodeError.self) { try DecodeSupport.decode(nested.bytes) }
        let fine = ExampleImage(pixels: ExampleImage.words([0, 1, 2, 3, 4, 5]))
        #expect(try DecodeSupport.decode(fine.bytes).radiograph.storedValues == [0, 1, 2, 3, 4, 5])
    }

    @Test func `a child that may have little memory says so, and nothing else happens`() throws {
        let path = try DecodeSupport.write(ExampleImage(rows: 4096, columns: 4096, pixels: [UInt8](repeating: 0, count: 1 << 25)).bytes)
        defer { unlink(path) }
        let poor = FrameDecoder(executable: DecodeSupport.executable, limits: DecodeLimits(addressSpaceBytes: 100 << 20))
        #expect { try poor.decode(path: path) } throws: {
            ["out-of-memory", "decoder-crashed", "decoder-failed", "unreadable-data-set"].contains(($0 as? DecodeError)?.reasonCode)
        }
    }

    @Test func `the sandbox denies the network, files, processes and signals`() throws {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: DecodeSupport.executable)
        tool.arguments = ["--probe", "0", "10", "0", "0"]
        let pipe = Pipe()
        tool.standardOutput = pipe
        try tool.run()
        let line = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        tool.waitUntilExit()
        #expect(tool.terminationStatus == 0, "\(line)")
        for call in ["seccomp=on", "socket=EPERM", "open=EPERM", "read=EPERM", "kill=EPERM", "exec=EPERM", "fork=EPERM"] {
            #expect(line.contains(call))
        }
    }

    /// SOI and SOF3, cut there.
    private static func jpeg(rows: UInt16, precision: UInt8) -> [UInt8] {
        [0xFF, 0xD8, 0xFF, 0xC3, 0, 11, precision, UInt8(rows >> 8), UInt8(rows & 0xFF), 0, 3, 1, 1, 0x11, 0]
    }

    /// SOC, SIZ and COD, cut there: 2 rows, one component of 12 bits.
    private static func jpeg2000(columns: UInt32, tile: UInt32) -> [UInt8] {
        func big(_ value: UInt32) -> [UInt8] { (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        let size = [0, 0] + big(columns) + big(2) + big(0) + big(0) + big(tile) + big(tile) + big(0) + big(0) + [0, 1, 11, 1, 1]
        return [0xFF, 0x4F, 0xFF, 0x51, 0, UInt8(size.count + 2)] + size + [0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 0, 4, 4, 0, 1]
    }
}
