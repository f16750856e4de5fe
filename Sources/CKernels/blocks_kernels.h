// What one instruction set provides for blocks: the bodies of the tiles in blocks.c and blocks_linear.c.
#ifndef CK_BLOCKS_KERNELS_H
#define CK_BLOCKS_KERNELS_H

#include "panels_layout.h"

#pragma clang assume_nonnull begin

enum {
    /// Columns that are dequantised at a time: the longest block, and a quarter of the first-level cache with CK_PANEL of them.
    CK_PIECE = 256,
    /// Rows that are transposed at a time.
    CK_BAND = 8,
};

typedef struct {
    void (*dequantize)(ck_block_type type, float *target, const uint8_t *source, size_t blocks);
    /// panel[k][0 ..< CK_BAND] = band[0 ..< CK_BAND][k] for k < length. `panel` has rows of CK_PANEL, `band` of CK_PIECE.
    void (*transpose)(float *panel, const float *band, size_t length);
    /// sums[r][0 ..< CK_PANEL] continues its chains: += x[r][k] * panel[k], k = 0 ..< length.
    void (*accumulate)(float *sums, const float *x, size_t x_stride, size_t rows, const float *panel, size_t length);
    /// One block of 256 numbers; false where they do not fit.
    bool (*quantize_q4_k)(uint8_t *target, const float *source);
    /// target[k][0 ..< CK_PANEL_OUTPUTS], rows of CK_PANEL: `length` columns (a multiple of 32) of unit `unit` of a panel.
    void (*unpack_panel)(ck_block_type type, float *target, const uint8_t *panel, size_t unit, size_t length);
    /// sums[0 ..< 2 * CK_PANEL] of one row, against two such targets of CK_PANEL_STEP rows behind each other.
    void (*accumulate_narrow)(float *sums, const float *x, const float *weights, size_t length);
} ck_block_kernels;

extern const ck_block_kernels ck_scalar_block_kernels;
#if defined(__x86_64__)
extern const ck_block_kernels ck_avx2_block_kernels;
extern const ck_block_kernels ck_avx512_block_kernels;
#endif

const ck_block_kernels *ck_pool_block_kernels(const ck_pool *pool);

/// Rows of a tile where rows are converted: some 64 thousand numbers.
size_t ck_block_tile_rows(size_t columns);

#pragma clang assume_nonnull end

#endif
