#ifndef CDCMTK_SR_H
#define CDCMTK_SR_H

// Building a structured report through dcmsr, which checks every relationship against the IOD (PS3.3 A.35).
// The shim decides nothing: which items, codes and flags there are is Swift's. No clock, no random UID.

#include "cdcmtk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// A document under construction. Not shared between threads.
typedef struct cdcmtk_sr cdcmtk_sr;

/// PS3.3 Table 8.8-1; NUL-terminated UTF-8, copied.
typedef struct {
    const char *value;
    const char *scheme;
    const char *meaning;
} cdcmtk_code;

/// PS3.3 Table C.17.3-8.
typedef enum {
    CDCMTK_SR_CONTAINS = 0,
    CDCMTK_SR_HAS_OBSERVATION_CONTEXT = 1,
    CDCMTK_SR_HAS_CONCEPT_MODIFIER = 2,
} cdcmtk_sr_relationship;

/// A new Basic Text SR (1.2.840.10008.5.1.4.1.1.88.11) in UTF-8, with an empty root container of that title, root
/// template `template_id` of DCMR. On success `*out` is freed with cdcmtk_sr_free; on failure it is untouched.
cdcmtk_status cdcmtk_sr_create(cdcmtk_code title, const char *template_id, cdcmtk_sr *_Nullable *_Nonnull out,
                               cdcmtk_error *error);
/// Accepts NULL.
void cdcmtk_sr_free(cdcmtk_sr *_Nullable document);

/// Opens a container below the current one; what follows goes into it until cdcmtk_sr_end_container.
cdcmtk_status cdcmtk_sr_begin_container(cdcmtk_sr *document, cdcmtk_code title, cdcmtk_error *error);
cdcmtk_status cdcmtk_sr_end_container(cdcmtk_sr *document, cdcmtk_error *error);

/// Adds a leaf to the current container.
cdcmtk_status cdcmtk_sr_add_text(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                 const char *text, cdcmtk_error *error);
cdcmtk_status cdcmtk_sr_add_code(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                 cdcmtk_code value, cdcmtk_error *error);
cdcmtk_status cdcmtk_sr_add_uid(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                const char *uid, cdcmtk_error *error);
cdcmtk_status cdcmtk_sr_add_person_name(cdcmtk_sr *document, cdcmtk_sr_relationship relationship, cdcmtk_code name,
                                        const char *person, cdcmtk_error *error);

/// Current Requested Procedure Evidence Sequence (0040,A375): one image.
cdcmtk_status cdcmtk_sr_add_evidence(cdcmtk_sr *document, const char *study_uid, const char *series_uid,
                                     const char *sop_class_uid, const char *sop_instance_uid, cdcmtk_error *error);
/// Predecessor Documents Sequence (0040,A360): one document.
cdcmtk_status cdcmtk_sr_add_predecessor(cdcmtk_sr *document, const char *study_uid, const char *series_uid,
                                        const char *sop_class_uid, const char *sop_instance_uid, cdcmtk_error *error);

/// Preliminary Flag (0040,A496): PRELIMINARY where `is_final` is 0, otherwise FINAL.
cdcmtk_status cdcmtk_sr_set_preliminary_flag(cdcmtk_sr *document, uint8_t is_final, cdcmtk_error *error);
/// Completion Flag COMPLETE, then Verification Flag VERIFIED with one Verifying Observer (0040,A073).
/// `date_time` is DT with offset. Without this call the document is PARTIAL and UNVERIFIED.
cdcmtk_status cdcmtk_sr_verify(cdcmtk_sr *document, const char *person, cdcmtk_code person_id,
                               const char *organization, const char *date_time, cdcmtk_error *error);

/// Turns the tree into a data set; after it only cdcmtk_sr_put, _put_sequence and _write may be called.
/// DCMTK has then put UIDs and times of its own into the header: the caller overwrites every one of them.
cdcmtk_status cdcmtk_sr_render(cdcmtk_sr *document, cdcmtk_error *error);
/// Sets an attribute by its path, creating items: "(0040,A370)[0].(0008,0050)". The value is taken as it is.
cdcmtk_status cdcmtk_sr_put(cdcmtk_sr *document, const char *path, const char *value, cdcmtk_error *error);
/// Creates the sequence at `path` without items, where it is not there yet: the Type 2 ones.
cdcmtk_status cdcmtk_sr_put_sequence(cdcmtk_sr *document, const char *path, cdcmtk_error *error);
/// The finished object as a Part 10 file, explicit little endian. It has been read back through dcmsr before it is
/// returned. `*bytes` is freed with cdcmtk_sr_bytes_free.
cdcmtk_status cdcmtk_sr_write(cdcmtk_sr *document, uint8_t *_Nullable *_Nonnull bytes, size_t *count,
                              cdcmtk_error *error);
/// Accepts NULL.
void cdcmtk_sr_bytes_free(uint8_t *_Nullable bytes);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
