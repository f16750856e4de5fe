// Products of panels with whole numbers with AVX-512 VNNI (Cascade Lake, Zen 4 on).
#if defined(__x86_64__)
#include "panels_int8_kernels.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,avx2,fma"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_INT8(name) ck_int8_avx512vnni_##name
enum { CK_INT8_WIDTH = 16, CK_INT8_BIAS = 128, CK_INT8_NIBBLE_BIAS = 0 };

typedef int32_t CK_INT8(whole) __attribute__((vector_size(CK_INT8_WIDTH * sizeof(int32_t))));

CK_INLINE CK_INT8(whole) CK_INT8(bytes)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) {
    return (CK_INT8(whole))_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, (__m512i)x);
}

CK_INLINE CK_INT8(whole) CK_INT8(nibbles)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) { return CK_INT8(bytes)(sum, weights, x); }

CK_INLINE CK_INT8(whole) CK_INT8(nibbles_total)(CK_INT8(whole) sum) { return sum; }

CK_INLINE void CK_INT8(widen)(float *target, const uint8_t *halves) { _mm512_storeu_ps(target, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves))); }

#include "panels_int8.h"
const ck_panel_kernels ck_int8_avx512vnni_kernels = CK_INT8_TABLE;
#pragma clang attribute pop
#endif
