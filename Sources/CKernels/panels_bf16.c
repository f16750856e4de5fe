// Panels with AMX and bfloat16 elements (Sapphire Rapids on).
#if defined(__x86_64__)
#include "panels_kernels.h"
#include <immintrin.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx512fp16,avx2,fma,amx-tile,amx-bf16"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_AMX(name) ck_bf16_##name
#define CK_AMX_DOT _tile_dpbf16ps
#define CK_AMX_LARGEST 119
#define CK_AMX_UNDO CK_PANEL_BF16_SHIFT

/// The upper 13 bits of a half, rounded, halfway cases up: bfloat16 of 2^-112 times its value. The product with 2^12 is (word + 4) >> 3 in
/// one instruction; the sign that comes along with the shift is cut to its bit.
CK_INLINE __m512i CK_AMX(element)(__m512h halves) {
    __m512i rounded = _mm512_mulhrs_epi16(_mm512_castph_si512(halves), _mm512_set1_epi16(1 << 12));
    return _mm512_and_si512(rounded, _mm512_set1_epi16((short)0x8FFF));
}

CK_INLINE __m512i CK_AMX(element_bf16)(__m512i line) { return line; }

CK_INLINE __m512i CK_AMX(narrow)(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

#include "panels_amx.h"
const ck_panel_kernels ck_bf16_panel_kernels = CK_AMX_TABLE;
#pragma clang attribute pop
#endif
