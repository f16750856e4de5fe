// Part of panels_amx.h: tile `t` (0 or 1) of a unit of a panel. Sixteen lines of 64 bytes each; the halves of a line are words 2j + (k & 1).
// Unpacked in quarters first ..< first + count of four lines, one line of nibbles each.

/// Words 0, 0, 1, 1, ... 15, 15 plus `first`: a scale for both columns of each output.
CK_INLINE __m512i CK_AMX(doubled)(short first) {
    __m512i index = _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_add_epi16(index, _mm512_set1_epi16(first));
}

/// Nibble `i` (0 or 1) of each word less `bias`, as a half. A half's lower bits count from its power of two: the nibble goes where they count ones,
/// and the power, 1024 or 64, is taken away again; both are exact. A table in a register would do it too, but permutations and shifts of words
/// have one port between them, and so have multiplications and the tiles.
CK_INLINE __m512h CK_AMX(nibble)(__m512i words, const unsigned i, const float bias) {
    __m512i power = _mm512_castph_si512(_mm512_set1_ph(i == 0 ? 1024 : 64)), mask = _mm512_set1_epi16(i == 0 ? 0x0F : 0xF0);
    __m512i half = _mm512_ternarylogic_epi64(words, mask, power, 0xEA); // (words & mask) | power
    return _mm512_sub_ph(_mm512_castsi512_ph(half), _mm512_set1_ph((_Float16)((i == 0 ? 1024 : 64) + bias)));
}

/// The upper two nibbles of the words of line `g` of four: a load that is a byte off, without a shift, where there is a byte behind.
CK_INLINE __m512i CK_AMX(upper)(const uint8_t *line, size_t g) {
    return g == 3 ? _mm512_srli_epi16(_mm512_load_si512((const void *)line), 8) : _mm512_loadu_si512((const void *)(line + 1));
}

CK_INLINE void CK_AMX(put)(uint8_t *line, __m512h halves) { _mm512_store_si512((void *)line, CK_AMX(element)(halves)); }

CK_INLINE void CK_AMX(unpack_q4_0)(uint8_t *tile, const uint8_t *unit, size_t t, size_t first, size_t count) {
    __m512i scales = _mm512_load_si512((const void *)unit);
    __m512h scale = _mm512_castsi512_ph(_mm512_permutexvar_epi16(CK_AMX(doubled)((short)(16 * t)), scales));
    CK_UNROLL
    for (size_t g = first, left = count; left > 0; g++, left--) {
        const uint8_t *line = unit + 64 + t * 256 + g * 64;
        __m512i lower = _mm512_load_si512((const void *)line), upper = CK_AMX(upper)(line, g);
        CK_UNROLL
        for (unsigned i = 0; i < 4; i++) {
            __m512h q = CK_AMX(nibble)(i < 2 ? lower : upper, i % 2, 8);
            CK_AMX(put)(tile + (4 * g + i) * 64, _mm512_mul_ph(q, scale));
        }
    }
}

CK_INLINE void CK_AMX(unpack_q8_0)(uint8_t *tile, const uint8_t *unit, size_t t, size_t first, size_t count) {
    __m512i scales = _mm512_load_si512((const void *)unit);
    __m512h scale = _mm512_castsi512_ph(_mm512_permutexvar_epi16(CK_AMX(doubled)((short)(16 * t)), scales));
    CK_UNROLL
    for (size_t r = 4 * first, left = 4 * count; left > 0; r++, left--) {
        __m512i q = _mm512_cvtepi8_epi16(_mm256_load_si256((const void *)(unit + 64 + t * 512 + r * 32)));
        CK_AMX(put)(tile + r * 64, _mm512_mul_ph(_mm512_cvtepi16_ph(q), scale));
    }
}

/// Sixteen bytes as halves, each twice, times sixteen halves.
CK_INLINE __m512h CK_AMX(sub_scale)(const uint8_t *bytes, __m512h d) {
    __m512i words = _mm512_cvtepu8_epi32(_mm_load_si128((const void *)bytes));
    return _mm512_mul_ph(_mm512_cvtepi16_ph(_mm512_or_si512(words, _mm512_slli_epi32(words, 16))), d);
}

/// `unit` counts from the super-block's beginning: 0 ... 3.
CK_INLINE void CK_AMX(unpack_q4_k)(uint8_t *tile, const uint8_t *super, size_t unit, size_t t, size_t first, size_t count) {
    __m512i both = _mm512_load_si512((const void *)super);
    __m512h d = _mm512_castsi512_ph(_mm512_permutexvar_epi16(CK_AMX(doubled)(0), both));
    __m512h dmin = _mm512_castsi512_ph(_mm512_permutexvar_epi16(CK_AMX(doubled)(16), both));
    __m512h scale = CK_AMX(sub_scale)(super + 64 + (2 * unit + t) * 16, d);
    __m512h minimum = CK_AMX(sub_scale)(super + 192 + (2 * unit + t) * 16, dmin);
    CK_UNROLL
    for (size_t g = first, left = count; left > 0; g++, left--) {
        const uint8_t *line = super + 320 + unit * 512 + t * 256 + g * 64;
        __m512i lower = _mm512_load_si512((const void *)line), upper = CK_AMX(upper)(line, g);
        CK_UNROLL
        for (unsigned i = 0; i < 4; i++) {
            __m512h q = CK_AMX(nibble)(i < 2 ? lower : upper, i % 2, 0);
            CK_AMX(put)(tile + (4 * g + i) * 64, _mm512_fmsub_ph(q, scale, minimum));
        }
    }
}

/// `type` and `count` are literals at each call. `weights`: behind the panel's header.
CK_INLINE void CK_AMX(unpack)(const ck_block_type type, uint8_t *tile, const uint8_t *weights, size_t unit, const size_t t, const size_t first, const size_t count) {
    const uint8_t *lines = weights + unit * 2048 + t * CK_PANEL_TILE;
    switch (type) {
    case CK_BLOCK_Q4_0: CK_AMX(unpack_q4_0)(tile, weights + unit * (64 + 512), t, first, count); break;
    case CK_BLOCK_Q8_0: CK_AMX(unpack_q8_0)(tile, weights + unit * (64 + 1024), t, first, count); break;
    case CK_BLOCK_Q4_K: CK_AMX(unpack_q4_k)(tile, weights + unit / 4 * CK_PANEL_SUPER_BYTES, unit % 4, t, first, count); break;
    case CK_BLOCK_F16:
        CK_UNROLL
        for (size_t r = 4 * first, left = 4 * count; left > 0; r++, left--) CK_AMX(put)(tile + r * 64, _mm512_load_ph((const void *)(lines + r * 64)));
        break;
    default:
        CK_UNROLL
        for (size_t r = 4 * first, left = 4 * count; left > 0; r++, left--) {
            _mm512_store_si512((void *)(tile + r * 64), CK_AMX(element_bf16)(_mm512_load_si512((const void *)(lines + r * 64))));
        }
        break;
    }
}
