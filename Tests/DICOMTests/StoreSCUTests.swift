import DICOM
import Foundation
import Testing

/// Against real archives, and against one that does what real ones do only on bad days.
@Suite struct `Sending by C-STORE` {
    private static let document: [UInt8] = ExampleImage(pixels: ExampleImage.words([0, 1, 2, 3, 4, 5])).bytes

    private static func sender(port: UInt16, total: Duration = .seconds(20)) -> StoreSCU {
        StoreSCU(
            host: "127.0.0.1", port: port, callingAETitle: "RADIALOG", calledAETitle: "ARCHIVE",
            timeOuts: .init(connect: .seconds(5), total: total))
    }

    @Test(arguments: ["+x=", "+xi"])
    func `storescp has the object after a send, in either little-endian syntax`(_ preference: String) throws {
        let folder = try StoreSCUPeers.temporaryFolder()
        defer { StoreSCUPeers.remove(folder) }
        let document = try ReportDocumentForSending.bytes()
        let receipt = try StoreSCUPeers.withStorescp(["-od", folder, preference]) { port in
            try StoreSCUPeers.firstAnswer(of: Self.sender(port: port), document)
        }
        #expect(receipt.status == 0)
        #expect(!receipt.isWarning)
        let stored = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(stored.count == 1)
        let dump = try ExternalTool.run("dcmdump", ["+L", folder + "/" + (stored.first ?? "")])
        #expect(dump.value("0040,a491") == "PARTIAL")
        #expect(dump.value("0010,0010") == "Müller^Jürgen")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/sbin/Orthanc"), "Orthanc is not installed"))
    func `Orthanc stores draft and signed report in one series`() throws {
        try StoreSCUPeers.withOrthanc { dicomPort, restPort in
            for example in [StructuredReportExample.draft, .signed] {
                let bytes = try ReportDocument.basicTextSR(example.report)
                let sender = StoreSCU(host: "localhost", port: dicomPort, callingAETitle: "RADIALOG", calledAETitle: "ORTHANC")
                #expect(try StoreSCUPeers.firstAnswer(of: sender, bytes).status == 0)
            }
            let found = try ExternalTool.run("curl", ["-s", "http://127.0.0.1:\(restPort)/statistics"])
            #expect(found.output.contains("\"CountInstances\" : 2"))
            #expect(found.output.contains("\"CountSeries\" : 1"))
        }
    }

    @Test func `storescp that refuses every association is named with its reason`() throws {
        try StoreSCUPeers.withStorescp(["--refuse"]) { port in
            #expect {
                try StoreSCUPeers.firstAnswer(of: Self.sender(port: port), Self.document)
            } throws: {
                guard case .rejected(let result, let source, _) = $0 as? StoreSCUError else { return false }
                return result == 1 && source == 1 && ($0 as? StoreSCUError)?.consequence == .giveUp
            }
        }
    }

    @Test(arguments: [
        (0x0000, nil), (0xB000, nil), (0xB007, nil), (0xA700, .retry), (0xA701, .retry), (0xA900, .giveUp), (0xC000, .giveUp),
        (0x0122, .giveUp), (0xFE00, .giveUp),
    ] as [(UInt16, StoreSCUError.Consequence?)])
    func `only success and warnings count as stored`(_ status: UInt16, _ consequence: StoreSCUError.Consequence?) throws {
        let peer = try ScriptedArchive(.respond(status))
        guard let consequence else {
            let receipt = try Self.sender(port: peer.port).send(Self.document)
            #expect(receipt.status == status)
            #expect(receipt.isWarning == (status != 0))
            return
        }
        #expect { try Self.sender(port: peer.port).send(Self.document) } throws: {
            $0 as? StoreSCUError == .failureStatus(status) && ($0 as? StoreSCUError)?.consequence == consequence
        }
    }

    @Test(arguments: [
        (1, 1, 7, .giveUp), (1, 1, 3, .giveUp), (2, 3, 1, .retry), (2, 3, 2, .retry),
    ] as [(UInt8, UInt8, UInt8, StoreSCUError.Consequence)])
    func `a rejected association says why`(
        _ result: UInt8, _ source: UInt8, _ reason: UInt8, _ consequence: StoreSCUError.Consequence
    ) throws {
        let peer = try ScriptedArchive(.reject(result, source, reason))
        #expect { try Self.sender(port: peer.port).send(Self.document) } throws: {
            $0 as? StoreSCUError == .rejected(result: Int(result), source: Int(source), reason: Int(reason))
                && ($0 as? StoreSCUError)?.consequence == consequence
        }
    }

    @Test func `an archive without the SOP class is told apart`() throws {
        let peer = try ScriptedArchive(.refuseContext)
        #expect { try Self.sender(port: peer.port).send(Self.document) } throws: {
            $0 as? StoreSCUError == .noPresentationContext(sopClassUID: "1.2.840.10008.5.1.4.1.1.7")
        }
    }

    @Test(arguments: [ScriptedArchive.Behaviour.silentAtAssociation, .silentAtResponse, .oneByteAtATime])
    func `the total deadline ends a send, whatever trickles in`(_ behaviour: ScriptedArchive.Behaviour) throws {
        let peer = try ScriptedArchive(behaviour)
        #expect { try Self.sender(port: peer.port, total: .milliseconds(1200)).send(Self.document) } throws: {
            $0 as? StoreSCUError == .timedOut(after: .milliseconds(1200)) && ($0 as? StoreSCUError)?.consequence == .retry
        }
    }

    @Test(arguments: [ScriptedArchive.Behaviour.closeAtAssociation, .closeAtResponse, .abortAtResponse, .otherMessageID, .flood])
    func `a send without a matching response is not a delivery`(_ behaviour: ScriptedArchive.Behaviour) throws {
        let peer = try ScriptedArchive(behaviour)
        #expect { try Self.sender(port: peer.port).send(Self.document) } throws: {
            if case .connectionLost = $0 as? StoreSCUError { ($0 as? StoreSCUError)?.consequence == .retry } else { false }
        }
    }

    @Test func `nobody there and no such host are unreachable`() throws {
        let port = try StoreSCUPeers.freePort()
        for host in ["127.0.0.1", "no-such-host.invalid", String(repeating: "h", count: 5000)] {
            let sender = StoreSCU(host: host, port: port, callingAETitle: "RADIALOG", calledAETitle: "ARCHIVE")
            #expect { try sender.send(Self.document) } throws: {
                if case .unreachable = $0 as? StoreSCUError { true } else { false }
            }
        }
    }

    @Test func `what is no object is not sent`() {
        for bytes in [[], [1, 2, 3], Array("not DICOM at all, but longer than a tag".utf8)] as [[UInt8]] {
            #expect { try Self.sender(port: 9).send(bytes) } throws: {
                if case .invalidObject = $0 as? StoreSCUError { true } else { false }
            }
        }
    }
}

enum ReportDocumentForSending {
    static func bytes() throws -> [UInt8] { try ReportDocument.basicTextSR(StructuredReportExample.draft.report) }
}
