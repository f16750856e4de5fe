import DICOM
import Foundation
import ReportModel
import Testing

/// The parent's side: it trusts the child no more than the file. Shell scripts play the child.
@Suite struct `A decoder child that misbehaves` {
    /// A frame of 1 x 2 pixels of 8 bits, as printf's escapes; `at` replaces little-endian words.
    private static func answer(_ changes: [Int: UInt32] = [:], pixels: String = "\\000\\001") -> String {
        // magic, version, rows, columns, samples, bytes, bits, photometric, flags, frames
        var words: [UInt32] = [0x4658_4452, 1, 1, 2, 1, 1, 8, 2, 0, 1]
        words += [0, 0x3FF0_0000, 0, 0, 0, 0, 0, 0]  // slope 1.0, intercept, center, width
        words += [0, 0, 0, 0, 0, 0, 0, 0, 2, 0]  // window, two LUTs, reserved, length
        for (index, value) in changes { words[index] = value }
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        let octal = bytes.map { byte in
            let digits = String(byte, radix: 8)
            return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
        return "printf '\(octal.joined())\(pixels)'"
    }

    @Test func `a well-formed answer is taken`() throws {
        let frame = try DecodeSupport.decode(with: Self.answer())
        #expect(frame.radiograph.storedValues == [0, 1])
        #expect(frame.notes == ["the decoder ran without a system-call filter"])
    }

    @Test func `an answer in many pieces is the same answer`() throws {
        let frame = try DecodeSupport.decode(
            with: Self.answer([5: 2, 6: 16, 26: 4], pixels: "\\001") + "; printf '\\002'; printf '\\003\\004'")
        #expect(frame.radiograph.storedValues == [0x0201, 0x0403])
    }

    @Test(arguments: [
        ("wrong magic", 0, 1), ("wrong version", 1, 2), ("no rows", 2, 0), ("too many rows", 2, 70000), ("two samples", 4, 2),
        ("three bytes a sample", 5, 3), ("no bits", 6, 0), ("more bits than the sample has", 6, 9), ("no photometric", 7, 9),
        ("no frame", 9, 0), ("slope not a number", 11, 0x7FF8_0000), ("unknown window", 18, 7), ("too many LUT entries", 19, 65537),
        ("other length", 26, 3), ("length above 4 GiB", 27, 1),
    ] as [(String, Int, UInt32)])
    func `a header that lies is refused`(_ what: String, _ index: Int, _ value: UInt32) {
        #expect { try DecodeSupport.decode(with: Self.answer([index: value])) } throws: {
            if case .malformedAnswer = $0 as? DecodeError { true } else { false }
        }
    }

    @Test func `a sample beyond its bits is refused`() {
        #expect { try DecodeSupport.decode(with: Self.answer([6: 7], pixels: "\\000\\200")) } throws: {
            ($0 as? DecodeError)?.reasonCode == "decoder-answer-malformed"
        }
    }

    @Test func `garbage, nothing, too little and too much are each named`() {
        expect("decoder-answer-malformed", "head -c 4096 /dev/urandom | tr '\\0' 'x'; true")
        expect("decoder-answer-malformed", "exit 0")
        expect("decoder-answer-malformed", Self.answer(pixels: "\\000"))
        expect("decoder-answer-oversized", Self.answer(pixels: "\\000\\001\\002"))
        expect("decoder-answer-oversized", Self.answer() + "; cat /dev/zero")
    }

    @Test func `a crash, a kill and a failure are each named`() {
        expect("decoder-crashed", "kill -SEGV $$")
        expect("decoder-crashed", Self.answer() + "; kill -ABRT $$")
        expect("decoder-killed", "kill -KILL $$")
        expect("decoder-failed", "echo something >&2; exit 3")
        expect("decoder-failed", Self.answer() + "; exit 1")
        expect("decoder-failed", "echo 'No code here' >&2; exit 10")
    }

    @Test func `a refusal's line is kept, printable and short`() {
        #expect { try DecodeSupport.decode(with: "printf 'a-code: some \\033text\\nsecond line\\n' >&2; exit 10") } throws: {
            $0 as? DecodeError == .refused(code: "a-code", text: "some text")
        }
        #expect { try DecodeSupport.decode(with: "printf 'a-code: ' >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 10") } throws: {
            if case .refused(code: "a-code", let text) = $0 as? DecodeError { text.count <= 255 } else { false }
        }
    }

    @Test(arguments: ["sleep 600", "sleep 600 & exec >&- 2>&-; wait", "trap '' TERM; while :; do :; done"])
    func `a hang ends at the wall clock, and no process is left`(_ script: String) throws {
        let mark = NSTemporaryDirectory() + "radialog-child-\(UUID().uuidString)"
        defer { unlink(mark) }
        #expect {
            try DecodeSupport.decode(with: "echo $$ > \(mark)\n" + script, limits: DecodeLimits(wallClock: .milliseconds(700)))
        } throws: {
            ($0 as? DecodeError)?.reasonCode == "decoder-timed-out"
        }
        let text = try String(contentsOfFile: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let process = try #require(pid_t(text))
        #expect(kill(process, 0) == -1)
        #expect(errno == ESRCH)
    }

    @Test func `the child sees three descriptors, one variable, and the file`() throws {
        let mark = NSTemporaryDirectory() + "radialog-child-\(UUID().uuidString)"
        defer { unlink(mark) }
        let leaked = open("/dev/null", O_RDONLY)  // not close-on-exec
        defer { close(leaked) }
        _ = try DecodeSupport.decode(with: "(ls /proc/$$/fd | tr '\\n' ' '; readlink /proc/$$/fd/0; /usr/bin/env) > \(mark)\n" + Self.answer())
        let seen = try String(contentsOfFile: mark, encoding: .utf8)
        #expect(seen.contains("/dev/null"))
        #expect(seen.contains("LC_ALL=C"))
        #expect(!seen.contains("HOME="))
        #expect(!seen.split(separator: " ").contains(Substring(String(leaked))))
    }

    @Test func `a missing program and a missing file are told apart`() {
        #expect { try FrameDecoder(executable: "/nonexistent/radialog-decode").decode(path: "/dev/null") } throws: {
            $0 as? DecodeError == .cannotStart(executable: "/nonexistent/radialog-decode", errno: ENOENT)
        }
        #expect { try DecodeSupport.decoder.decode(path: "/nonexistent/file") } throws: {
            $0 as? DecodeError == .unreadable(path: "/nonexistent/file", errno: ENOENT)
        }
        expect("not-a-file", FrameDecoder(executable: DecodeSupport.executable), "/dev/null")
    }

    private func expect(_ code: String, _ script: String) {
        #expect { try DecodeSupport.decode(with: script) } throws: { ($0 as? DecodeError)?.reasonCode == code }
    }

    private func expect(_ code: String, _ decoder: FrameDecoder, _ path: String) {
        #expect { try decoder.decode(path: path) } throws: { ($0 as? DecodeError)?.reasonCode == code }
    }
}
