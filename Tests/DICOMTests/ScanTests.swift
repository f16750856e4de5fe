import DICOM
import ReportModel
import Testing

@Suite struct ScanTests {
    private func scan(
        _ bytes: [UInt8], _ encoding: TransferSyntax.ElementEncoding = .explicitLittle
    ) throws(DataSetError) -> DataSetDescription {
        try bytes.withUnsafeBytes { bytes in
            Result { () throws(DataSetError) in
                DataSetDescription(try DataSetScan(bytes, encoding: encoding), transferSyntaxUID: "1.2")
            }
        }.get()
    }

    @Test(arguments: [
        TransferSyntax.implicitVRLittleEndian, TransferSyntax.explicitVRLittleEndian, TransferSyntax.explicitVRBigEndian,
        "1.2.840.10008.1.2.4.90",
    ])
    func `a film reads the same in every encoding`(_ transferSyntax: String) throws {
        let film = SyntheticFilm(transferSyntaxUID: transferSyntax)
        let encoding = try #require(TransferSyntax.elementEncoding(of: transferSyntax))
        let description = try scan(film.dataSet, encoding)
        #expect(description.flags.isEmpty)
        #expect(description.study.patient.patientName == "Synthetic^Film")
        #expect(description.study.studyInstanceUID == "2.25.1002")
        #expect(description.instance.rows == 2)
        #expect(description.instance.columns == 2)
        #expect(description.instance.bodyPartExamined == "CHEST")
    }

    @Test func `the first items of sequences are read, and only those`() throws {
        func code(_ set: inout DataSetBuilder, _ value: String) {
            set.item()
            set.text(.codeValue, "SH", value)
            set.text(.codingSchemeDesignator, "SH", "SCT")
            set.text(.codeMeaning, "LO", "meaning of \(value)")
            set.endItem()
        }
        let film = SyntheticFilm(extra: { set in
            set.header(.requestAttributesSequence, "SQ", length: 0xFFFF_FFFF)
            for number in 1...2 {
                set.item()
                set.header(.requestedProcedureCodeSequence, "SQ", length: 0xFFFF_FFFF)
                code(&set, "P\(number)")
                set.endSequence()
                set.text(.requestedProcedureID, "SH", "RP\(number)")
                set.text(.fillerOrderNumber, "LO", "F\(number)")
                set.endItem()
            }
            set.endSequence()
            set.header(.viewCodeSequence, "SQ", length: 0xFFFF_FFFF)
            code(&set, "399348003")
            code(&set, "other")
            set.endSequence()
        })
        let description = try scan(film.dataSet)
        #expect(description.study.requestedProcedureID == "RP1")
        #expect(description.study.fillerOrderNumber == "F1")
        #expect(description.study.procedureCode == Code(value: "P1", scheme: "SCT", meaning: "meaning of P1"))
        #expect(description.instance.viewCode == Code(value: "399348003", scheme: "SCT", meaning: "meaning of 399348003"))
    }

    @Test func `64 levels are walked and 65 are not, in every way to write a sequence`() throws {
        /// Innermost first: each level wraps what is there.
        func definedLength(_ depth: Int, vr: String) -> [UInt8] {
            var inner: [UInt8] = []
            for _ in 0..<depth {
                var set = DataSetBuilder()
                set.isExplicit = vr != ""
                let length = UInt32(inner.count + 8)
                set.header(Tag(0x0040, 0x0275), vr, length: length)
                set.item(length: UInt32(inner.count))
                inner = set.bytes + inner
            }
            return inner
        }
        func undefinedLength(_ depth: Int, vr: String) -> [UInt8] {
            var set = DataSetBuilder()
            set.isExplicit = vr != ""
            for _ in 0..<depth {
                set.header(Tag(0x0040, 0x0275), vr, length: 0xFFFF_FFFF)
                set.item()
            }
            for _ in 0..<depth {
                set.endItem()
                set.endSequence()
            }
            return set.bytes
        }
        for (make, vr, encoding) in [
            (definedLength, "SQ", .explicitLittle), (definedLength, "", .implicitLittle),
            (undefinedLength, "SQ", .explicitLittle), (undefinedLength, "", .implicitLittle),
        ] as [((Int, String) -> [UInt8], String, TransferSyntax.ElementEncoding)] {
            _ = try scan(make(64, vr), encoding)
            #expect(throws: DataSetError.self) { try scan(make(65, vr), encoding) }
            // Ten kilobytes of depth must cost neither stack nor much time.
            #expect(throws: DataSetError.self) { try scan(make(1000, vr), encoding) }
        }
    }

    @Test func `UN of undefined length is walked as implicit little endian`() throws {
        var inner = DataSetBuilder()
        inner.isExplicit = false
        inner.item()
        inner.text(Tag(0x0008, 0x0100), "", "CODE")
        inner.endItem()
        inner.endSequence()
        let film = SyntheticFilm(extra: { set in
            set.header(Tag(0x0029, 0x1010), "UN", length: 0xFFFF_FFFF)
            set.bytes += inner.bytes
        })
        #expect(try scan(film.dataSet).flags.isEmpty)
    }

