#ifndef CDCMTK_CHARSET_H
#define CDCMTK_CHARSET_H

// Text of a data set to UTF-8 (DcmSpecificCharacterSet), and the deflated transfer syntax to bytes.

#include "cdcmtk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// Bytes that the shim allocated: freed with cdcmtk_bytes_free.
typedef struct {
    uint8_t *_Nullable bytes;
    size_t count;
} cdcmtk_bytes;

/// Converts `text` to UTF-8. `specific_character_set` is the value of (0008,0005), components separated by a
/// backslash; `delimiters` are the characters after which code extensions (ISO 2022) start anew: "\\" for SH and LO,
/// "\\^=" for PN. On success `*out` is new, on failure untouched: CDCMTK_UNSUPPORTED for an unknown character set,
/// CDCMTK_INVALID_INPUT for bytes that it has no character for. Any thread.
cdcmtk_status cdcmtk_text_to_utf8(const char *specific_character_set, const char *delimiters, const uint8_t *text,
                                  size_t count, cdcmtk_bytes *out, cdcmtk_error *error);

/// Inflates `deflated` (RFC 1951, as of PS3.5 A.5), at most `limit` bytes: more is CDCMTK_LIMIT_EXCEEDED, a broken or
/// cut stream CDCMTK_INVALID_INPUT. On success `*out` is new, on failure untouched. Any thread.
cdcmtk_status cdcmtk_inflate(const uint8_t *deflated, size_t count, size_t limit, cdcmtk_bytes *out,
                             cdcmtk_error *error);

/// NULL bytes are allowed.
void cdcmtk_bytes_free(cdcmtk_bytes bytes);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
