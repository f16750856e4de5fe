// Products of panels with whole numbers with AVX2 and FMA.
#if defined(__x86_64__)
#include "panels_int8_kernels.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("f16c,avx2,fma"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_INT8(name) ck_int8_avx2_##name
enum { CK_INT8_WIDTH = 8, CK_INT8_BIAS = 0, CK_INT8_NIBBLE_BIAS = 0 };

typedef int32_t CK_INT8(whole) __attribute__((vector_size(CK_INT8_WIDTH * sizeof(int32_t))));

/// The compiler may not regroup this sum: it would compute one output after the other and run out of registers for what they share.
CK_INLINE CK_INT8(whole) CK_INT8(in_order)(__m256i sum) {
    __asm__("" : "+x"(sum));
    return (CK_INT8(whole))sum;
}

/// In 16-bit halves of a lane: those of 32 columns are within 16 * 15 * 127 < 2^15.
CK_INLINE CK_INT8(whole) CK_INT8(nibbles)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) {
    return CK_INT8(in_order)(_mm256_add_epi16((__m256i)sum, _mm256_maddubs_epi16((__m256i)weights, (__m256i)x)));
}

CK_INLINE CK_INT8(whole) CK_INT8(nibbles_total)(CK_INT8(whole) sum) {
    return (CK_INT8(whole))_mm256_madd_epi16((__m256i)sum, _mm256_set1_epi16(1));
}

/// |w| * (x with the sign of w): 2 * 128 * 127 < 2^15, but the sum of two such is not.
CK_INLINE CK_INT8(whole) CK_INT8(bytes)(CK_INT8(whole) sum, CK_INT8(whole) weights, CK_INT8(whole) x) {
    __m256i w = (__m256i)weights, products = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8((__m256i)x, w));
    return CK_INT8(in_order)(_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1))));
}

CK_INLINE void CK_INT8(widen)(float *target, const uint8_t *halves) {
    _mm256_storeu_ps(target, _mm256_cvtph_ps(_mm_loadu_si128((const void *)halves)));
    _mm256_storeu_ps(target + 8, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(halves + 16))));
}

#include "panels_int8.h"
const ck_panel_kernels ck_int8_avx2_kernels = CK_INT8_TABLE;
#pragma clang attribute pop
#endif
