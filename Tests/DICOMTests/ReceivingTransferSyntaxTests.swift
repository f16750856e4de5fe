import DICOM
import Foundation
import ReportModel
import Testing

/// Independent senders: the programs of the dcmtk package.
@Suite struct ReceivingTransferSyntaxTests {
    @Test(arguments: AcceptedServices.transferSyntaxes)
    func `dcmsend or storescu delivers a film of every transfer syntax bit by bit`(_ transferSyntax: String) throws {
        let running = try RunningSCP()
        let directory = try ScratchDirectory()
        let film = SyntheticFilm(transferSyntaxUID: transferSyntax)
        let path = directory.path + "/film.dcm"
        try Data(film.file).write(to: URL(fileURLWithPath: path))
        // dcmsend proposes explicit beside implicit, and explicit is chosen then; storescu can propose implicit alone.
        let isImplicit = transferSyntax == TransferSyntax.implicitVRLittleEndian
        let result = try DCMTKProgram.run(
            isImplicit ? "storescu" : "dcmsend",
            [isImplicit ? "-xi" : "--decompress-never", "-aet", "ROOM1", "-aec", "RADIALOGD", "127.0.0.1", String(running.port), path])
        #expect(result.status == 0, "\(result.output)")
        let object = try #require(running.handler.received.first)
        #expect(object.instance.transferSyntaxUID == transferSyntax)
        #expect(object.callingAETitle == "ROOM1")
        let stored = try Data(contentsOf: URL(fileURLWithPath: running.spool.absolutePath(object.path)))
        #expect(Array(stored.suffix(film.dataSet.count)) == film.dataSet)
    }

    @Test(arguments: [TransferSyntax.deflatedExplicitVRLittleEndian, TransferSyntax.explicitVRBigEndian, "1.2.840.10008.1.2.4.100"])
    func `a film in a transfer syntax that is not taken is refused at negotiation`(_ transferSyntax: String) throws {
        let context = AssociateRequest.PresentationContext(id: 1, abstractSyntax: RawPeer.digitalXRay, transferSyntaxes: [transferSyntax])
        #expect(AcceptedServices.answer(to: context) == .transferSyntaxesNotSupported)
    }

    @Test func `storescu delivers, and says so`() throws {
        let running = try RunningSCP()
        let directory = try ScratchDirectory()
        let path = directory.path + "/film.dcm"
        try Data(SyntheticFilm().file).write(to: URL(fileURLWithPath: path))
        let result = try DCMTKProgram.run("storescu", ["-v", "-aec", "RADIALOGD", "127.0.0.1", String(running.port), path])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("Received Store Response (Success)"), "\(result.output)")
        #expect(running.handler.received.count == 1)
    }

    @Test(.enabled(if: ReceivingCorpus.isPresent))
    func `the corpus' radiographs arrive with their descriptions in one association`() throws {
        let paths = try ReceivingCorpus.rows().map(\.path).filter {
            $0.contains("/radiography/robyoung") || $0.hasPrefix("A_chest_xray/dicom/mlmed") || $0.contains("udacity")
                || $0.contains("gdcm-CR-MONO1-10-chest")
        }
        #expect(paths.count >= 13)
        let running = try RunningSCP()
        let result = try DCMTKProgram.run(
            "dcmsend", ["-v", "--decompress-never", "-aec", "RADIALOGD", "127.0.0.1", String(running.port)]
                + paths.map { ReceivingCorpus.root + "/" + $0 })
        #expect(result.status == 0, "\(result.output)")
        #expect(running.handler.refused.map(\.reason) == [])
        #expect(running.handler.received.count == paths.count)
        // What storing keeps of a file, describing it from disk says too.
        let received = Dictionary(running.handler.received.map { ($0.instance.sopInstanceUID, $0) }) { first, _ in first }
        for path in paths {
            let described = try DICOMFile.describe(path: ReceivingCorpus.root + "/" + path)
            let object = try #require(received[described.instance.sopInstanceUID])
            #expect(object.study.patient == described.study.patient)
            #expect(object.instance.rows == described.instance.rows)
            let sent = described.instance.transferSyntaxUID
            let isImplicit = sent == TransferSyntax.implicitVRLittleEndian
            #expect(object.instance.transferSyntaxUID == (isImplicit ? TransferSyntax.explicitVRLittleEndian : sent))
        }
    }
}
