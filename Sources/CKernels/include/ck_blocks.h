#ifndef CK_BLOCKS_H
#define CK_BLOCKS_H

#include "ck_gemm.h"

#pragma clang assume_nonnull begin

// Rows of weights as GGUF files hold them: little-endian blocks of 32 or 256 numbers with their scales, or plain numbers.
//
// Every number is d * q + m with few bits in d and q: the product is exact in f32 and at most one rounding happens, so what a
// block means does not depend on instruction set or compiler. Source: the GGUF specification and the `gguf` Python package.

/// How a row is stored. The numbers are those of GGUF's tensor infos.
typedef enum {
    CK_BLOCK_F32 = 0,
    CK_BLOCK_F16 = 1,
    /// 32 numbers: half d, then 4 bits q each (element i with i + 16 in one byte). d * (q - 8)
    CK_BLOCK_Q4_0 = 2,
    /// 32 numbers: half d, half m, 4 bits each. d * q + m
    CK_BLOCK_Q4_1 = 3,
    /// 32 numbers: half d, 32 fifth bits, 4 bits each. d * (q - 16)
    CK_BLOCK_Q5_0 = 6,
    /// 32 numbers: half d, half m, 32 fifth bits, 4 bits each. d * q + m
    CK_BLOCK_Q5_1 = 7,
    /// 32 numbers: half d, 8 signed bits each. d * q
    CK_BLOCK_Q8_0 = 8,
    /// 256 numbers: half d, half dmin, eight times 6 + 6 bits s and m, 4 bits each. d * s * q - dmin * m
    CK_BLOCK_Q4_K = 12,
    /// The same with 256 fifth bits in front of the four.
    CK_BLOCK_Q5_K = 13,
    /// 256 numbers: lower 4 bits, upper 2 bits, sixteen signed bytes s, half d. d * s * (q - 32)
    CK_BLOCK_Q6_K = 14,
    CK_BLOCK_BF16 = 30,
} ck_block_type;

/// Numbers and bytes of one block; 0 for a type that is not in the list.
size_t ck_block_elements(ck_block_type type);
size_t ck_block_bytes(ck_block_type type);

/// Bytes of a row of `columns` numbers; 0 where they are not whole blocks, or the product does not fit 63 bits.
size_t ck_block_row_bytes(ck_block_type type, size_t columns);

/// target[i] = row[i]. `columns` are whole blocks, `row` has ck_block_row_bytes at any alignment. No overlap. Any thread.
void ck_dequantize_row(ck_block_type type, float *target, const void *row, size_t columns);

/// The same for `rows` rows that follow each other, shared out over the pool.
void ck_dequantize_rows(ck_pool *pool, ck_block_type type, float *target, const void *source, size_t rows, size_t columns);

/// F32, F16 and BF16 (round to nearest even), Q8_0, Q5_0, Q4_0 (to the bit as ggml's reference), Q4_K (its weighted search, to the accuracy).
bool ck_block_can_quantize(ck_block_type type);

/// Rows of floats to rows of blocks, shared out over the pool; the same bytes on every instruction set and number of threads.
/// Returns `rows`, or the first row with a number that is not finite or too large for the type; the target is then unspecified.
/// `columns` are whole blocks of a type that ck_block_can_quantize. `target` has rows * ck_block_row_bytes, no alignment needed.
size_t ck_quantize_rows(ck_pool *pool, ck_block_type type, void *target, const float *source, size_t rows, size_t columns);

/// binary16 and bfloat16 from f32, round to nearest even; too large becomes infinity, NaN stays NaN. Any alignment, no overlap.
void ck_narrow_f16(void *target, const float *source, size_t count);
void ck_narrow_bf16(void *target, const float *source, size_t count);

/// Weights where they lie; nothing is owned.
typedef struct {
    ck_block_type type;
    /// `rows` rows of ck_block_row_bytes(type, columns) each, at any alignment. `columns` are whole blocks.
    const void *data;
    size_t rows, columns;
    /// [rows]: output i is row order[i] of `data`; every entry below `rows`. NULL: as they lie.
    const uint32_t *_Nullable order;
} ck_block_matrix;

/// y[m, rows] = x[m, columns] . W^T + epilogue, to the bit what ck_linear gives for the same weights dequantised: one chain of fused
/// multiply-adds in ascending order per output, whatever the thread count, the instruction set, and the rows beside it.
/// Some 64 KiB of stack per thread, no heap. y_stride >= rows. y must not overlap x or W; epilogue.residual may be y.
void ck_linear_blocks(ck_pool *pool, float *y, size_t y_stride, const float *x, size_t m, ck_block_matrix weights, ck_epilogue epilogue);

#pragma clang assume_nonnull end

#endif
