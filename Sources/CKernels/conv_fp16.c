// Convolutions with AMX and halves (Granite Rapids on).
#if defined(__x86_64__)
#include "conv_kernels.h"
#include <immintrin.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c,amx-tile,amx-fp16"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_CONV(name) ck_fp16_conv_##name
#if defined(CK_EMULATE_AMX_FP16)
#include "amx_fp16_emulated.h"
#define CK_CONV_DOT CK_EMULATED_DPFP16PS
#else
#define CK_CONV_DOT _tile_dpfp16ps
#endif

CK_INLINE __m512i CK_CONV(narrow_pair)(__m512 low, __m512 high) {
    __m512i line = _mm512_castsi256_si512(_mm512_cvtps_ph(low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return _mm512_inserti64x4(line, _mm512_cvtps_ph(high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), 1);
}

CK_INLINE __m512 CK_CONV(widen)(__m256i elements) { return _mm512_cvtph_ps(elements); }

#include "conv_steps.h"
#include "conv_amx.h"
const ck_conv_kernels ck_fp16_conv_kernels = CK_CONV_TABLE;
#pragma clang attribute pop
#endif
