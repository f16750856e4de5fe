#ifndef CDCMTK_ASSOCIATION_H
#define CDCMTK_ASSOCIATION_H

// The acceptor's side of one association, over DCMTK's lower layer (ASC_*, DUL_*): negotiation and P-DATA, no DIMSE and
// no data sets. DCMTK never reads more than the caller allows: the connection under it is ours, with total deadlines.

#include "cdcmtk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

typedef struct cdcmtk_association cdcmtk_association;

/// What ends a wait besides data.
typedef struct {
    /// CLOCK_MONOTONIC, nanoseconds: after it, reads and writes fail with CDCMTK_TIMED_OUT. However slowly bytes come.
    int64_t deadline;
    /// A descriptor that becomes readable when waiting is pointless (shutdown): reads fail with CDCMTK_INTERRUPTED.
    /// Negative: none.
    int32_t interrupt;
} cdcmtk_wait;

/// One presentation data value. PS3.8 Table 9-23.
typedef struct {
    uint8_t presentation_context_id;
    uint8_t is_command;
    uint8_t is_last;
    /// Borrowed: valid until the next call on the same association.
    const uint8_t *_Nullable bytes;
    size_t count;
} cdcmtk_pdv;

/// Result of a presentation context. PS3.8 Table 9-18.
enum {
    CDCMTK_CONTEXT_ACCEPTED = 0,
    CDCMTK_CONTEXT_USER_REJECTION = 1,
    CDCMTK_CONTEXT_NO_REASON = 2,
    CDCMTK_CONTEXT_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3,
    CDCMTK_CONTEXT_TRANSFER_SYNTAXES_NOT_SUPPORTED = 4,
};

/// Hands a request to DCMTK. `request` is the complete A-ASSOCIATE-RQ PDU (header included), already read from
/// `socket_descriptor` and checked by the caller; both are copied (dup). On success `*out` is a new association in the
/// state "request received", freed with cdcmtk_association_free; on failure `*out` is untouched.
/// Any thread; calls of several threads take turns for some microseconds.
cdcmtk_status cdcmtk_association_receive(int32_t socket_descriptor, const uint8_t *request, size_t request_count,
                                         uint32_t maximum_pdu, cdcmtk_wait wait,
                                         cdcmtk_association *_Nullable *_Nonnull out, cdcmtk_error *error);

/// Answers one proposed context with a transfer syntax. Before cdcmtk_association_acknowledge.
cdcmtk_status cdcmtk_association_accept_context(cdcmtk_association *association, uint8_t presentation_context_id,
                                                const char *transfer_syntax, cdcmtk_error *error);

/// Answers one proposed context with a refusal, CDCMTK_CONTEXT_….
cdcmtk_status cdcmtk_association_refuse_context(cdcmtk_association *association, uint8_t presentation_context_id,
                                                uint8_t result, cdcmtk_error *error);

/// Sends A-ASSOCIATE-AC. Every proposed context must have been answered.
cdcmtk_status cdcmtk_association_acknowledge(cdcmtk_association *association, cdcmtk_error *error);

/// The next presentation data value. Other ends of the association are failures: CDCMTK_PEER_RELEASED (the
/// caller sends A-RELEASE-RP on its own descriptor), CDCMTK_PEER_ABORTED, CDCMTK_PEER_CLOSED, CDCMTK_TIMED_OUT,
/// CDCMTK_INTERRUPTED, CDCMTK_LIBRARY_ERROR for a malformed PDU. One thread at a time.
cdcmtk_status cdcmtk_association_next_pdv(cdcmtk_association *association, cdcmtk_wait wait, cdcmtk_pdv *out,
                                          cdcmtk_error *error);

/// Sends one complete command set as P-DATA, in as many PDVs as the peer's maximum length asks for.
cdcmtk_status cdcmtk_association_send_command(cdcmtk_association *association, uint8_t presentation_context_id,
                                              const uint8_t *bytes, size_t count, cdcmtk_wait wait,
                                              cdcmtk_error *error);

/// Closes DCMTK's copy of the socket (the caller's stays open) and frees everything. NULL is allowed.
void cdcmtk_association_free(cdcmtk_association *_Nullable association);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
