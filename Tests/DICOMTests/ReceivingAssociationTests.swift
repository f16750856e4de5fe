import DICOM
import Dispatch
import Foundation
import Glibc
import Testing

@Suite struct ReceivingAssociationTests {
    private static let film = RawPeer.context(1, RawPeer.digitalXRay, [TransferSyntax.explicitVRLittleEndian])

    /// Result, source and reason of the rejection; nil when something else came.
    private func rejection(_ peer: RawPeer, _ request: [UInt8]) throws -> [UInt8]? {
        try peer.send(request)
        guard let answer = try peer.receive(), answer.type == 0x03 else { return nil }
        return Array(answer.body.dropFirst())
    }

    @Test func `an unknown called AE title is rejected with 1/1/7`() throws {
        let running = try RunningSCP()
        #expect(try rejection(RawPeer(port: running.port), RawPeer.request(called: "OTHER", contexts: Self.film)) == [1, 1, 7])
        running.scp.stop()
        #expect(running.handler.rejected.map(\.result) == [.calledAETitleNotRecognized])
        #expect(running.handler.rejected.first?.calledAETitle == "OTHER")
    }

    @Test func `an unknown calling AE title is rejected with 1/1/3`() throws {
        let running = try RunningSCP { $0.peers = [.init(aeTitle: "ROOM1", address: "127.0.0.1")] }
        #expect(try rejection(RawPeer(port: running.port), RawPeer.request(calling: "ROOM2", contexts: Self.film)) == [1, 1, 3])
    }

    @Test func `a configured AE title from a foreign address is rejected with 1/1/3`() throws {
        let running = try RunningSCP { $0.peers = [.init(aeTitle: "ROOM1", address: "10.1.2.3")] }
        #expect(try rejection(RawPeer(port: running.port), RawPeer.request(calling: "ROOM1", contexts: Self.film)) == [1, 1, 3])
        running.scp.stop()
        #expect(running.handler.rejected.first?.peerAddress == "127.0.0.1")
    }

    @Test func `more associations than allowed are rejected with 2/3/2 and the place is free after a release`() throws {
        let running = try RunningSCP { $0.maximumAssociations = 1 }
        let first = try RawPeer.associated(port: running.port)
        #expect(try rejection(RawPeer(port: running.port), RawPeer.request(contexts: Self.film)) == [2, 3, 2])
        #expect(try first.release())
        // The slot is given back before the connection is closed.
        #expect(try first.receive() == nil)
        #expect(try RawPeer.associated(port: running.port).echo() == 0)
    }

    @Test func `echoscu is answered`() throws {
        let running = try RunningSCP()
        let result = try DCMTKProgram.run("echoscu", ["-v", "-aec", "RADIALOGD", "127.0.0.1", String(running.port)])
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `echoscu with a wrong called AE title says why it was rejected`() throws {
        let running = try RunningSCP()
        let result = try DCMTKProgram.run("echoscu", ["-aec", "WRONG", "127.0.0.1", String(running.port)])
        #expect(result.status != 0)
        #expect(result.output.contains("Called AE Title Not Recognized"), "\(result.output)")
    }

    @Test func `every proposed context is answered with its own result`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer(port: running.port)
        let mammography = "1.2.840.10008.5.1.4.1.1.1.2"
        let contexts = RawPeer.context(1, RawPeer.digitalXRay, ["1.2.840.10008.1.2.4.90", TransferSyntax.explicitVRLittleEndian])
            + RawPeer.context(3, mammography, [TransferSyntax.explicitVRLittleEndian])
            + RawPeer.context(5, RawPeer.digitalXRay, [TransferSyntax.explicitVRBigEndian, TransferSyntax.deflatedExplicitVRLittleEndian])
            + RawPeer.context(7, RawPeer.digitalXRay, [TransferSyntax.implicitVRLittleEndian, TransferSyntax.explicitVRLittleEndian])
        try peer.send(RawPeer.request(contexts: contexts))
        let answer = try #require(try peer.receive())
        #expect(answer.type == 0x02)
        var results: [UInt8: (result: UInt8, transferSyntax: String)] = [:]
        var rest = Array(answer.body.dropFirst(68))
        while rest.count >= 4 {
            let length = Int(rest[2]) << 8 | Int(rest[3])
            if rest[0] == 0x21 {
                results[rest[4]] = (rest[6], String(decoding: rest[12..<(4 + length)], as: UTF8.self))
            }
            rest = Array(rest.dropFirst(4 + length))
        }
        #expect(results.mapValues(\.result) == [1: 0, 3: 3, 5: 4, 7: 0])
        #expect(results[1]?.transferSyntax == "1.2.840.10008.1.2.4.90")
        #expect(results[7]?.transferSyntax == TransferSyntax.explicitVRLittleEndian)
    }

