import Foundation
import Glibc

import DICOM

/// A peer that says on the wire exactly what a test wants, right or wrong.
final class RawPeer {
    let descriptor: Int32

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Broken(description: "connect: errno \(errno)") }
        // A test that waits for an answer that never comes fails instead of hanging.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    // MARK: - Bytes

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Broken(description: "send: errno \(errno)") }
            rest = rest.dropFirst(sent)
        }
    }

    /// The next PDU; nil when the other side closed.
    func receive() throws -> (type: UInt8, body: [UInt8])? {
        guard let header = try read(6) else { return nil }
        let length = header[2...].reduce(0) { $0 << 8 | Int($1) }
        guard let body = try read(length) else { throw Broken(description: "a PDU is cut") }
        return (header[0], body)
    }

    private func read(_ count: Int) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + filled, count - filled, 0) }
            if got == 0 { return nil }
            guard got > 0 else {
                if errno == ECONNRESET { return nil }
                throw Broken(description: "recv: errno \(errno)")
            }
            filled += got
        }
        return bytes
    }

    // MARK: - PDUs

    static func item(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [type, 0, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }

    static func context(_ id: UInt8, _ abstractSyntax: String, _ transferSyntaxes: [String]) -> [UInt8] {
        item(0x20, [id, 0, 0, 0] + item(0x30, Array(abstractSyntax.utf8)) + transferSyntaxes.flatMap { item(0x40, Array($0.utf8)) })
    }

    static let maximumLength = item(0x51, [0, 0, 0x40, 0])
    static let implementation = item(0x52, Array("2.25.9".utf8))

    static func request(
        called: String = "RADIALOGD", calling: String = "TEST", contexts: [UInt8],
        userInformation: [[UInt8]] = [item(0x50, maximumLength + implementation)]
    ) -> [UInt8] {
        func title(_ text: String) -> [UInt8] { Array(text.utf8) + [UInt8](repeating: 0x20, count: 16 - text.utf8.count) }
        let body = [0, 1, 0, 0] + title(called) + title(calling) + [UInt8](repeating: 0, count: 32)
            + item(0x10, Array("1.2.840.10008.3.1.1.1".utf8)) + contexts + userInformation.flatMap { $0 }
        return pdu(0x01, body)
    }

    static func pdu(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        [type, 0] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: body.count >> ($0 * 8)) } + body
    }

    static func data(_ id: UInt8, isCommand: Bool, isLast: Bool, _ bytes: [UInt8]) -> [UInt8] {
        let control: UInt8 = (isCommand ? 1 : 0) | (isLast ? 2 : 0)
        let length = bytes.count + 2
        return pdu(0x04, (0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + [id, control] + bytes)
    }

    // MARK: - Conversation

    static let digitalXRay = "1.2.840.10008.5.1.4.1.1.1.1"

    /// An association with one context for films (ID 1) and one for verification (ID 3).
    static func associated(port: UInt16, calling: String = "TEST", transferSyntax: String = TransferSyntax.explicitVRLittleEndian) throws -> RawPeer {
        let peer = try RawPeer(port: port)
        try peer.send(
            request(
                calling: calling,
                contexts: context(1, digitalXRay, [transferSyntax])
                    + context(3, AcceptedServices.verification, [TransferSyntax.implicitVRLittleEndian])))
        guard let answer = try peer.receive(), answer.type == 0x02 else { throw Broken(description: "the association was not accepted") }
        return peer
    }

    static func command(_ elements: [(UInt16, [UInt8])]) -> [UInt8] {
        elements.flatMap { element, value in
            [0, 0, UInt8(element & 0xFF), UInt8(element >> 8)] + DataSetBuilder.number(UInt32(value.count), 4) + value
        }
    }

    static func storeRequest(_ film: SyntheticFilm, messageID: UInt8 = 1) -> [UInt8] {
        func uid(_ text: String) -> [UInt8] { Array(text.utf8) + (text.utf8.count.isMultiple(of: 2) ? [] : [0]) }
        return command([
            (0x0002, uid(film.sopClassUID)), (0x0100, [0x01, 0x00]), (0x0110, [messageID, 0]), (0x0700, [0, 0]),
            (0x0800, [0, 0]), (0x1000, uid(film.sopInstanceUID)),
        ])
    }

    /// Sends a film's command and data set in PDVs of at most `part` bytes.
    func store(_ film: SyntheticFilm, messageID: UInt8 = 1, dataSet: [UInt8]? = nil, part: Int = 8192) throws {
        try send(Self.data(1, isCommand: true, isLast: true, Self.storeRequest(film, messageID: messageID)))
        var rest = (dataSet ?? film.dataSet)[...]
        repeat {
            let piece = Array(rest.prefix(part))
            rest = rest.dropFirst(part)
            try send(Self.data(1, isCommand: false, isLast: rest.isEmpty, piece))
        } while !rest.isEmpty
    }

    /// Status of the next response; nil when the association ended instead.
    func status() throws -> UInt16? {
        guard let answer = try receive(), answer.type == 0x04 else { return nil }
        var command = answer.body.dropFirst(6)
        while command.count >= 8 {
            let bytes = Array(command)
            let length = Int(bytes[4]) | Int(bytes[5]) << 8
            if bytes[2] == 0x00, bytes[3] == 0x09 { return UInt16(bytes[8]) | UInt16(bytes[9]) << 8 }
            command = command.dropFirst(8 + length)
        }
        throw Broken(description: "a response without status")
    }

    func echo() throws -> UInt16? {
        try send(
            Self.data(
                3, isCommand: true, isLast: true,
                Self.command([
                    (0x0002, Array((AcceptedServices.verification + "\0").utf8)), (0x0100, [0x30, 0]), (0x0110, [7, 0]),
                    (0x0800, [0x01, 0x01]),
                ])))
        return try status()
    }

    func release() throws -> Bool {
        try send([0x05, 0, 0, 0, 0, 4, 0, 0, 0, 0])
        return try receive()?.type == 0x06
    }
}
