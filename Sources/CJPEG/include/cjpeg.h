/// Grayscale JPEG through libjpeg, in memory. Nothing of libjpeg's is visible here, and no error leaves by longjmp.
#ifndef CJPEG_H
#define CJPEG_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef enum {
    CJPEG_OK = 0,
    /// libjpeg refused; the text is its own message.
    CJPEG_FAILED = 1,
    CJPEG_OUT_OF_MEMORY = 2,
    /// A side is 0 or above 65500 (libjpeg's JPEG_MAX_DIMENSION).
    CJPEG_BAD_SIZE = 3,
} cjpeg_status;

/// Filled on failure. Owned by the caller.
typedef struct {
    char text[256];
} cjpeg_error;

/// What a baseline JPEG of quality `quality` (1...100) makes of `pixels`: encoded and decoded again, both with the accurate
/// integer DCT, as libjpeg does by default. Row-major, `width * height` bytes each; `result` may be `pixels`.
/// On failure `result` is unspecified and `error` filled. Any thread.
cjpeg_status cjpeg_round_trip(const uint8_t *pixels, size_t width, size_t height, int quality,
                              uint8_t *result, cjpeg_error *error);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
