// Panels with AMX and halves (Granite Rapids on).
#if defined(__x86_64__)
#include "panels_kernels.h"
#include <immintrin.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx512fp16,avx2,fma,f16c,amx-tile,amx-bf16,amx-fp16"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_AMX(name) ck_fp16_##name
#if defined(CK_EMULATE_AMX_FP16)
#include "amx_fp16_emulated.h"
#define CK_AMX_DOT CK_EMULATED_DPFP16PS
#else
#define CK_AMX_DOT _tile_dpfp16ps
#endif
#define CK_AMX_LARGEST 14
#define CK_AMX_UNDO 0

CK_INLINE __m512i CK_AMX(element)(__m512h halves) { return _mm512_castph_si512(halves); }

/// Exact: stored bfloat16 numbers are below 2^15 times 2^-112, and have fewer bits than a half.
CK_INLINE __m512i CK_AMX(element_bf16)(__m512i line) {
    __m512i magnitude = _mm512_and_si512(_mm512_slli_epi16(line, 3), _mm512_set1_epi16(0x7FFF));
    return _mm512_or_si512(magnitude, _mm512_and_si512(line, _mm512_set1_epi16((short)0x8000)));
}

CK_INLINE __m512i CK_AMX(narrow)(__m512 low, __m512 high) {
    __m512i line = _mm512_castsi256_si512(_mm512_cvtps_ph(low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return _mm512_inserti64x4(line, _mm512_cvtps_ph(high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), 1);
}

#include "panels_amx.h"
const ck_panel_kernels ck_fp16_panel_kernels = CK_AMX_TABLE;
#pragma clang attribute pop
#endif