    @Test func `a private value that only begins like a sequence is passed over and flagged`() throws {
        let film = SyntheticFilm(extra: { set in
            set.element(Tag(0x0029, 0x1010), "UN", [0xFE, 0xFF, 0x00, 0xE0, 4, 0, 0, 0, 1, 2, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9])
        })
        let description = try scan(film.dataSet)
        #expect(description.flags == [.opaqueSequence])
        #expect(description.instance.rows == 2)
    }

    @Test func `every cut of a film is read whole or refused, and never trusted beyond its bytes`() throws {
        for transferSyntax in [TransferSyntax.implicitVRLittleEndian, TransferSyntax.explicitVRLittleEndian, "1.2.840.10008.1.2.4.90"] {
            let film = SyntheticFilm(transferSyntaxUID: transferSyntax, extra: { set in
                set.header(.viewCodeSequence, "SQ", length: 0xFFFF_FFFF)
                set.item()
                set.text(.codeValue, "SH", "X")
                set.endItem()
                set.endSequence()
            })
            let whole = film.file
            var refused = 0
            for count in 0..<whole.count {
                let cut = Array(whole.prefix(count))
                let result = cut.withUnsafeBytes { bytes in
                    Result { () throws(DataSetError) in try DICOMFile.describe(bytes, maximumBytes: 1 << 20) }
                }
                if case .failure = result { refused += 1 }
            }
            // Cuts between two elements, or with fewer than eight bytes behind one, look like a shorter data set.
            #expect(refused > whole.count / 3)
        }
    }

    @Test func `every byte of a film changed to an extreme is read or refused`() throws {
        let whole = SyntheticFilm(transferSyntaxUID: "1.2.840.10008.1.2.4.90").dataSet
        var outcomes: Set<Bool> = []
        for index in whole.indices {
            for value: UInt8 in [0x00, 0x7F, 0xFE, 0xFF] {
                var changed = whole
                changed[index] = value
                outcomes.insert((try? scan(changed)) != nil)
            }
        }
        #expect(outcomes == [true, false])
    }

    @Test func `a length beyond the end is refused with the element's tag`() throws {
        var set = DataSetBuilder()
        set.text(.modality, "CS", "DX")
        set.header(.patientID, "LO", length: 100)
        #expect(throws: DataSetError.lengthExceedsBytesLeft(tag: "(0010,0020)", length: 100, bytesLeft: 0, offset: 10)) {
            try scan(set.bytes)
        }
    }

    @Test func `what is odd but safe is flagged`() throws {
        func flags(_ change: @escaping (inout DataSetBuilder) -> Void) throws -> Set<DataSetFlag> {
            try scan(SyntheticFilm(extra: change).dataSet).flags
        }
        #expect(try flags { $0.endItem() } == [.strayDelimiter])
        #expect(try flags { $0.text(.modality, "CS", "CR") } == [.outOfOrder])
        #expect(try flags { $0.text(Tag(0x0029, 0x1010), "ZZ", "AB") } == [.unknownVR])
        #expect(try flags { $0.text(Tag(0x0029, 0x1010), "LO", "A"); $0.text(Tag(0x0029, 0x1010), "LO", "B") } == [.duplicateAttribute])
        #expect(try scan(SyntheticFilm().dataSet + [0, 0, 0]).flags == [.trailingBytes])
        #expect(try scan(SyntheticFilm().dataSet + [UInt8](repeating: 0, count: 500)).flags == [.trailingBytes])
    }

    @Test func `the first of two values counts`() throws {
        let film = SyntheticFilm(extra: { set in set.text(.patientID, "LO", "OTHER") })
        #expect(try scan(film.dataSet).study.patient.patientID == "PID-1")
    }

    @Test func `elements that are encoded otherwise than promised are read and flagged`() throws {
        let implicit = try scan(SyntheticFilm(transferSyntaxUID: TransferSyntax.implicitVRLittleEndian).dataSet, .explicitLittle)
        #expect(implicit.flags == [.wrongVREncoding])
        #expect(implicit.study.patient.patientID == "PID-1")
        let explicit = try scan(SyntheticFilm().dataSet, .implicitLittle)
        #expect(explicit.flags == [.wrongVREncoding])
        #expect(explicit.study.patient.patientID == "PID-1")
    }

    @Test func `a long value is cut and flagged`() throws {
        let film = SyntheticFilm(patientName: String(repeating: "N", count: 60_000))
        let description = try scan(film.dataSet)
        #expect(description.flags == [.valueCut, .valueTooLong])
        #expect(description.study.patient.patientName.count == DataSetScan.maximumValueBytes)
    }

    @Test func `empty elements (0000,0000) without end are not quadratic`() throws {
        // Half a million of them; looking ahead from each would be 10^12 bytes.
        let zeros = [UInt8](repeating: 0, count: 400_000 * 8)
        let description = try scan(SyntheticFilm().dataSet + zeros + [0x29, 0, 0x10, 0x10, 0x4C, 0x4F, 0, 0])
        #expect(description.flags.contains(.strayGroup))
    }

    @Test func `more elements than the limit are refused`() throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * (DataSetScan.maximumElements + 1))
        for _ in 0...DataSetScan.maximumElements { bytes += [0x29, 0, 0x10, 0x10, 0x4C, 0x4F, 0, 0] }
        #expect(throws: DataSetError.tooManyElements(limit: DataSetScan.maximumElements)) { try scan(bytes) }
    }
}
