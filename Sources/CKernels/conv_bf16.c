// Convolutions with AMX and bfloat16 elements (Sapphire Rapids on).
#if defined(__x86_64__)
#include "conv_kernels.h"
#include <immintrin.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma,amx-tile,amx-bf16"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_CONV(name) ck_bf16_conv_##name
#define CK_CONV_DOT _tile_dpbf16ps

CK_INLINE __m512i CK_CONV(narrow_pair)(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

CK_INLINE __m512 CK_CONV(widen)(__m256i elements) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(elements), 16));
}

#include "conv_steps.h"
#include "conv_amx.h"
const ck_conv_kernels ck_bf16_conv_kernels = CK_CONV_TABLE;
#pragma clang attribute pop
#endif
