/// Half-precision numbers to 32-bit floating point. Exact: every value of the narrow types is one of the wide type.
#ifndef CK_WIDEN_H
#define CK_WIDEN_H

#include <stddef.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// target[i] = source[i], IEEE 754 binary16, subnormals, infinities and NaN included.
/// `source` holds `count` little-endian 16-bit values at any alignment; no overlap; any thread.
void ck_widen_f16(float *target, const void *source, size_t count);

/// target[i] = source[i], bfloat16: the upper half of a 32-bit float. The rest as above.
void ck_widen_bf16(float *target, const void *source, size_t count);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
