import ReportModel
import Dispatch
import HL7Out
import Synchronization
import Testing

/// Against a real server on loopback. Time-outs are short where one is waited for, and long where none must come.
struct MLLPSenderTests {
    private func message(_ controlID: String) -> [UInt8] { Array("MSH|^~\\&|RADIALOGD||||20260320||ORU^R01|\(controlID)|P|2.5.1\rPID|1\r".utf8) }

    private func sender(_ receiver: ScriptedReceiver, ackTimeout: Duration = .seconds(30), _ mode: ORUProfile.Acknowledgement = .original) -> MLLPSender {
        MLLPSender(host: "127.0.0.1", port: receiver.port, connectTimeout: .seconds(10), ackTimeout: ackTimeout, acknowledgement: mode)
    }

    @Test func `AA for our control ID is delivered, and the connection is kept`() {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("AA", $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        for id in ["M1", "M2", "M3"] { #expect(sender.send(message(id), controlID: id) == .delivered(code: "AA")) }
        #expect(receiver.messages == ["M1", "M2", "M3"].map(message))
        #expect(receiver.connections == 1)
        sender.close()
        #expect(sender.send(message("M4"), controlID: "M4") == .delivered(code: "AA"))
        #expect(receiver.connections == 2)
    }

    @Test(arguments: [
        ("AE", DeliveryOutcome.contentError("AE: PV1 is missing")), ("CE", .contentError("CE: PV1 is missing")), ("AR", .receiverBusy("AR: PV1 is missing")),
        ("CR", .receiverBusy("CR: PV1 is missing")), ("CA", .delivered(code: "CA")),
    ])
    func `what the codes of MSA-1 mean`(code: String, outcome: DeliveryOutcome) {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement(code, $1, text: "PV1 is missing"))] }
        defer { receiver.stop() }
        #expect(sender(receiver).send(message("M1"), controlID: "M1") == outcome)
    }

    @Test func `each outcome knows its consequence`() {
        #expect(DeliveryOutcome.delivered(code: "AA").consequence == .done)
        #expect(DeliveryOutcome.contentError("").consequence == .retryFewTimes)
        #expect(DeliveryOutcome.receiverBusy("").consequence == .retryWithBackOff)
    }

    @Test(arguments: ["M2", "", "m1", "M1 "])
    func `an acknowledgement of another message is none, and its connection is not used again`(other: String) {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("AA", $0 == 1 ? other : $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        guard case .receiverBusy(let text) = sender.send(message("M1"), controlID: "M1") else { return #expect(Bool(false), "delivered") }
        #expect(text.contains("for another message"))
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(receiver.connections == 2)
    }

    @Test func `silence is not delivered, and the connection is not used again`() {
        let receiver = ScriptedReceiver { $0 == 1 ? [] : [.send(Answer.acknowledgement("AA", $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver, ackTimeout: .milliseconds(200))
        guard case .receiverBusy(let text) = sender.send(message("M1"), controlID: "M1") else { return #expect(Bool(false), "delivered") }
        #expect(text.contains("no acknowledgement in time"))
        // On a busy machine the answer itself may come too late: only the connection is compared.
        _ = sender.send(message("M2"), controlID: "M2")
        #expect(receiver.connections == 2)
    }

    @Test func `a late acknowledgement is never credited to the next message`() {
        // Nothing for the first; what comes on the next message's connection is the first one's.
        let receiver = ScriptedReceiver { number, _ in number == 1 ? [] : [.send(Answer.acknowledgement("AA", "M1"))] }
        defer { receiver.stop() }
        let sender = sender(receiver, ackTimeout: .milliseconds(200))
        #expect(sender.send(message("M1"), controlID: "M1").consequence == .retryWithBackOff)
        #expect(sender.send(message("M2"), controlID: "M2").consequence == .retryWithBackOff)
    }

    @Test(arguments: [false, true])
    func `an acknowledgement that comes before its message is not believed`(afterTheFirst: Bool) {
        // A server that answers twice: the second answer would be that of the message to come.
        let firstIsDone = DispatchSemaphore(value: afterTheFirst ? 0 : 1)
        let receiver = ScriptedReceiver { number, id in
            guard number == 1 else { return [.send(Answer.acknowledgement("AE", id, text: "no"))] }
            let answers = [Answer.acknowledgement("AA", "M1"), Answer.acknowledgement("AA", "M2")]
            return afterTheFirst ? [.send(answers[0]), .wait(firstIsDone), .send(answers[1])] : [.send(answers[0] + answers[1])]
        }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        firstIsDone.signal()
        receiver.waitUntilServed()
        #expect(sender.send(message("M2"), controlID: "M2") == .contentError("AE: no"))
        #expect(receiver.connections == 2)
    }

    @Test(arguments: [
        Array("garbage".utf8), [0x00], Array("MSA|AA|M1\r".utf8), [0x0B, 0x0B], Answer.framed("") , Answer.framed("MSA|AA|M1\r"),
        Answer.framed("MSH|^~\\&|RIS\rPID|1\r"), Answer.framed("MSH|^~\\&|RIS\rMSA|OK|M1\r"), Answer.framed("MSH|^~\\&|RIS\rMSA||M1\r"), Answer.framed("MSH|MSA|AA|M1"),
        [0x0B] + Array("MSH|^~\\&|RIS\rMSA|AA|M1\r".utf8) + [0x1C, 0x0A], Answer.framed("\u{FEFF}MSH|^~\\&\rMSA|AA|M1"),
    ])
    func `garbage is not delivered, and the connection is not used again`(bytes: [UInt8]) {
        let receiver = ScriptedReceiver { [.send($0 == 1 ? bytes : Answer.acknowledgement("AA", $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1").consequence == .retryWithBackOff)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(receiver.connections == 2)
    }

    @Test func `an answer of more than 64 KiB is refused`() {
        let receiver = ScriptedReceiver { _, id in
            [.send([0x0B] + Array("MSH|^~\\&|RIS\rMSA|AA|\(id)|".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 70_000) + [0x1C, 0x0D])]
        }
        defer { receiver.stop() }
        let outcome = sender(receiver).send(message("M1"), controlID: "M1")
        #expect(outcome.failureText?.contains("more than 65536 bytes") == true)
        #expect(outcome.consequence == .retryWithBackOff)
    }

    @Test func `an acknowledgement may come byte by byte, and with line ends around its frame`() {
        let receiver = ScriptedReceiver { [.sendBytewise([0x0D, 0x0A] + Answer.acknowledgement("AA", $1) + [0x0A])] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(sender.send(message("M2"), controlID: "M2") == .delivered(code: "AA"))
    }

    @Test func `a byte now and then does not put the end off: all reads of one answer have one deadline`() {
        let stream = ByteByByte(Answer.acknowledgement("AA", "M1"))
        let sender = MLLPSender(receiver: "fake", connectTimeout: .seconds(1), ackTimeout: .seconds(30), acknowledgement: .original) { _ in stream }
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(stream.deadlines.count > 50)
        #expect(Set(stream.deadlines).count == 1)
    }

    @Test func `a receiver that does not read does not hold us`() {
        let receiver = ScriptedReceiver { _, _ in [.stall] }
        defer { receiver.stop() }
        let sender = sender(receiver, ackTimeout: .milliseconds(300))
        #expect(sender.send(message("M1"), controlID: "M1").consequence == .retryWithBackOff)
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 20)
        #expect(sender.send(large, controlID: "M2").consequence == .retryWithBackOff)
    }

    @Test func `a new connection that is closed before the answer is not tried again`() {
        let receiver = ScriptedReceiver { _, _ in [.close] }
        defer { receiver.stop() }
        let outcome = sender(receiver).send(message("M1"), controlID: "M1")
        #expect(outcome.failureText?.contains("closed before an acknowledgement") == true)
        #expect(receiver.messages.count == 1)
    }

    @Test func `a kept connection that the receiver closed meanwhile is opened again`() {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("AA", $1)), .close] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        for id in ["M1", "M2", "M3"] {
            #expect(sender.send(message(id), controlID: id) == .delivered(code: "AA"))
            receiver.waitUntilServed()
        }
        #expect(receiver.messages == ["M1", "M2", "M3"].map(message))
    }

    @Test func `a kept connection that closes on the message is opened again once, with the same message`() {
        let receiver = ScriptedReceiver { $0 == 2 ? [.close] : [.send(Answer.acknowledgement("AA", $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(sender.send(message("M2"), controlID: "M2") == .delivered(code: "AA"))
        #expect(receiver.messages == ["M1", "M2", "M2"].map(message))
    }

    @Test func `the second close on the same message is not tried again`() {
        let receiver = ScriptedReceiver { $0 == 1 ? [.send(Answer.acknowledgement("AA", $1))] : [.close] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(sender.send(message("M2"), controlID: "M2").consequence == .retryWithBackOff)
        #expect(receiver.messages.count == 3)
    }

    @Test func `a connection that closes within the answer is not tried again: the message has arrived`() {
        let receiver = ScriptedReceiver { $0 == 1 ? [.send(Answer.acknowledgement("AA", $1))] : [.send([0x0B, UInt8(ascii: "M")]), .close] }
        defer { receiver.stop() }
        let sender = sender(receiver)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(sender.send(message("M2"), controlID: "M2").failureText?.contains("closed within an acknowledgement") == true)
        #expect(receiver.messages.count == 2)
    }

    @Test func `in enhanced mode CA is not enough, and AA after it is`() {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("CA", $1)), .send(Answer.acknowledgement("AA", $1))] }
        defer { receiver.stop() }
        let sender = sender(receiver, .enhanced)
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        #expect(sender.send(message("M2"), controlID: "M2") == .delivered(code: "AA"))
        #expect(receiver.connections == 1)
    }

    @Test func `in enhanced mode CA and then silence is not delivered`() {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("CA", $1))] }
        defer { receiver.stop() }
        let outcome = sender(receiver, ackTimeout: .milliseconds(300), .enhanced).send(message("M1"), controlID: "M1")
        #expect(outcome.consequence == .retryWithBackOff)
    }

    @Test func `in enhanced mode AE after CA is a content error, and commit mode ends with CA`() {
        let receiver = ScriptedReceiver { [.send(Answer.acknowledgement("CA", $1)), .send(Answer.acknowledgement("AE", $1, text: "no such order"))] }
        defer { receiver.stop() }
        #expect(sender(receiver, .enhanced).send(message("M1"), controlID: "M1") == .contentError("AE: no such order"))
        #expect(sender(receiver, .commit).send(message("M2"), controlID: "M2") == .delivered(code: "CA"))
    }

    @Test func `an application acknowledgement that asks for it is committed`() throws {
        let receiver = ScriptedReceiver { number, id in
            number == 1 ? [.send(Answer.acknowledgement("CA", id)), .send(Answer.acknowledgement("AA", id, wantsAnswer: true))] : []
        }
        defer { receiver.stop() }
        #expect(sender(receiver, .enhanced).send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        receiver.waitUntilServed()
        receiver.waitUntilServed()
        let answer = try Acknowledgement(receiver.messages[1])
        #expect(answer.code == .commitAccept && answer.controlID == "ACK-7")
    }

    @Test func `nobody listening, and a name that nobody has, are retried`() {
        let receiver = ScriptedReceiver { _, _ in [] }
        let port = receiver.port
        receiver.stop()
        let refused = MLLPSender(host: "127.0.0.1", port: port).send(message("M1"), controlID: "M1")
        #expect(refused.consequence == .retryWithBackOff)
        let unknown = MLLPSender(host: "no-such-host.invalid", port: 2575).send(message("M1"), controlID: "M1")
        #expect(unknown.failureText?.contains("cannot connect to no-such-host.invalid:2575") == true)
    }

    @Test func `close ends an exchange that waits, without sending again`() {
        let receiver = ScriptedReceiver { $0 == 1 ? [.send(Answer.acknowledgement("AA", $1))] : [] }
        defer { receiver.stop() }
        let sender = sender(receiver, ackTimeout: .seconds(600))
        #expect(sender.send(message("M1"), controlID: "M1") == .delivered(code: "AA"))
        receiver.waitUntilServed()
        Thread.start {
            receiver.waitUntilServed()  // the second message is there, and gets no answer
            sender.close()
        }
        #expect(sender.send(message("M2"), controlID: "M2").consequence == .retryWithBackOff)
        #expect(receiver.messages.count == 2)
    }
}

/// Gives its answer a byte at a time, and keeps the deadlines it was read with.
private final class ByteByByte: ByteStream {
    private let state: Mutex<(left: [UInt8], deadlines: [ContinuousClock.Instant])>

    init(_ answer: [UInt8]) { state = Mutex((answer, [])) }

    var deadlines: [ContinuousClock.Instant] { state.withLock { $0.deadlines } }

    func write(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws(StreamError) {}

    func read(by deadline: ContinuousClock.Instant) throws(StreamError) -> [UInt8] {
        state.withLock { state in
            state.deadlines.append(deadline)
            return state.left.isEmpty ? [] : [state.left.removeFirst()]
        }
    }

    func interrupt() {}
    func close() {}
}
