// Products of panels with whole numbers, as their parts see them: where x lies, and what weights look like in the first-level cache.
#ifndef CK_PANELS_INT8_KERNELS_H
#define CK_PANELS_INT8_KERNELS_H

#include "panels_kernels.h"

#pragma clang assume_nonnull begin

enum {
    /// Rows of x that share each load of weights.
    CK_INT8_ROWS = 4,
    /// A block of one row of x: 32 bytes and three words.
    CK_INT8_BLOCK_BYTES = 44,
    /// Bytes ahead of what is read: some 100 nanoseconds of four streams.
    CK_INT8_PREFETCH = 2048,
};

// ck_panels_scratch_bytes has two bytes for each number of x.
_Static_assert(CK_INT8_BLOCK_BYTES <= 32 * 2, "x does not fit its part of the scratch");

/// 32 columns of a panel. A weight is scales[j] * (q - offset) - minima[j] with the offset 8 - CK_INT8_NIBBLE_BIAS for Q4_0, CK_INT8_BIAS for Q8_0, 0 for
/// Q4_K, which alone has minima.
typedef struct {
    /// Bytes 4j ... 4j + 3 of line i hold q of output j, columns 8 * (i / 2) + 0, 4, 1, 5, or where i is odd 2, 6, 3, 7: the order of the
    /// lower and upper halves of a panel's bytes.
    uint8_t lines[8][4 * CK_PANEL_OUTPUTS];
    float scales[CK_PANEL_OUTPUTS], minima[CK_PANEL_OUTPUTS];
} ck_int8_block;

/// x of a job, in job->tiles: rows in groups of CK_INT8_ROWS, the last of what is left. A group is its blocks of 32 columns; a block is 32 bytes of
/// each row, in the order of a panel's lines, then for each row its scale, then eight times the sum of its bytes, then that sum times the scale.
static inline size_t ck_int8_group_rows(const ck_panel_job *job, size_t row) {
    size_t left = job->m - row / CK_INT8_ROWS * CK_INT8_ROWS;
    return left < CK_INT8_ROWS ? left : CK_INT8_ROWS;
}

/// Block `block` of the group of `row`.
static inline uint8_t *ck_int8_x_at(const ck_panel_job *job, size_t row, size_t block) {
    size_t blocks = job->weights.columns / 32;
    return job->tiles + (row / CK_INT8_ROWS * CK_INT8_ROWS * blocks + ck_int8_group_rows(job, row) * block) * CK_INT8_BLOCK_BYTES;
}

/// Where a row's first block lies: its bytes; its three words, `stride` apart; the next block `advance` further.
typedef struct {
    uint8_t *bytes, *words;
    size_t stride, advance;
} ck_int8_place;

static inline ck_int8_place ck_int8_place_in_group(const ck_panel_job *job, size_t row) {
    size_t rows = ck_int8_group_rows(job, row), r = row % CK_INT8_ROWS;
    uint8_t *block = ck_int8_x_at(job, row, 0);
    return (ck_int8_place){.bytes = block + r * 32, .words = block + rows * 32 + r * 4, .stride = rows * 4, .advance = rows * CK_INT8_BLOCK_BYTES};
}

/// Q4_0, Q8_0 and Q4_K are whole numbers with scales.
static inline bool ck_has_int8_form(ck_block_type type) { return type == CK_BLOCK_Q4_0 || type == CK_BLOCK_Q8_0 || type == CK_BLOCK_Q4_K; }

extern const ck_panel_kernels ck_int8_scalar_kernels;
#if defined(__x86_64__)
extern const ck_panel_kernels ck_int8_avx2_kernels;
extern const ck_panel_kernels ck_int8_avxvnni_kernels;
extern const ck_panel_kernels ck_int8_avx512vnni_kernels;
extern const ck_panel_kernels ck_int8_amx_kernels;
#endif

/// The fastest of them on the pool's instruction set and this processor.
const ck_panel_kernels *ck_int8_kernels_of(const ck_pool *pool);

#pragma clang assume_nonnull end

#endif
