#ifndef CDCMTK_CHARSET_H
#define CDCMTK_CHARSET_H

// Text of a data set to UTF-8, and the deflated transfer syntax to bytes.

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

/// Converts `text` from `encoding`, a name of glibc's iconv such as "EUC-JP", to UTF-8. Whole or not at all: a byte that
/// the encoding has no character for is CDCMTK_INVALID_INPUT. CDCMTK_UNSUPPORTED when glibc has no such encoding (its
/// gconv modules are missing). On success `*out` is new, on failure untouched. Any thread.
///
/// DcmSpecificCharacterSet is not used: in Debian's build of DCMTK 3.6.7 it knows neither JIS X 0208 and 0212
/// (ISO 2022 IR 87 and 159), so that no Japanese name can be read, nor ISO_IR 203, and it does not check UTF-8.
cdcmtk_status cdcmtk_text_to_utf8(const char *encoding, const uint8_t *text, size_t count, cdcmtk_bytes *out,
                                  cdcmtk_error *error);

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
