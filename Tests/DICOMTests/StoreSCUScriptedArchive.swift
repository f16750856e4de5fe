import Foundation
import Glibc

/// An archive of a few bytes that takes one association and does what its script says. PS3.8 9.3, PS3.7 9.3.1.
final class ScriptedArchive: Sendable {
    enum Behaviour: Sendable {
        case respond(UInt16)
        case reject(UInt8, UInt8, UInt8)
        case refuseContext
        case silentAtAssociation, silentAtResponse, oneByteAtATime
        case closeAtAssociation, closeAtResponse, abortAtResponse, otherMessageID, flood
    }

    let port: UInt16

    init(_ behaviour: Behaviour) throws {
        let listener = try ListeningPort()
        port = listener.port
        // A thread, because every call here blocks; it ends with its peer's connection.
        let descriptor = dup(listener.descriptor)
        Thread.detachNewThread {
            let connection = Glibc.accept(descriptor, nil, nil)
            close(descriptor)
            guard connection >= 0 else { return }
            Conversation(connection: connection).play(behaviour)
            close(connection)
        }
    }
}

/// One association, from the archive's side.
private struct Conversation {
    let connection: Int32

    func play(_ behaviour: ScriptedArchive.Behaviour) {
        guard let request = readPDU() else { return }
        switch behaviour {
        case .reject(let result, let source, let reason):
            send([3, 0, 0, 0, 0, 4, 0, result, source, reason])
            waitForClose()
            return
        case .closeAtAssociation: return
        case .silentAtAssociation:
            waitForClose()
            return
        case .refuseContext: send(acceptance(of: request, contextResult: 3))
        default: send(acceptance(of: request, contextResult: 0))
        }
        // The command and the data set: until the last fragment of a data set (PS3.8 Annex E: bit 0 command, bit 1 last).
        var isComplete = false
        while !isComplete, let pdu = readPDU(), pdu.first == 4 {
            var position = 6
            while position + 6 <= pdu.count {
                let length = Int(pdu[position]) << 24 | Int(pdu[position + 1]) << 16 | Int(pdu[position + 2]) << 8 | Int(pdu[position + 3])
                if pdu[position + 5] & 3 == 2 { isComplete = true }
                position += 4 + length
            }
        }
        guard isComplete else { return }
        switch behaviour {
        case .respond(let status): send(response(status, messageID: 1))
        case .otherMessageID: send(response(0, messageID: 77))
        case .abortAtResponse: send([7, 0, 0, 0, 0, 4, 0, 0, 2, 0])
        case .closeAtResponse: return
        case .flood: send([4, 0, 0, 1, 0, 0] + [UInt8](repeating: 0, count: 65536))
        case .oneByteAtATime:
            // Every byte well within a per-read time-out; together far beyond the total.
            for byte in response(0, messageID: 1) {
                guard send([byte]) else { return }
                usleep(100_000)
            }
        default: break
        }
        // The release, if it comes to that.
        if let release = readPDU(), release.first == 5 { send([6, 0, 0, 0, 0, 4, 0, 0, 0, 0]) }
        waitForClose()
    }

    private func acceptance(of request: [UInt8], contextResult: UInt8) -> [UInt8] {
        func item(_ type: UInt8, _ value: [UInt8]) -> [UInt8] { [type, 0, UInt8(value.count >> 8), UInt8(value.count & 0xFF)] + value }
        var body = Array(request[6..<74])  // version, titles and reserved bytes as they came
        body += item(0x10, Array("1.2.840.10008.3.1.1.1".utf8))
        body += item(0x21, [1, 0, contextResult, 0] + item(0x40, Array("1.2.840.10008.1.2.1".utf8)))
        body += item(0x50, item(0x51, [0, 0, 0x40, 0]) + item(0x52, Array("2.25.1".utf8)))
        return [2, 0, 0, 0, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
    }

    /// C-STORE-RSP: PS3.7 Table 9.3-2, implicit little endian.
    private func response(_ status: UInt16, messageID: UInt16) -> [UInt8] {
        func element(_ number: UInt16, _ value: [UInt8]) -> [UInt8] {
            let padded = value + (value.count % 2 == 0 ? [] : [0])
            return ExampleImage.words([0, number, UInt16(padded.count), 0]) + padded
        }
        let elements = element(2, Array("1.2.840.10008.5.1.4.1.1.7".utf8)) + element(0x100, ExampleImage.words([0x8001]))
            + element(0x120, ExampleImage.words([messageID])) + element(0x800, ExampleImage.words([0x0101]))
            + element(0x900, ExampleImage.words([status])) + element(0x1000, Array("2.25.1".utf8))
        let command = element(0, ExampleImage.words([UInt16(elements.count), 0])) + elements
        let length = command.count + 2
        return [4, 0, 0, 0, 0, UInt8(length + 4), 0, 0, 0, UInt8(length), 1, 3] + command
    }

    /// One PDU, header and all; nil at the end of the connection.
    private func readPDU() -> [UInt8]? {
        guard let header = read(6) else { return nil }
        let length = Int(header[2]) << 24 | Int(header[3]) << 16 | Int(header[4]) << 8 | Int(header[5])
        return read(length).map { header + $0 }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(connection, $0.baseAddress! + done, count - done, 0) }
            guard got > 0 else { return nil }
            done += got
        }
        return bytes
    }

    @discardableResult
    private func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    private func waitForClose() {
        while let _ = read(1) {}
    }
}
