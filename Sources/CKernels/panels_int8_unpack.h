// Part of panels_int8.h: blocks of a panel as whole numbers and scales.

typedef uint8_t CK_INT8(line) __attribute__((vector_size(4 * CK_PANEL_OUTPUTS)));
typedef uint8_t CK_INT8(pairs) __attribute__((vector_size(2 * CK_PANEL_OUTPUTS)));
typedef uint16_t CK_INT8(halves) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(uint16_t))));

/// Sixteen halves, all finite: the exponent is moved by a product, which also takes care of subnormals.
CK_INLINE CK_INT8(outputs) CK_INT8(widen)(const uint8_t *source) {
    CK_INT8(halves) halves;
    memcpy(&halves, source, sizeof halves);
    CK_INT8(levels) bits = __builtin_convertvector(halves, CK_INT8(levels));
    CK_INT8(outputs) magnitude = (CK_INT8(outputs))((bits & 0x7FFF) << 13) * 0x1p112f;
    return (CK_INT8(outputs))((CK_INT8(levels))magnitude | (bits & 0x8000) << 16);
}

CK_INLINE CK_INT8(outputs) CK_INT8(widen_bytes)(const uint8_t *source) {
    uint8_t bytes __attribute__((vector_size(CK_PANEL_OUTPUTS)));
    memcpy(&bytes, source, sizeof bytes);
    return __builtin_convertvector(bytes, CK_INT8(outputs));
}

CK_INLINE void CK_INT8(unpack_nibbles)(ck_int8_block *block, const uint8_t *nibbles) {
    CK_UNROLL
    for (size_t g = 0; g < 4; g++) {
        CK_INT8(line) line, low, high;
        memcpy(&line, nibbles + g * sizeof line, sizeof line);
        low = line & 15;
        high = line >> 4;
        memcpy(block->lines[2 * g], &low, sizeof low);
        memcpy(block->lines[2 * g + 1], &high, sizeof high);
    }
}

/// Pairs of columns to fours: rows 0 and 2 of a group of four are columns 0, 1 and 4, 5 of eight.
CK_INLINE void CK_INT8(unpack_bytes)(ck_int8_block *block, const uint8_t *rows) {
    CK_UNROLL
    for (size_t i = 0; i < 8; i++) {
        CK_INT8(pairs) first, second;
        const uint8_t *at = rows + (i / 2 * 4 + i % 2) * sizeof first;
        memcpy(&first, at, sizeof first);
        memcpy(&second, at + 2 * sizeof second, sizeof second);
        CK_INT8(line) line = __builtin_shufflevector(
            first, second, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47,
            16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
        line += CK_INT8_BIAS;
        memcpy(block->lines[i], &line, sizeof line);
    }
}

/// The first `count` (1 or 2) blocks of unit `unit`. `panel`: behind its header. `type` is a literal at each call.
CK_INLINE void CK_INT8(unpack)(const ck_block_type type, ck_int8_block *blocks, const uint8_t *panel, size_t unit, size_t count) {
    const uint8_t *at = panel + unit * ck_panel_unit_bytes(type), *super = panel + unit / 4 * CK_PANEL_SUPER_BYTES;
    for (size_t t = 0; t < count; t++, blocks++) {
        if (type == CK_BLOCK_Q4_K) {
            const uint8_t *bytes = super + 64 + (unit % 4 * 2 + t) * 16;
            CK_INT8(outputs) scales = CK_INT8(widen)(super) * CK_INT8(widen_bytes)(bytes);
            CK_INT8(outputs) minima = CK_INT8(widen)(super + 32) * CK_INT8(widen_bytes)(bytes + 128);
            memcpy(blocks->scales, &scales, sizeof scales);
            memcpy(blocks->minima, &minima, sizeof minima);
            CK_INT8(unpack_nibbles)(blocks, super + 320 + unit % 4 * 512 + t * 256);
        } else {
            CK_INT8(outputs) scales = CK_INT8(widen)(at + t * 32);
            memcpy(blocks->scales, &scales, sizeof scales);
            if (type == CK_BLOCK_Q4_0) CK_INT8(unpack_nibbles)(blocks, at + 64 + t * 256);
            else CK_INT8(unpack_bytes)(blocks, at + 64 + t * 512);
        }
    }
}
