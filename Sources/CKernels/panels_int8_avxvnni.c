// Products of panels with whole numbers with AVX2 and AVX-VNNI (Alder Lake, Zen 5 on).
#if defined(__x86_64__)
#include "panels_int8_kernels.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("f16c,avx2,fma,avxvnni"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_INT8(name) ck_int8_avxvnni_##name
enum { CK_INT8_WIDTH = 8, CK_INT8_BIAS = 128, CK_INT8_NIBBLE_BIAS = 0 };

typedef int32_t CK_INT8(whole) __attribute__((vector_size(CK_INT8_WIDTH * sizeof(int32_t))));

CK_INLINE CK_INT8(whole) CK_INT8(bytes)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) {
    return (CK_INT8(whole))_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)weights, (__m256i)x);
}

CK_INLINE CK_INT8(whole) CK_INT8(nibbles)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) { return CK_INT8(bytes)(sum, weights, x); }

CK_INLINE CK_INT8(whole) CK_INT8(nibbles_total)(CK_INT8(whole) sum) { return sum; }

CK_INLINE void CK_INT8(widen)(float *target, const uint8_t *halves) {
    _mm256_storeu_ps(target, _mm256_cvtph_ps(_mm_loadu_si128((const void *)halves)));
    _mm256_storeu_ps(target + 8, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(halves + 16))));
}

#include "panels_int8.h"
const ck_panel_kernels ck_int8_avxvnni_kernels = CK_INT8_TABLE;
#pragma clang attribute pop
#endif
