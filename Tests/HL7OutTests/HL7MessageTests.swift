import HL7Out
import Testing

struct HL7MessageTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: ["\r", "\n", "\r\n"])
    func `segments end with CR, LF or both`(end: String) throws {
        let message = try HL7Message(bytes("MSH|^~\\&|A^B|C\(end)MSA|AA|M1|t\\F\\x\(end)"))
        #expect(message.segments.map(\.name) == ["MSH", "MSA"])
        #expect(message.text("MSH", 3, component: 2) == "B" && message.text("MSH", 1) == "|")
        #expect(message.text("MSA", 3) == "t|x" && message.text("MSA", 9) == "" && message.text("ERR", 1) == "")
        #expect(message.text("MSH", 3, component: 0) == "" && message.text("MSH", 3, component: 3) == "")
    }

    @Test func `other delimiters are read where they are told`() throws {
        let message = try HL7Message(bytes("MSH$%*@!$A%B*C$D\rMSA$AA$M@S@1\r"))
        #expect(message.text("MSH", 3, component: 2) == "B" && message.text("MSA", 2) == "M%1")
    }

    @Test(arguments: [
        "", "MSH", "MSH|", "MSH|^~\\", "MSH|||||", "MSHabcde", "MSH|^~\\^|A", "MSH 12345", " MSH|^~\\&|", "MSA|AA|1", "MSH|^~\\&|A\rmsa|AA", "MSH|^~\\&|A\rMSAX|AA",
        "MSH|^~\\&|A\r\u{0}SA|AA", "MSH|^~\\\u{7F}|A", "MSH|é~\\&|A",
    ])
    func `what is no message is refused`(text: String) {
        #expect(throws: HL7Error.self) { try HL7Message(bytes(text)) }
    }

    @Test func `limits are kept`() throws {
        let limits = HL7Message.Limits(bytes: 40, segments: 2, fieldsPerSegment: 5)
        #expect(throws: Never.self) { try HL7Message(bytes("MSH|^~\\&|A|B|C\rMSA|AA\r"), limits: limits) }
        #expect(throws: HL7Error.self) { try HL7Message(bytes("MSH|^~\\&|A|B|C|D|E\r"), limits: limits) }
        #expect(throws: HL7Error.self) { try HL7Message(bytes("MSH|^~\\&\rMSA\rERR\r"), limits: limits) }
        #expect(throws: HL7Error.self) { try HL7Message(bytes("MSH|^~\\&|" + String(repeating: "x", count: 40)), limits: limits) }
    }

    @Test func `bytes that are not UTF-8 are read as ISO 8859-1`() throws {
        let message = try HL7Message(bytes("MSH|^~\\&|M") + [0xFC] + bytes("ller\r"))
        #expect(message.text("MSH", 3) == "Müller")
    }

    @Test func `the receiver's words come from MSA-3 and ERR, on one line and not without end`() throws {
        let old = try Acknowledgement(bytes("MSH|^~\\&\rMSA|AE|M1|bad\\.br\\field\rERR|PID^1^5^102&Data type error\r"))
        #expect(old.text.hasPrefix("bad field; ") && old.text.contains("102"))
        let new = try Acknowledgement(bytes("MSH|^~\\&\rMSA|AE|M1\rERR||OBX^1|101^Required field missing^HL70357|E||||OBX-5 is missing\r"))
        #expect(new.text == "OBX-5 is missing; Required field missing; 101")
        let long = try Acknowledgement(bytes("MSH|^~\\&\rMSA|AR|M1|" + String(repeating: "x", count: 5000)))
        #expect(long.text.count == 500)
    }

    @Test func `an acknowledgement that is cut or damaged anywhere never becomes another's`() {
        let whole = bytes("MSH|^~\\&|RIS|H|R||20260320||ACK^R01^ACK|A7|P|2.5.1|||AL|NE\rMSA|AA|MESSAGE1|ok\rERR||^^|0^x^HL70357|I\r")
        for count in whole.indices {
            if let answer = try? Acknowledgement(Array(whole.prefix(count))) { #expect("MESSAGE1".hasPrefix(answer.controlID)) }
        }
        var generator = SplitMix64(state: 7)
        for _ in 0..<5000 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                damaged[Int.random(in: damaged.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? Acknowledgement(damaged)
        }
    }

    @Test func `a frame may come in any pieces`() throws {
        let frames = [0x0A] + MLLPFramer.framed(bytes("one")) + [0x0D] + MLLPFramer.framed([]) + MLLPFramer.framed(bytes("three"))
        for first in 0...frames.count {
            for second in first...frames.count {
                var framer = MLLPFramer(limit: 5)
                for piece in [frames[..<first], frames[first..<second], frames[second...]] { try framer.receive(Array(piece)) }
                #expect(framer.next() == bytes("one") && framer.next() == [] && !framer.isIdle && framer.next() == bytes("three") && framer.next() == nil)
                #expect(framer.isIdle)
            }
        }
    }

    @Test func `a frame that is too long or not one is refused`() {
        func error(_ bytes: [UInt8]) -> MLLPFramer.FramingError? {
            var framer = MLLPFramer(limit: 3)
            do throws(MLLPFramer.FramingError) {
                try framer.receive(bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(error([0x0B, 1, 2, 3, 0x1C, 0x0D]) == nil)
        #expect(error([0x0B, 1, 2, 3, 4]) == .tooLong(limit: 3))
        for bytes in [[1], [0x0B, 0x0B], [0x0B, 0x1C, 0x0A], [0x1C], [0x0B, 1, 0x1C, 0x0D, 1]] as [[UInt8]] { #expect(error(bytes) == .garbage) }
    }
}
