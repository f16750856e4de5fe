/// Colour PNG through libpng, in memory. Nothing of libpng's is visible here, and no error leaves by longjmp.
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

typedef enum {
    CPNG_OK = 0,
    /// libpng refused; the text is its own message. Lack of memory is among its reasons.
    CPNG_FAILED = 1,
    /// A side is 0 or above CPNG_LARGEST_SIDE.
    CPNG_BAD_SIZE = 2,
} cpng_status;

/// Ours, not the format's: so that no size below overflows.
enum { CPNG_LARGEST_SIDE = 16384 };

/// Filled on failure. Owned by the caller.
typedef struct {
    char text[256];
} cpng_error;

/// The most bytes that the PNG of `width * height` pixels can have; 0 for a size that is CPNG_BAD_SIZE.
size_t cpng_largest_length(size_t width, size_t height);

/// Encodes 8-bit RGB, interleaved and row-major, `3 * width * height` bytes of sRGB, into `target`, which the caller owns and which holds
/// `capacity` bytes: at least cpng_largest_length. On success `*length` bytes of it are the file. On failure `*length` is untouched,
/// `target` unspecified and `error` filled. Same pixels, same bytes. Any thread.
cpng_status cpng_encode_rgb(const uint8_t *pixels, size_t width, size_t height,
                            uint8_t *target, size_t capacity, size_t *length, cpng_error *error);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