    @Test(arguments: [
        ("two user identity items", [RawPeer.item(0x50, RawPeer.maximumLength + identity + identity)]),
        ("two user information items", [RawPeer.item(0x50, RawPeer.maximumLength), RawPeer.item(0x50, RawPeer.implementation)]),
        ("a sub-item longer than its item", [RawPeer.item(0x50, RawPeer.maximumLength + [0x52, 0, 0x7F, 0xFF, 1])]),
        ("a user identity whose lengths disagree", [RawPeer.item(0x50, RawPeer.item(0x58, [1, 0, 0x7F, 0, 0, 0]))]),
    ])
    func `a malformed user information is aborted before DCMTK sees it`(_ what: String, _ userInformation: [[UInt8]]) throws {
        let running = try RunningSCP()
        let peer = try RawPeer(port: running.port)
        try peer.send(RawPeer.request(contexts: Self.film, userInformation: userInformation))
        #expect(try peer.receive()?.type == 0x07)
        running.scp.stop()
        #expect(running.handler.rejected.count == 1)
        #expect(running.handler.rejected.first?.result == nil)
    }

    static let identity = RawPeer.item(0x58, [1, 0, 0, 1, 0x41, 0, 0])

    @Test func `129 contexts, a repeated context ID and a context without transfer syntax are malformed`() throws {
        let many = (0..<129).flatMap { RawPeer.context(UInt8(truncatingIfNeeded: $0 * 2 + 1), RawPeer.digitalXRay, ["1.2"]) }
        let twice = Self.film + Self.film
        let none = RawPeer.context(1, RawPeer.digitalXRay, [])
        for contexts in [many, twice, none, []] {
            #expect(throws: AssociateRequest.Refusal.self) { try AssociateRequest(RawPeer.request(contexts: contexts)) }
        }
        #expect(try AssociateRequest(RawPeer.request(contexts: Self.film)).contexts.count == 1)
    }

    @Test func `a request cut at any byte, or with any length byte changed, is refused or read, and nothing else`() throws {
        let whole = RawPeer.request(contexts: Self.film, userInformation: [RawPeer.item(0x50, RawPeer.maximumLength + Self.identity)])
        var readable: [Int] = []
        for count in 0..<whole.count {
            var cut = Array(whole.prefix(count))
            #expect(throws: AssociateRequest.Refusal.self) { try AssociateRequest(cut) }
            // The same with a length that fits: items end early.
            guard count >= 74 else { continue }
            let body = count - 6
            cut.replaceSubrange(2..<6, with: (0..<4).reversed().map { UInt8(truncatingIfNeeded: body >> ($0 * 8)) })
            if (try? AssociateRequest(cut)) != nil { readable.append(count) }
        }
        // Complete but for the user information, which is not missed.
        #expect(readable == [RawPeer.request(contexts: Self.film, userInformation: []).count])
        for index in 74..<whole.count {
            for value: UInt8 in [0, 1, 0x7F, 0xFF] {
                var changed = whole
                changed[index] = value
                _ = try? AssociateRequest(changed)
            }
        }
    }

