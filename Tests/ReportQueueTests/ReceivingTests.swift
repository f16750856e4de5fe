import ReportModel
import ReportQueue
import Testing

@Suite struct ReceivingTests {
    @Test func `an object makes a study, a waiting job and an audit row`() throws {
        let scratch = try Scratch()
        #expect(try scratch.queue.recordInstance(received(sop: "1.2.3.4")) == .stored(late: false))
        let study = try scratch.queue.study("ACC1")
        #expect(study.studyInstanceUID == "1.2.3")
        #expect(study.state == .collecting)
        #expect(study.instances == 1)
        #expect(study.lateInstances == 0)
        let row = try #require(try scratch.queue.auditRecords(study: "1.2.3").first)
        #expect(row.code == "110104")
        #expect(row.actor == "MODALITY at 192.0.2.1")
        #expect(try scratch.queue.isKnownObjectPath("1.2.3/1.2.3.4-x.dcm"))
        #expect(try !scratch.queue.isKnownObjectPath("1.2.3/other.dcm"))
    }

    @Test func `the same object again changes nothing, whatever path it came to`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        let before = try scratch.queue.auditHead()
        let lastReceived = try scratch.queue.study("1.2.3").lastReceivedAt
        #expect(try scratch.queue.recordInstance(received(sop: "1.2.3.4", path: "second")) == .duplicate(keepFile: false))
        #expect(try scratch.queue.recordInstance(received(sop: "1.2.3.4")) == .duplicate(keepFile: true))
        #expect(try scratch.queue.auditHead() == before)
        #expect(try scratch.queue.study("1.2.3").lastReceivedAt == lastReceived)
        #expect(try scratch.queue.objectPaths() == ["1.2.3/1.2.3.4-x.dcm"])
    }

    @Test func `other bytes under a known UID go to quarantine once and the first stays`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        #expect(try scratch.queue.recordInstance(received(sop: "1.2.3.4", content: "y")) == .conflict(keepFile: true))
        #expect(try scratch.queue.recordInstance(received(sop: "1.2.3.4", content: "y", path: "third")) == .conflict(keepFile: false))
        #expect(try scratch.queue.storedInstances(study: "1.2.3").map(\.dataSetSHA256) == [SHA256Text.of("x")])
        #expect(try scratch.queue.statistics().quarantined == 1)
        #expect(try scratch.queue.isKnownObjectPath("1.2.3/1.2.3.4-y.dcm"))
        let row = try #require(try scratch.queue.auditRecords(limit: 1).first)
        #expect(row.code == "110113" && row.type == "object-quarantined" && row.outcome == 4)
    }

    @Test func `a quarantined object of a known UID cannot move into another study`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        #expect(try scratch.queue.recordInstance(received(study: "9.9", sop: "1.2.3.4", content: "y")) == .conflict(keepFile: true))
        #expect(throws: QueueError.self) { try scratch.queue.study("9.9") }
    }

    @Test(arguments: ["study", "sop", "class", "path", "digest"])
    func `an object without its names is refused before anything is written`(missing: String) throws {
        let scratch = try Scratch()
        let object = received(sop: "1.2.3.4") { object in
            switch missing {
            case "study": object.study.studyInstanceUID = ""
            case "sop": object.instance.sopInstanceUID = ""
            case "class": object.instance.sopClassUID = ""
            case "path": object.relativePath = ""
            default: object.dataSetSHA256 = ""
            }
        }
        #expect(throws: QueueError.self) { try scratch.queue.recordInstance(object) }
        #expect(try scratch.queue.statistics().instances == 0)
    }

    @Test func `two objects may not share one file`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4", path: "same"))
        #expect(throws: QueueError.self) { try scratch.queue.recordInstance(received(sop: "1.2.3.5", path: "same")) }
        #expect(try scratch.queue.study("1.2.3").instances == 1)
    }

    @Test func `what the first object left empty a later one fills, but never the patient`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4", accession: "") { $0.study.patient.patientBirthDate = "" })
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.5", accession: "ACC2"))
        let study = try scratch.queue.study("ACC2")
        #expect(study.study.accessionNumber == "ACC2")
        #expect(study.study.patient.patientBirthDate == "")
        #expect(study.identityConflict == nil)
    }

    @Test func `an accession number of two studies is refused with both`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(study: "1.1", sop: "1.1.1"))
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "1.2.1"))
        #expect(throws: QueueError.ambiguous(accessionMatches: ["1.1", "1.2"])) { try scratch.queue.study("ACC1") }
    }

    @Test func `an empty accession number finds nothing`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4", accession: ""))
        #expect(throws: QueueError.self) { try scratch.queue.study("") }
    }

    @Test func `listings filter by state, accession number and patient`() throws {
        let scratch = try Scratch()
        try scratch.drafted(study: "1.1")
        _ = try scratch.queue.recordInstance(received(study: "1.2", sop: "1.2.1", patient: "B", accession: "ACC2"))
        func found(_ filter: StudyFilter) throws -> [String] { try scratch.queue.studies(filter: filter).map(\.studyInstanceUID) }
        #expect(try found(StudyFilter()) == ["1.2", "1.1"])
        #expect(try found(StudyFilter(states: [.drafted])) == ["1.1"])
        #expect(try found(StudyFilter(states: [.collecting, .drafted])) == ["1.2", "1.1"])
        #expect(try found(StudyFilter(states: [])) == [])
        #expect(try found(StudyFilter(accessionNumber: "ACC2")) == ["1.2"])
        #expect(try found(StudyFilter(patientID: "PID-B")) == ["1.2"])
        #expect(try scratch.queue.studies(limit: 1).count == 1)
    }
}
