internal import CDCMTK
internal import ReportModel

/// dcmsr's document under construction: the Swift face of cdcmtk_sr.h. C names stop here.
struct SRBuilder: ~Copyable {
    enum Relationship {
        case contains, hasObservationContext, hasConceptModifier
    }

    private let handle: OpaquePointer

    /// A Basic Text SR with an empty root container.
    init(title: Code, template: String) throws(ReportDocumentError) {
        var created: OpaquePointer?
        try Self.call("title") { error in title.withShimCode { cdcmtk_sr_create($0, template, &created, &error) } }
        guard let created else { throw .refused(what: "title", reason: "no document was created") }
        handle = created
    }

    deinit {
        cdcmtk_sr_free(handle)
    }

    // MARK: - Content

    func container(_ title: Code, content: () throws(ReportDocumentError) -> Void) throws(ReportDocumentError) {
        try Self.call(title.meaning) { error in title.withShimCode { cdcmtk_sr_begin_container(handle, $0, &error) } }
        try content()
        try Self.call(title.meaning) { error in cdcmtk_sr_end_container(handle, &error) }
    }

    func text(_ relationship: Relationship, _ name: Code, _ value: String) throws(ReportDocumentError) {
        try Self.call(name.meaning) { error in
            name.withShimCode { cdcmtk_sr_add_text(handle, relationship.shim, $0, value, &error) }
        }
    }

    func code(_ relationship: Relationship, _ name: Code, _ value: Code) throws(ReportDocumentError) {
        try Self.call(name.meaning) { error in
            name.withShimCode { name in
                value.withShimCode { cdcmtk_sr_add_code(handle, relationship.shim, name, $0, &error) }
            }
        }
    }

    func uid(_ relationship: Relationship, _ name: Code, _ value: String) throws(ReportDocumentError) {
        try Self.call(name.meaning) { error in
            name.withShimCode { cdcmtk_sr_add_uid(handle, relationship.shim, $0, value, &error) }
        }
    }

    func personName(_ relationship: Relationship, _ name: Code, _ value: String) throws(ReportDocumentError) {
        try Self.call(name.meaning) { error in
            name.withShimCode { cdcmtk_sr_add_person_name(handle, relationship.shim, $0, value, &error) }
        }
    }

    // MARK: - References and flags

    func evidence(studyUID: String, _ image: InstanceReference) throws(ReportDocumentError) {
        try Self.call("image reference") { error in
            cdcmtk_sr_add_evidence(
                handle, studyUID, image.seriesInstanceUID, image.sopClassUID, image.sopInstanceUID, &error)
        }
    }

    func predecessor(studyUID: String, _ document: InstanceReference) throws(ReportDocumentError) {
        try Self.call("predecessor") { error in
            cdcmtk_sr_add_predecessor(
                handle, studyUID, document.seriesInstanceUID, document.sopClassUID, document.sopInstanceUID, &error)
        }
    }

    func setPreliminary() throws(ReportDocumentError) {
        try Self.call("Preliminary Flag") { error in cdcmtk_sr_set_preliminary_flag(handle, 0, &error) }
    }

    func setFinal() throws(ReportDocumentError) {
        try Self.call("Preliminary Flag") { error in cdcmtk_sr_set_preliminary_flag(handle, 1, &error) }
    }

    /// Completion Flag COMPLETE and Verification Flag VERIFIED.
    func verify(person: String, id: Code, organization: String, dateTime: String) throws(ReportDocumentError) {
        try Self.call("verification") { error in
            id.withShimCode { cdcmtk_sr_verify(handle, person, $0, organization, dateTime, &error) }
        }
    }

    // MARK: - Header

    /// The content is complete; from here on attributes only.
    func render() throws(ReportDocumentError) {
        try Self.call("content") { error in cdcmtk_sr_render(handle, &error) }
    }

    /// Sets one attribute; `path` as "(0040,A370)[0].(0008,0050)".
    func put(_ path: String, _ value: String) throws(ReportDocumentError) {
        try Self.call(path) { error in cdcmtk_sr_put(handle, path, value, &error) }
    }

    /// A Type 2 sequence without items.
    func putSequence(_ path: String) throws(ReportDocumentError) {
        try Self.call(path) { error in cdcmtk_sr_put_sequence(handle, path, &error) }
    }

    /// A code sequence's first item.
    func putCode(_ path: String, _ code: Code) throws(ReportDocumentError) {
        try put("\(path)[0].(0008,0100)", code.value)
        try put("\(path)[0].(0008,0102)", code.scheme)
        try put("\(path)[0].(0008,0104)", code.meaning)
    }

    /// The Part 10 file.
    func write() throws(ReportDocumentError) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        try Self.call("document") { error in cdcmtk_sr_write(handle, &bytes, &count, &error) }
        defer { cdcmtk_sr_bytes_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    private static func call(
        _ what: String, _ body: (inout cdcmtk_error) -> cdcmtk_status
    ) throws(ReportDocumentError) {
        var error = cdcmtk_error()
        guard body(&error) == CDCMTK_OK else { throw .refused(what: what, reason: error.message) }
    }
}

extension SRBuilder.Relationship {
    fileprivate var shim: cdcmtk_sr_relationship {
        switch self {
        case .contains: CDCMTK_SR_CONTAINS
        case .hasObservationContext: CDCMTK_SR_HAS_OBSERVATION_CONTEXT
        case .hasConceptModifier: CDCMTK_SR_HAS_CONCEPT_MODIFIER
        }
    }
}
