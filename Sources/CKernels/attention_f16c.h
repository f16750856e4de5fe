// Part of attention_avx2.c and attention_avx512.c: halves with the processor's own conversions, the numbers of ck_widen_f16 and ck_narrow_f16.
typedef _Float16 CK_SET(halves) __attribute__((vector_size(CK_LANES * sizeof(_Float16))));
typedef float CK_SET(widened) __attribute__((vector_size(CK_LANES * sizeof(float))));

static inline __attribute__((always_inline)) CK_SET(widened) CK_SET(widen_f16)(const uint8_t *source) {
    CK_SET(halves) halves;
    memcpy(&halves, source, sizeof halves);
    return __builtin_convertvector(halves, CK_SET(widened));
}

static inline __attribute__((always_inline)) void CK_SET(narrow_f16)(uint8_t *target, CK_SET(widened) lanes) {
    CK_SET(halves) halves = __builtin_convertvector(lanes, CK_SET(halves));
    memcpy(target, &halves, sizeof halves);
}

#define CK_SET_WIDEN_F16 CK_SET(widen_f16)
#define CK_SET_NARROW_F16 CK_SET(narrow_f16)
