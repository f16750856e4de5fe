// Convolutions with AMX, each number in two bfloat16s: its rounding and the rest (Sapphire Rapids on).
#if defined(__x86_64__)
#include "conv_kernels.h"
#include <immintrin.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma,amx-tile,amx-bf16"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_CONV(name) ck_bf16x3_conv_##name

/// For each 32 channels of a position a line of roundings and a line of rests; of a pair of filters two tiles of either.
enum { CK_CONV_LINE = 128, CK_CONV_WEIGHTS = 4 * CK_TILE_BYTES };

/// Rests of x by roundings of w, roundings by roundings, roundings by rests: between two of these only one side is loaded anew, so that eight
/// loads serve twelve products. Filters pass by the first-level cache, which keeps the positions.
CK_INLINE void CK_CONV(square_step)(const uint8_t *a, const uint8_t *b, size_t position, size_t rests, const uint8_t *weights) {
    _tile_loadd(4, a + rests, position);
    _tile_stream_loadd(6, weights, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, weights + CK_TILE_BYTES, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, b + rests, position);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    _tile_loadd(4, a, position);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, b, position);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stream_loadd(6, weights + 2 * CK_TILE_BYTES, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stream_loadd(7, weights + 3 * CK_TILE_BYTES, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
}

CK_INLINE void CK_CONV(flat_step)(const uint8_t *a, size_t position, size_t rests, const uint8_t *weights) {
    _tile_loadd(4, a + rests, position);
    _tile_stream_loadd(6, weights, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, weights + CK_TILE_BYTES, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(4, a, position);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stream_loadd(6, weights + 2 * CK_TILE_BYTES, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, weights + 3 * CK_TILE_BYTES, 64);
    _tile_dpbf16ps(1, 4, 7);
}

/// To the nearest bfloat16, a tie away from zero, as floats: what is left fits a second one as well as after rounding ties to even, and this is two
/// instructions. A NaN may lose its sign here; the rest then is one.
CK_INLINE __m512 CK_CONV(rounded)(__m512 x) {
    __m512i bits = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32((int)0xFFFF0000)));
}

CK_INLINE void CK_CONV(write)(uint8_t *target, uint8_t *rests, __m512 low, __m512 high) {
    __m512 rounded_low = CK_CONV(rounded)(low), rounded_high = CK_CONV(rounded)(high);
    _mm512_store_si512((void *)target, (__m512i)_mm512_cvtne2ps_pbh(rounded_high, rounded_low));
    _mm512_store_si512((void *)rests, (__m512i)_mm512_cvtne2ps_pbh(_mm512_sub_ps(high, rounded_high), _mm512_sub_ps(low, rounded_low)));
}

CK_INLINE __m512 CK_CONV(widen)(const uint8_t *source) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_load_si256((const void *)source)), 16));
}

/// Sixteen numbers.
CK_INLINE __m512 CK_CONV(read)(const uint8_t *source) { return _mm512_add_ps(CK_CONV(widen)(source), CK_CONV(widen)(source + 64)); }

#include "conv_amx.h"
const ck_conv_kernels ck_bf16x3_conv_kernels = CK_CONV_TABLE;
#pragma clang attribute pop
#endif
