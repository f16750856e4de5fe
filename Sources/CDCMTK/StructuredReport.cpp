#include "Guard.hpp"
#include "include/cdcmtk_sr.h"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcpath.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmsr/dsrdoc.h>

#include <memory>

struct cdcmtk_sr {
    DSRDocument document;
    DcmFileFormat file;
    /// Containers opened below the root.
    unsigned depth = 0;
    /// The next item goes below the current one, not after it.
    bool isContainerEmpty = true;
    bool isRendered = false;
};

namespace {

using namespace cdcmtk;

DSRCodedEntryValue entry(const cdcmtk_code &code) { return DSRCodedEntryValue(code.value, code.scheme, code.meaning); }

DSRTypes::E_RelationshipType relationshipOf(cdcmtk_sr_relationship relationship) {
    switch (relationship) {
        case CDCMTK_SR_HAS_OBSERVATION_CONTEXT: return DSRTypes::RT_hasObsContext;
        case CDCMTK_SR_HAS_CONCEPT_MODIFIER: return DSRTypes::RT_hasConceptMod;
        default: return DSRTypes::RT_contains;
    }
}

/// Adds an item to the open container and makes it the current one. `code` is in every message: no patient data.
DSRContentItem &add(cdcmtk_sr &report, DSRTypes::E_RelationshipType relationship, DSRTypes::E_ValueType type,
                    const cdcmtk_code &name) {
    if (report.isRendered) throw Failure(CDCMTK_LIBRARY_ERROR, "an item was added to a rendered document");
    DSRDocumentTree &tree = report.document.getTree();
    const auto mode = report.isContainerEmpty ? DSRTypes::AM_belowCurrent : DSRTypes::AM_afterCurrent;
    if (tree.addContentItem(relationship, type, mode) == 0)
        throw Failure(CDCMTK_INVALID_INPUT, std::string("item ") + name.value + " is not allowed here");
    report.isContainerEmpty = false;
    DSRContentItem &item = tree.getCurrentContentItem();
    check((std::string("name item ") + name.value).c_str(), item.setConceptName(entry(name)));
    return item;
}

DcmObject &objectAt(cdcmtk_sr &report, const char *path) {
    if (!report.isRendered) throw Failure(CDCMTK_LIBRARY_ERROR, "the document is not rendered yet");
    DcmPathProcessor processor;
    processor.setItemWildcardSupport(OFFalse);
    check((std::string("create ") + path).c_str(), processor.findOrCreatePath(report.file.getDataset(), path, OFTrue));
    OFList<DcmPath *> results;
    if (processor.getResults(results) != 1)
        throw Failure(CDCMTK_LIBRARY_ERROR, std::string("the path ") + path + " is not one attribute");
    DcmPath &found = *results.front();
    return *(*std::prev(found.end()))->m_obj;
}

/// Part 10, explicit little endian, defined lengths.
std::vector<uint8_t> serialise(DcmFileFormat &file) {
    constexpr auto syntax = EXS_LittleEndianExplicit;
    check("prepare the file's header", file.validateMetaInfo(syntax, EWM_createNewMeta));
    const uint32_t estimate = file.calcElementLength(syntax, EET_ExplicitLength);
    std::vector<uint8_t> bytes(size_t{estimate} + 65536);  // the preamble and the group lengths come on top
    DcmOutputBufferStream stream(bytes.data(), static_cast<offile_off_t>(bytes.size()));
    file.transferInit();
    const OFCondition condition = file.write(stream, syntax, EET_ExplicitLength, nullptr, EGL_recalcGL, EPD_noChange);
    file.transferEnd();
    check("write the document", condition);
    void *written = nullptr;
    offile_off_t count = 0;
    stream.flushBuffer(written, count);
    if (written != bytes.data() || count <= 0) throw Failure(CDCMTK_LIBRARY_ERROR, "write the document: no bytes");
    bytes.resize(static_cast<size_t>(count));
    return bytes;
}

}  // namespace

extern "C" {

cdcmtk_status cdcmtk_sr_create(cdcmtk_code title, const char *template_id, cdcmtk_sr **out, cdcmtk_error *error) {
    return guarded(error, [&] {
        cdcmtk_initialize();
        auto report = std::make_unique<cdcmtk_sr>();
        DSRDocument &document = report->document;
        check("create a Basic Text SR", document.createNewDocument(DSRTypes::DT_BasicTextSR));
        check("choose UTF-8", document.setSpecificCharacterSetType(DSRTypes::CS_UTF8));
        if (document.getTree().addContentItem(DSRTypes::RT_isRoot, DSRTypes::VT_Container) == 0)
            throw Failure(CDCMTK_LIBRARY_ERROR, "the root container could not be created");
        DSRContentItem &root = document.getTree().getCurrentContentItem();
        check("title the document", root.setConceptName(entry(title)));
        check("name the template", root.setTemplateIdentification(template_id, "DCMR"));
        *out = report.release();
    });
}

void cdcmtk_sr_free(cdcmtk_sr *document) { delete document; }

cdcmtk_status cdcmtk_sr_begin_container(cdcmtk_sr *document, cdcmtk_code title, cdcmtk_error *error) {
    return guarded(error, [&] {
        add(*document, DSRTypes::RT_contains, DSRTypes::VT_Container, title);
        document->depth += 1;
        document->isContainerEmpty = true;
    });
}

cdcmtk_status cdcmtk_sr_end_container(cdcmtk_sr *document, cdcmtk_error *error) {
    return guarded(error, [&] {
        if (document->depth == 0) throw Failure(CDCMTK_LIBRARY_ERROR, "no container is open");
        // An empty container is itself the current item already.
        if (!document->isContainerEmpty && document->document.getTree().goUp() == 0)
            throw Failure(CDCMTK_LIBRARY_ERROR, "the container could not be left");
        document->depth -= 1;
        document->isContainerEmpty = false;
    });
}

cdcmtk_status cdcmtk_sr_add_text(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                 const char *text, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("add a text", add(*document, relationshipOf(relationship), DSRTypes::VT_Text, name).setStringValue(text));
    });
}

