#ifndef CDCMTK_COMMON_H
#define CDCMTK_COMMON_H

// What every function of the shim shares: how it fails, and what must be done once per process.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// What a call came to. Anything but `CDCMTK_OK` leaves a text in the caller's `cdcmtk_error`.
typedef enum {
    CDCMTK_OK = 0,
    /// Bytes from outside (network, file) break a rule; nothing is wrong with this program or machine.
    CDCMTK_INVALID_INPUT = 1,
    /// Well-formed, but of a kind that this build does not handle.
    CDCMTK_UNSUPPORTED = 2,
    /// A limit of ours was exceeded: size, count, depth.
    CDCMTK_LIMIT_EXCEEDED = 3,
    /// The peer ended the connection, or a deadline did.
    CDCMTK_PEER_CLOSED = 4,
    /// The peer aborted the association (A-ABORT).
    CDCMTK_PEER_ABORTED = 5,
    /// The peer asked for the association's release (A-RELEASE-RQ).
    CDCMTK_PEER_RELEASED = 6,
    /// The peer answered, and refused: association rejected, or a failure status.
    CDCMTK_PEER_REFUSED = 7,
    /// No connection to the peer.
    CDCMTK_UNREACHABLE = 8,
    /// The time that was given ran out.
    CDCMTK_TIMED_OUT = 9,
    /// A system call failed (write, fsync, …): the text has its errno.
    CDCMTK_SYSTEM_ERROR = 10,
    /// Out of memory.
    CDCMTK_OUT_OF_MEMORY = 11,
    /// DCMTK refused, or threw, for a reason of its own.
    CDCMTK_LIBRARY_ERROR = 12,
    /// The caller's own interrupt descriptor became readable.
    CDCMTK_INTERRUPTED = 13,
} cdcmtk_status;

/// Owned by the caller, filled on failure, untouched on success. `text` always ends in NUL; it holds no patient data.
typedef struct {
    cdcmtk_status code;
    /// errno of a failed system call, or DCMTK's module << 16 | code; 0 where neither applies.
    int32_t detail;
    char text[256];
} cdcmtk_error;

/// Must run once before any other call, from any thread; more calls do nothing. Silences DCMTK's own log (it may
/// print patient data), and registers what must be registered before threads start.
void cdcmtk_initialize(void);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
