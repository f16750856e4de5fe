// One product with panels, as its parts see it: panels_linear.c splits, panels_float.h and panels_amx.h compute.
#ifndef CK_PANELS_KERNELS_H
#define CK_PANELS_KERNELS_H

#include "blocks_kernels.h"
#include "panels_layout.h"

#pragma clang assume_nonnull begin

enum {
    /// Rows that one tile holds.
    CK_PANEL_ROWS = 16,
    /// Rows of x that share dequantised weights; their tiles of one piece of columns are a tenth of the second-level cache.
    CK_PANEL_PASS = 256,
    /// Columns of such a piece: two panels of it as halves stay in the first-level cache, past which x streams.
    CK_PANEL_PIECE = 384,
    /// Panels whose sums wait in the second-level cache while a piece of x is used for all of them.
    CK_PANEL_GROUP = 32,
    /// Panels that are read at the same time: a core reaches the memory's full rate with two to four streams.
    CK_PANEL_STREAMS = 4,
    /// Panels of a task of the path for few rows.
    CK_PANEL_TASK = 16,
    /// Products with the same x that share a job of the pool: one layer's queries, keys and values.
    CK_PANEL_PRODUCTS = 4,
    /// Rows up to which f32 goes through four panels at once.
    CK_PANEL_NARROW = 3,
};

typedef struct {
    ck_panel_matrix weights;
    size_t panels, panel_bytes, units;
    /// Rows of this pass, and the output at its first row.
    size_t m;
    float *y;
    size_t y_stride;
    ck_epilogue epilogue;
    /// x of this pass. FP32: as the caller has it. AMX: tiles (panels_amx.h) of halves or bfloat16, and
    /// for each row the exponent that undoes its scale.
    const float *x;
    uint8_t *_Nullable tiles;
    float *_Nullable exponents;
    /// Of the pool's worker: AMX's buffers.
    uint8_t *_Nullable workspace;
    size_t workspace_bytes;
    const ck_block_kernels *blocks;
} ck_panel_job;

/// Scratch of one worker: two pairs of panels of a piece, one in use while the other is unpacked, and a group's sums.
enum {
    CK_PANEL_BUFFER = 4 * CK_PANEL_PIECE / 32 * CK_PANEL_TILE,
    CK_PANEL_SUMS = CK_PANEL_GROUP * (CK_PANEL_PASS / 16) * CK_PANEL_TILE,
    /// For few rows: unpacked weights, totals and sums.
    CK_PANEL_FEW = 16 * CK_PANEL_TILE,
};

/// What one kind of tiles provides.
typedef struct {
    /// Rows up to which `few` is the faster one.
    size_t few_rows;
    /// Rows first ..< first + rows of x, all within sixteen that a tile holds, to their places in job->tiles, their exponents to job->exponents.
    void (*convert)(const ck_panel_job *job, size_t first, size_t rows);
    /// Outputs of panels first ..< end for up to `few_rows` rows.
    void (*few)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace);
    /// The same for up to CK_PANEL_PASS rows and CK_PANEL_GROUP panels.
    void (*many)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace);
} ck_panel_kernels;

/// Outputs of panels first ..< end in f32: up to four panels for up to CK_PANEL_NARROW rows, two for more.
void ck_multiply_panels_fp32(const ck_panel_job *job, size_t first, size_t end);

#if defined(__x86_64__)
extern const ck_panel_kernels ck_bf16_panel_kernels;
extern const ck_panel_kernels ck_fp16_panel_kernels;
/// Asks for what the kernels need: processor, registers saved by the kernel, permission for the tiles.
bool ck_processor_has_panels(ck_panel_arithmetic arithmetic);
bool ck_processor_has_int8_tiles(void);
#endif

/// Tiles of 16 rows of x come in pairs, so that two of the same columns lie side by side: where tile `kt` (32 columns each) of tile row
/// `row_tile` lies. The last one of an odd number is alone.
static inline size_t ck_panel_tile_at(const ck_panel_job *job, size_t row_tile, size_t kt) {
    size_t row_tiles = (job->m + 15) / 16, pair = row_tile / 2, in_pair = row_tiles - 2 * pair > 1 ? 2 : 1;
    return (pair * 2 * (2 * job->units) + kt * in_pair + row_tile % 2) * CK_PANEL_TILE;
}

#pragma clang assume_nonnull end

#endif