cdcmtk_status cdcmtk_sr_add_code(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                 cdcmtk_code value, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("add a code", add(*document, relationshipOf(relationship), DSRTypes::VT_Code, name).setCodeValue(entry(value)));
    });
}

cdcmtk_status cdcmtk_sr_add_uid(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                const char *uid, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("add a UID", add(*document, relationshipOf(relationship), DSRTypes::VT_UIDRef, name).setStringValue(uid));
    });
}

cdcmtk_status cdcmtk_sr_add_person_name(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                        const char *person, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("add a name", add(*document, relationshipOf(relationship), DSRTypes::VT_PName, name).setStringValue(person));
    });
}

cdcmtk_status cdcmtk_sr_add_evidence(cdcmtk_sr *document, const char *study_uid, const char *series_uid,
                                     const char *sop_class_uid, const char *sop_instance_uid, cdcmtk_error *error) {
    return guarded(error, [&] {
        // Unchecked: these are the UIDs of what was received, right or wrong.
        check("reference an image", document->document.getCurrentRequestedProcedureEvidence().addItem(
                                        study_uid, series_uid, sop_class_uid, sop_instance_uid, OFFalse));
    });
}

cdcmtk_status cdcmtk_sr_add_predecessor(cdcmtk_sr *document, const char *study_uid, const char *series_uid,
                                        const char *sop_class_uid, const char *sop_instance_uid, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("reference the predecessor", document->document.getPredecessorDocuments().addItem(
                                               study_uid, series_uid, sop_class_uid, sop_instance_uid, OFFalse));
    });
}

cdcmtk_status cdcmtk_sr_set_preliminary_flag(cdcmtk_sr *document, uint8_t is_final, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("set the Preliminary Flag", document->document.setPreliminaryFlag(
                                              is_final != 0 ? DSRTypes::PF_Final : DSRTypes::PF_Preliminary));
    });
}

cdcmtk_status cdcmtk_sr_verify(cdcmtk_sr *document, const char *person, cdcmtk_code person_id,
                               const char *organization, const char *date_time, cdcmtk_error *error) {
    return guarded(error, [&] {
        check("complete the document", document->document.completeDocument());
        check("verify the document",
              document->document.verifyDocument(person, entry(person_id), organization, date_time, OFFalse));
    });
}

cdcmtk_status cdcmtk_sr_render(cdcmtk_sr *document, cdcmtk_error *error) {
    return guarded(error, [&] {
        if (document->depth != 0) throw Failure(CDCMTK_LIBRARY_ERROR, "a container is still open");
        check("render the document", document->document.write(*document->file.getDataset()));
        document->isRendered = true;
    });
}

cdcmtk_status cdcmtk_sr_put(cdcmtk_sr *document, const char *path, const char *value, cdcmtk_error *error) {
    return guarded(error, [&] {
        auto *element = dynamic_cast<DcmElement *>(&objectAt(*document, path));
        if (element == nullptr) throw Failure(CDCMTK_LIBRARY_ERROR, std::string(path) + " takes no value");
        check((std::string("set ") + path).c_str(), element->putString(value));
    });
}

cdcmtk_status cdcmtk_sr_put_sequence(cdcmtk_sr *document, const char *path, cdcmtk_error *error) {
    return guarded(error, [&] {
        if (dynamic_cast<DcmSequenceOfItems *>(&objectAt(*document, path)) == nullptr)
            throw Failure(CDCMTK_LIBRARY_ERROR, std::string(path) + " is not a sequence");
    });
}

cdcmtk_status cdcmtk_sr_write(cdcmtk_sr *document, uint8_t **bytes, size_t *count, cdcmtk_error *error) {
    return guarded(error, [&] {
        if (!document->isRendered) throw Failure(CDCMTK_LIBRARY_ERROR, "the document is not rendered yet");
        const std::vector<uint8_t> written = serialise(document->file);
        // What another reader will do: an SR that dcmsr itself refuses never leaves.
        DSRDocument again;
        check("read the document back", again.read(*document->file.getDataset()));
        auto *copy = new uint8_t[written.size()];
        std::memcpy(copy, written.data(), written.size());
        *bytes = copy;
        *count = written.size();
    });
}

void cdcmtk_sr_bytes_free(uint8_t *bytes) { delete[] bytes; }

}  // extern "C"
