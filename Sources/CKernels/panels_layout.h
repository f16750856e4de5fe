// The bytes of a panel. Little-endian; k counts columns, j outputs of the panel.
//
//   header   64 bytes: sixteen floats, whole numbers: a stored weight of output j times 2^header[j] is the weight
//   units    64 columns each, zero-padded at the end:
//     Q4_0    64 bytes: halves, scale of output j of columns 0-31 at [j], of columns 32-63 at [16 + j]; then 512 bytes of nibbles
//     Q8_0    64 bytes: the same; then 2048 / 2 signed bytes: row r (columns 2r and 2r + 1) holds at [2j + (k & 1)]
//     F16     2048 bytes: halves, rows as with Q8_0
//     BF16    2048 bytes: bfloat16, rows as with Q8_0, divided by another 2^112 (below)
//     Q4_K    a super-block is four units: 64 bytes d[16] and dmin[16], 128 bytes scales [8][16], 128 bytes minima [8][16], 4 * 512 nibbles
//   nibbles  256 bytes for 32 columns, in lines of 64 bytes; line g, word 2j + (k & 1), nibble i: column 8g + 2i + (k & 1)
//
// Why: 32 columns by 16 outputs as halves are one AMX tile, whose row r holds columns 2r and 2r + 1 of each output. A line of nibbles is four
// such rows: the nibbles of a row become the lower bits of halves where they lie, the upper two of a word after a load that is a byte off.
//
// Weights are stored times a power of two per output, so that the largest of a row lies in 2^13 ... 2^15: no product d * q overflows a half,
// and none loses bits to subnormals that matter. The upper 13 bits of a half, read as bfloat16, are its value times 2^-112: that is how
// halves become bfloat16 in three instructions, and why BF16 is stored divided by 2^112.
#ifndef CK_PANELS_LAYOUT_H
#define CK_PANELS_LAYOUT_H

#include "ck_panels.h"

enum {
    CK_PANEL_HEADER = 64,
    CK_PANEL_TILE = 1024,
    /// Columns of a super-block of Q4_K, and its bytes in a panel.
    CK_PANEL_SUPER = 256,
    CK_PANEL_SUPER_BYTES = 64 + 128 + 128 + 4 * 512,
    /// The exponent of bfloat16 less that of a half: what lies between a half and its upper bits read as bfloat16.
    CK_PANEL_BF16_SHIFT = 112,
};

/// Units of a panel: whole super-blocks of Q4_K are whole units, too.
static inline size_t ck_panel_units(size_t columns) { return (columns + CK_PANEL_STEP - 1) / CK_PANEL_STEP; }

/// Bytes of a unit; of Q4_K on the average.
static inline size_t ck_panel_unit_bytes(ck_block_type type) {
    switch (type) {
    case CK_BLOCK_Q4_0: return 64 + 512;
    case CK_BLOCK_Q8_0: return 64 + 1024;
    case CK_BLOCK_F16: case CK_BLOCK_BF16: return 2048;
    case CK_BLOCK_Q4_K: return CK_PANEL_SUPER_BYTES / 4;
    default: return 0;
    }
}

#endif
