// Products of panels with whole numbers for the baseline processor: the specification.
#include "ck_widen.h"
#include "panels_int8_kernels.h"
#include <math.h>
#include <string.h>
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(disable)")
#define CK_INT8(name) ck_int8_scalar_##name
enum { CK_INT8_WIDTH = 4, CK_INT8_BIAS = 128, CK_INT8_NIBBLE_BIAS = 0 };

typedef int32_t CK_INT8(whole) __attribute__((vector_size(CK_INT8_WIDTH * sizeof(int32_t))));

/// Four unsigned bytes times four signed ones, in each lane.
CK_INLINE CK_INT8(whole) CK_INT8(bytes)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) {
    CK_UNROLL
    for (int byte = 0; byte < 4; byte++) sum += (weights >> (8 * byte) & 255) * (x << (24 - 8 * byte) >> 24);
    return sum;
}

CK_INLINE CK_INT8(whole) CK_INT8(nibbles)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) { return CK_INT8(bytes)(sum, weights, x); }

CK_INLINE CK_INT8(whole) CK_INT8(nibbles_total)(CK_INT8(whole) sum) { return sum; }

CK_INLINE void CK_INT8(widen)(float *target, const uint8_t *halves) { ck_widen_f16(target, halves, CK_PANEL_OUTPUTS); }

#include "panels_int8.h"
const ck_panel_kernels ck_int8_scalar_kernels = CK_INT8_TABLE;
