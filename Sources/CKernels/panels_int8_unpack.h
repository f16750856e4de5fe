// Part of panels_int8.h and panels_int8_amx.c: blocks of a panel as whole numbers and scales.

typedef uint8_t CK_INT8(line) __attribute__((vector_size(4 * CK_PANEL_OUTPUTS)));
typedef uint8_t CK_INT8(pairs) __attribute__((vector_size(2 * CK_PANEL_OUTPUTS)));
/// Sixteen halves times sixteen bytes.
CK_INLINE void CK_INT8(unpack_products)(float *target, const uint8_t *halves, const uint8_t *source) {
    uint8_t bytes __attribute__((vector_size(CK_PANEL_OUTPUTS)));
    CK_INT8(outputs) values;
    memcpy(&bytes, source, sizeof bytes);
    CK_INT8(widen)((float *)&values, halves);
    values *= __builtin_convertvector(bytes, CK_INT8(outputs));
    memcpy(target, &values, sizeof values);
}

CK_INLINE void CK_INT8(unpack_nibbles)(ck_int8_block *block, const uint8_t *nibbles, const uint8_t bias) {
    CK_UNROLL
    for (size_t g = 0; g < 4; g++) {
        CK_INT8(line) line, low, high;
        memcpy(&line, nibbles + g * sizeof line, sizeof line);
        low = (line & 15) - bias;
        high = (line >> 4) - bias;
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

/// Block `b` of a panel. `panel`: behind its header. `type` is a literal at each call.
CK_INLINE void CK_INT8(unpack)(const ck_block_type type, ck_int8_block *block, const uint8_t *panel, size_t b) {
    if (type == CK_BLOCK_Q4_K) {
        const uint8_t *super = panel + b / 8 * CK_PANEL_SUPER_BYTES, *bytes = super + 64 + b % 8 * 16;
        CK_INT8(unpack_products)(block->scales, super, bytes);
        CK_INT8(unpack_products)(block->minima, super + 32, bytes + 128);
        CK_INT8(unpack_nibbles)(block, super + 320 + b % 8 * 256, 0);
        return;
    }
    const uint8_t *unit = panel + b / 2 * ck_panel_unit_bytes(type);
    CK_INT8(widen)(block->scales, unit + b % 2 * 32);
    if (type == CK_BLOCK_Q4_0) CK_INT8(unpack_nibbles)(block, unit + 64 + b % 2 * 256, CK_INT8_NIBBLE_BIAS);
    else CK_INT8(unpack_bytes)(block, unit + 64 + b % 2 * 512);
}
