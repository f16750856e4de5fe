// Attention for the baseline processor: the same code as the other sets, whose arithmetic has one meaning on all of them.
#include "attention_kernels.h"
#include "ck_blocks.h"
#include "ck_widen.h"
#include <math.h>
#include <string.h>
#define CK_SET(name) ck_scalar_##name
enum { CK_SET_ROWS = 2, CK_SET_VECTORS = 1 };

typedef float ck_scalar_halves __attribute__((vector_size(CK_LANES * sizeof(float))));
static inline __attribute__((always_inline)) ck_scalar_halves widen_f16(const uint8_t *source) {
    ck_scalar_halves lanes;
    float widened[CK_LANES];
    ck_widen_f16(widened, source, CK_LANES);
    memcpy(&lanes, widened, sizeof lanes);
    return lanes;
}
static inline __attribute__((always_inline)) void narrow_f16(uint8_t *target, ck_scalar_halves lanes) {
    float values[CK_LANES];
    memcpy(values, &lanes, sizeof values);
    ck_narrow_f16(target, values, CK_LANES);
}
#define CK_SET_WIDEN_F16 widen_f16
#define CK_SET_NARROW_F16 narrow_f16
#include "attention_set.h"
const ck_attention_kernels ck_scalar_attention_kernels = CK_SET_ATTENTION_TABLE;
