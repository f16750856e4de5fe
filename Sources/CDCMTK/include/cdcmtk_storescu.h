#ifndef CDCMTK_STORESCU_H
#define CDCMTK_STORESCU_H

// C-STORE as SCU: one association, one object.

#include "cdcmtk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// Where and how. Strings are NUL-terminated and copied.
typedef struct {
    const char *host;
    uint16_t port;
    const char *calling_ae_title;
    const char *called_ae_title;
    /// TCP connection, in milliseconds.
    uint32_t connect_milliseconds;
    /// From the call to the response, in milliseconds; then the socket is shut down.
    uint32_t total_milliseconds;
} cdcmtk_store_destination;

/// What the peer said. All zero unless the call's text says otherwise.
typedef struct {
    /// Status (0000,0900) of the response; valid where `responded` is not 0.
    uint16_t dimse_status;
    uint8_t responded;
    /// A-ASSOCIATE-RJ (PS3.8 Table 9-21), 0 where the association was not rejected.
    uint8_t reject_result;
    uint8_t reject_source;
    uint8_t reject_reason;
    /// The peer accepted the association without the object's SOP class.
    uint8_t no_presentation_context;
} cdcmtk_store_outcome;

/// Sends the Part 10 object in `bytes` (borrowed for the call) and waits for the response. Explicit or implicit little
/// endian only, as the object is and as the peer accepts. CDCMTK_OK means: the peer responded, and `outcome` has its
/// status, whatever it is. Blocks; any thread, several at once.
cdcmtk_status cdcmtk_store_send(const cdcmtk_store_destination *destination, const uint8_t *bytes, size_t count,
                                cdcmtk_store_outcome *outcome, cdcmtk_error *error);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
