import Crypto
import DICOM
import Foundation
import Glibc
import ReportModel
import Testing

@Suite struct ReceivingStoreTests {
    @Test func `an object is answered success only after the handler, and lies whole in its place`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        let film = SyntheticFilm()
        try peer.store(film, part: 7)
        #expect(try peer.status() == 0)
        let object = try #require(running.handler.received.first)
        let file = try Data(contentsOf: URL(fileURLWithPath: running.spool.absolutePath(object.path)))
        #expect(Array(file.suffix(film.dataSet.count)) == film.dataSet)
        #expect(object.bytes == Int64(file.count))
        #expect(object.dataSetSHA256 == SHA256.hash(data: film.dataSet).map { String(format: "%02x", $0) }.joined())
        #expect(object.study.patient.patientID == "PID-1")
        #expect(object.study.patient.patientName == "Synthetic^Film")
        #expect(object.instance.sopInstanceUID == film.sopInstanceUID)
        #expect(object.instance.viewPosition == "PA")
        #expect(object.instance.rows == 2)
        #expect(object.callingAETitle == "TEST")
        #expect(object.peerAddress == "127.0.0.1")
        #expect(object.flags.isEmpty)
        #expect(try running.incoming().isEmpty)
        #expect(try peer.release())
    }

    @Test func `the stored file is a Part 10 file that dcmdump and our own describing read`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0)
        let object = try #require(running.handler.received.first)
        let path = running.spool.absolutePath(object.path)
        let dump = try DCMTKProgram.run("dcmdump", ["-q", path])
        #expect(dump.status == 0, "\(dump.output)")
        #expect(dump.output.contains("(0002,0016) AE [TEST]"), "\(dump.output)")
        let described = try DICOMFile.describe(path: path)
        #expect(described.study == object.study)
        #expect(described.instance == object.instance)
        #expect(described.dataSetSHA256 == object.dataSetSHA256)
    }

    @Test func `several objects and an echo travel on one association`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        for number in 1...5 {
            try peer.store(SyntheticFilm(sopInstanceUID: "2.25.\(number)"), messageID: UInt8(number))
            #expect(try peer.status() == 0)
        }
        #expect(try peer.echo() == 0)
        #expect(try running.objects().count == 5)
    }

    @Test func `what the handler refuses is answered with its status, and its file is the handler's`() throws {
        let running = try RunningSCP(handler: RecordingHandler { _ in .outOfResources })
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0xA700)
        #expect(try running.objects().count == 1, "only the queue knows whether a row names it")
        #expect(try peer.echo() == 0)
    }

    @Test func `the handler may set an object aside`() throws {
        let directory = try ScratchDirectory()
        let spool = try Spool(stateDirectory: directory.path, minimumFreeBytes: 0)
        let handler = RecordingHandler { object in
            guard (try? spool.quarantine(object.path)) != nil else { return .success }
            return .cannotUnderstand
        }
        let running = try RunningSCP(handler: handler, stateDirectory: directory.path)
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0xC000)
        #expect(try directory.files().allSatisfy { $0.hasPrefix("quarantine/") })
        #expect(try directory.files().count == 1)
    }

    @Test(arguments: [
        ("another SOP Instance UID", SyntheticFilm(sopInstanceUID: "2.25.7777").dataSet, 0xA900),
        ("another SOP class", SyntheticFilm(sopClassUID: "1.2.840.10008.5.1.4.1.1.7").dataSet, 0xA900),
        ("no Study Instance UID", SyntheticFilm(studyInstanceUID: "").dataSet, 0xC001),
        ("a Series Instance UID that is a path", SyntheticFilm(seriesInstanceUID: "../../etc/passwd").dataSet, 0xC001),
        ("bytes that are no data set", Array("this is no data set, but it is long enough".utf8), 0xC000),
        ("a length beyond the end", Array(SyntheticFilm().dataSet.dropLast(2)), 0xC000),
        ("20,000 nested sequences", nested(20_000), 0xC000),
    ] as [(String, [UInt8], Int)])
    func `an object that is not what it should be is refused, leaves nothing, and the association goes on`(
        _ what: String, _ dataSet: [UInt8], _ status: Int
    ) throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm(), dataSet: dataSet)
        #expect(try peer.status() == UInt16(status))
        #expect(try running.objects().isEmpty)
        #expect(try running.incoming().isEmpty)
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0)
        #expect(running.handler.refused.map(\.status.rawValue) == [UInt16(status)])
        #expect(running.handler.received.count == 1)
    }

    static func nested(_ depth: Int) -> [UInt8] {
        SyntheticFilm(extra: { set in
            for _ in 0..<depth {
                set.header(Tag(0x0040, 0x0275), "SQ", length: 0xFFFF_FFFF)
                set.item()
            }
        }).dataSet
    }

    @Test func `an affected SOP Instance UID that is no UID is refused`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm(sopInstanceUID: "../x"))
        #expect(try peer.status() == 0xC001)
        #expect(try running.directory.files().isEmpty)
    }

    @Test func `an object larger than the limit is read to its end and answered A700`() throws {
        let running = try RunningSCP { $0.maximumObjectBytes = 1 << 20 }
        let peer = try RawPeer.associated(port: running.port)
        let large = SyntheticFilm(extra: { set in
            set.element(Tag(0x0029, 0x1010), "OB", [UInt8](repeating: 7, count: 1 << 20))
        })
        try peer.store(large)
        #expect(try peer.status() == 0xA700)
        #expect(try running.directory.files().isEmpty)
        #expect(try peer.echo() == 0)
    }

    @Test func `below the disk watermark an object is answered A700`() throws {
        let running = try RunningSCP(minimumFreeBytes: .max)
        let peer = try RawPeer.associated(port: running.port)
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0xA700)
        #expect(running.handler.refused.first?.reason == "too little space is left on the disk")
    }

    @Test func `a disk that is full is answered A700 and nothing stays`() throws {
        // A file system of 256 KiB; without the right to mount one, the same through a directory that vanished.
        let directory = try ScratchDirectory()
        let mounted = mount("tmpfs", directory.path, "tmpfs", 0, "size=256k") == 0
        defer { if mounted { umount2(directory.path, Int32(MNT_DETACH)) } }
        let running = try RunningSCP(stateDirectory: directory.path)
        if !mounted { try FileManager.default.removeItem(atPath: directory.path + "/spool") }
        let peer = try RawPeer.associated(port: running.port)
        let film = SyntheticFilm(extra: { set in
            set.element(Tag(0x0029, 0x1010), "OB", [UInt8](repeating: 7, count: 1 << 20))
        })
        try peer.store(film)
        #expect(try peer.status() == 0xA700)
        #expect(try directory.files().isEmpty)
        #expect(running.handler.received.isEmpty)
        guard mounted else { return }
        // There is room for a small one.
        try peer.store(SyntheticFilm())
        #expect(try peer.status() == 0)
    }

    @Test func `a transfer that breaks off leaves nothing`() throws {
        let running = try RunningSCP()
        let film = SyntheticFilm()
        for ending in ["close", "abort"] {
            let peer = try RawPeer.associated(port: running.port)
            try peer.send(RawPeer.data(1, isCommand: true, isLast: true, RawPeer.storeRequest(film)))
            try peer.send(RawPeer.data(1, isCommand: false, isLast: false, Array(film.dataSet.prefix(150))))
            if ending == "abort" { try peer.send([0x07, 0, 0, 0, 0, 4, 0, 0, 0, 0]) }
            shutdown(peer.descriptor, Int32(SHUT_WR))
            #expect(try peer.receive() == nil)
        }
        running.scp.stop()
        #expect(try running.directory.files().isEmpty)
        #expect(running.handler.received.isEmpty)
    }

    @Test func `an object that drips in is cut off by its total deadline`() throws {
        let running = try RunningSCP { $0.objectDeadline = .milliseconds(300) }
        let peer = try RawPeer.associated(port: running.port)
        try peer.send(RawPeer.data(1, isCommand: true, isLast: true, RawPeer.storeRequest(SyntheticFilm())))
        try peer.send(RawPeer.data(1, isCommand: false, isLast: false, [8, 0]))
        #expect(try peer.receive()?.type == 0x07)
        running.scp.stop()
        #expect(try running.directory.files().isEmpty)
    }

    @Test(arguments: [
        ("larger than 16 KiB", RawPeer.command([(0x0902, [UInt8](repeating: 0x20, count: 17_000))])),
        ("with 20,000 nested sequences", (0..<20_000).flatMap { _ in [0x75, 0x02, 0x40, 0x00, 0xFF, 0xFF, 0xFF, 0xFF] as [UInt8] }),
        ("with undefined length", [0, 0, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("without command field", RawPeer.command([(0x0110, [1, 0])])),
    ] as [(String, [UInt8])])
    func `a hostile command set is aborted`(_ what: String, _ command: [UInt8]) throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        var rest = command[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(8192))
            rest = rest.dropFirst(8192)
            // The other side may have heard enough.
            guard (try? peer.send(RawPeer.data(1, isCommand: true, isLast: rest.isEmpty, piece))) != nil else { break }
        }
        #expect(try peer.receive()?.type == 0x07)
        #expect(try RawPeer.associated(port: running.port).echo() == 0)
    }

    @Test func `a request that is not ours is answered 0211 after its data set`() throws {
        let running = try RunningSCP()
        let peer = try RawPeer.associated(port: running.port)
        let find = RawPeer.command([(0x0100, [0x20, 0]), (0x0110, [9, 0]), (0x0800, [0, 0])])
        try peer.send(RawPeer.data(1, isCommand: true, isLast: true, find))
        try peer.send(RawPeer.data(1, isCommand: false, isLast: true, [1, 2, 3, 4]))
        #expect(try peer.status() == 0x0211)
        // C-CANCEL has no answer.
        try peer.send(RawPeer.data(1, isCommand: true, isLast: true, RawPeer.command([(0x0100, [0xFF, 0x0F]), (0x0120, [9, 0]), (0x0800, [1, 1])])))
        #expect(try peer.echo() == 0)
    }

    @Test func `what an earlier run was receiving is removed at start, and unknown objects are found`() throws {
        let directory = try ScratchDirectory()
        _ = try Spool(stateDirectory: directory.path, minimumFreeBytes: 0)
        try Data([1]).write(to: URL(fileURLWithPath: directory.path + "/spool/incoming/old.part"))
        let spool = try Spool(stateDirectory: directory.path, minimumFreeBytes: 0)
        #expect(try directory.files().isEmpty)
        try FileManager.default.createDirectory(atPath: directory.path + "/objects/2026/01/02", withIntermediateDirectories: true)
        for name in ["a", "b"] { try Data([1]).write(to: URL(fileURLWithPath: directory.path + "/objects/2026/01/02/\(name).dcm")) }
        #expect(try spool.unknownObjects(olderThan: .seconds(-5)) { $0.hasSuffix("/a.dcm") } == ["objects/2026/01/02/b.dcm"])
        #expect(try spool.unknownObjects(olderThan: .seconds(3600)) { _ in false }.isEmpty)
    }

    @Test func `eight senders at once lose nothing`() async throws {
        let running = try RunningSCP()
        let port = running.port
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask {
                    let peer = try RawPeer.associated(port: port, calling: "ROOM\(sender)")
                    for number in 0..<5 {
                        try peer.store(SyntheticFilm(sopInstanceUID: "2.25.\(sender)\(number + 1)"), part: 64)
                        #expect(try peer.status() == 0)
                    }
                    #expect(try peer.release())
                }
            }
            try await group.waitForAll()
        }
        #expect(running.handler.received.count == 40)
        #expect(Set(running.handler.received.map(\.path)).count == 40)
        #expect(try running.objects().count == 40)
    }
}