    @Test func `a request longer than 64 KiB is aborted without being read`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer(port: running.port)
        try peer.send([0x01, 0, 0, 0x02, 0, 0])
        #expect(try peer.receive()?.type == 0x07)
    }

    @Test func `something that is no DICOM is aborted`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer(port: running.port)
        try peer.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(try peer.receive()?.type == 0x07)
    }

    @Test func `without peers only loopback may be bound`() throws {
        let directory = try ScratchDirectory()
        var configuration = StoreSCPConfiguration(aeTitle: "RADIALOGD")
        configuration.bindAddress = "0.0.0.0"
        let spool = try Spool(stateDirectory: directory.path, minimumFreeBytes: 0)
        #expect(throws: ReceivingError.self) {
            try StoreSCP(configuration: configuration, spool: spool, handler: RecordingHandler())
        }
        configuration.peers = [.init(aeTitle: "ROOM1", address: "10.0.0.1")]
        _ = try StoreSCP(configuration: configuration, spool: spool, handler: RecordingHandler())
    }

    @Test func `half-open and slow peers do not keep a second sender waiting`() throws {
        let running = try RunningSCP { $0.maximumAssociations = 2 }
        let silent = try (0..<8).map { _ in try RawPeer(port: running.port) }
        let slow = try RawPeer(port: running.port)
        try slow.send(Array(RawPeer.request(contexts: Self.film).prefix(40)))
        #expect(try RawPeer.associated(port: running.port).echo() == 0)
        withExtendedLifetime((silent, slow)) {}
    }

    @Test func `a request that drips in is cut off by the total deadline`() throws {
        let running = try RunningSCP { $0.associationDeadline = .milliseconds(300) }
        let peer = try RawPeer(port: running.port)
        // Complete but for one byte; what comes after the deadline would be that byte.
        try peer.send(RawPeer.request(contexts: Self.film).dropLast())
        #expect(try peer.receive()?.type == 0x07)
        running.scp.stop()
        #expect(running.handler.rejected.first?.reason == "the request was not complete in time")
    }

    @Test func `an idle association is aborted, and so is one whose command drips in`() throws {
        let running = try RunningSCP { $0.idleDeadline = .milliseconds(300) }
        let idle = try RawPeer.associated(port: running.port)
        #expect(try idle.receive()?.type == 0x07)
        let dripping = try RawPeer.associated(port: running.port)
        try dripping.send(RawPeer.data(1, isCommand: true, isLast: false, [0, 0, 0, 0]))
        #expect(try dripping.receive()?.type == 0x07)
    }

    @Test func `stopping aborts idle associations and returns`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        running.scp.stop()
        #expect(try peer.receive()?.type == 0x07)
        #expect(throws: (any Error).self) { try RawPeer(port: running.port) }
    }

    @Test func `stopping lets a C-STORE in progress finish`() throws {
        let running = try RunningSCP { $0.stopGrace = .seconds(15) }
        let idle = try RawPeer.associated(port: running.port)
        let peer = try RawPeer.associated(port: running.port)
        let film = SyntheticFilm()
        try peer.send(RawPeer.data(1, isCommand: true, isLast: true, RawPeer.storeRequest(film)))
        try peer.send(RawPeer.data(1, isCommand: false, isLast: false, Array(film.dataSet.prefix(100))))
        // The file in the spool says that the command was read: the association is no longer between messages.
        while try running.incoming().isEmpty { sched_yield() }
        // A thread of its own: the cooperative pool may be full of other tests' blocking calls.
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            running.scp.stop()
            stopped.signal()
        }
        // The idle one is told first; from then on the stop is under way.
        #expect(try idle.receive()?.type == 0x07)
        try peer.send(RawPeer.data(1, isCommand: false, isLast: true, Array(film.dataSet.dropFirst(100))))
        #expect(try peer.status() == 0)
        #expect(try peer.receive()?.type == 0x07)
        stopped.wait()
        #expect(running.handler.received.count == 1)
    }

    @Test func `stopping cuts off a C-STORE that does not finish in the grace time`() throws {
        let running = try RunningSCP { $0.stopGrace = .milliseconds(300) }
        let peer = try RawPeer.associated(port: running.port)
        try peer.send(RawPeer.data(1, isCommand: true, isLast: true, RawPeer.storeRequest(SyntheticFilm())))
        try peer.send(RawPeer.data(1, isCommand: false, isLast: false, [8, 0]))
        running.scp.stop()
        #expect(try running.directory.files().isEmpty)
        #expect(running.handler.received.isEmpty)
    }

    @Test func `peers that reset or vanish at every point leave no socket open`() throws {
        let running = try RunningSCP { $0.associationDeadline = .seconds(2) }
        let request = RawPeer.request(contexts: Self.film)
        let store = RawPeer.data(1, isCommand: true, isLast: true, RawPeer.storeRequest(SyntheticFilm()))
        for _ in 0..<20 {
            for bytes in [[], Array(request.prefix(20)), request, request + store, request + [0x07, 0, 0, 0, 0, 4, 0, 0, 0, 0]] {
                let peer = try RawPeer(port: running.port)
                try peer.send(bytes)
                // Zero linger: the close is a reset, which getpeername and setsockopt of the other side see as an error.
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(peer.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            }
        }
        for _ in 0..<5 { #expect(try RawPeer.associated(port: running.port).release()) }
        running.scp.stop()
        // local_address and st of /proc/net/tcp: 08 is CLOSE_WAIT, 01 ESTABLISHED.
        let port = String(running.port, radix: 16, uppercase: true)
        let local = ":" + String(repeating: "0", count: 4 - port.count) + port
        let open = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8).split(separator: "\n").filter { line in
            let columns = line.split(separator: " ")
            return columns.count > 3 && columns[1].hasSuffix(local) && ["01", "08"].contains(columns[3])
        }
        #expect(open == [])
    }
}
