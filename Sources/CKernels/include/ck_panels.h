#ifndef CK_PANELS_H
#define CK_PANELS_H

#include "ck_blocks.h"

#pragma clang assume_nonnull begin

// Products with weights that were packed once, at import, into the order the fastest kernels read them.
//
// A panel is CK_PANEL_OUTPUTS outputs over all columns: a header, then steps of CK_PANEL_STEP columns (256 for Q4_K), every piece aligned
// to 64 bytes (panels_layout.h). The numbers are those of the blocks, times a power of two per output that lets each of them fit a half.
//
// Four arithmetics stand behind one entry. Within each the bits of an output follow from its row of x and its row of weights alone: not
// from the rows beside it, the number of threads, or any blocking. Between them results differ within ck_panel_unit.

enum { CK_PANEL_OUTPUTS = 16, CK_PANEL_STEP = 64 };

typedef enum {
    /// What ck_linear_blocks computes, to the bit, on every instruction set of the pool. The specification.
    CK_PANEL_FP32 = 0,
    /// AMX: x and weights rounded to bfloat16, products and sums in f32.
    CK_PANEL_BF16 = 1,
    /// AMX: x and weights rounded to halves, eight times closer than bfloat16, products and sums in f32.
    CK_PANEL_FP16 = 2,
    /// x rounded to signed bytes with a scale for each 32 columns; whole-number sums of those columns, which are exact; f32 sums of the blocks.
    /// The same bits on every instruction set: AVX2, AVX-VNNI, AVX-512 VNNI, AMX and the slow scalar one. For processors without bf16 tiles. F16 and
    /// BF16 weights have no such form: FP32 stands in, to the bit.
    CK_PANEL_INT8 = 3,
} ck_panel_arithmetic;

/// The most exact of the fast ones that processor, kernel and pool have: FP16, else BF16, else FP32. A pool that was cut below
/// CK_AVX512 has FP32; INT8, which every pool has, is taken only where it is asked for. The first call asks the operating system for the tile
/// registers, once for the process. Any thread.
ck_panel_arithmetic ck_best_panel_arithmetic(const ck_pool *pool);
bool ck_has_panel_arithmetic(const ck_pool *pool, ck_panel_arithmetic arithmetic);

/// For provenance, a string of the process: "fp32-fma+avx512", "bf16-amx", "fp16-amx", "int8".
const char *ck_panel_arithmetic_name(const ck_pool *pool, ck_panel_arithmetic arithmetic);

/// Largest relative error u of rounding one factor. |y - exact| <= (3u + (columns + 8) * 2^-24) * sum |x| * |w|, plus columns * 2^-26 * max |x| *
/// max |w|; for Q4_K |w| stands for |d * s * q| + |dmin * m|. INT8 rounds x alone: u for 3u, and the largest of its 32 columns for |x|.
double ck_panel_unit(ck_panel_arithmetic arithmetic);

/// Q4_0, Q8_0, Q4_K, F16 and BF16 can be packed.
bool ck_can_pack_panels(ck_block_type type);

/// Bytes of the panel of up to 16 rows, and of a matrix: a multiple of 64. 0 for a type that cannot be packed, columns that are not
/// whole blocks or not a multiple of 32, no rows, or a size that does not fit 63 bits.
size_t ck_panel_bytes(ck_block_type type, size_t columns);
size_t ck_panels_bytes(ck_block_type type, size_t rows, size_t columns);

/// Packs the rows of `source`, shared out over the pool; the same bytes on every machine. A matrix may come in slices: all but the last
/// hold a multiple of 16 rows, and each goes to where its first panel lies. `packed` has ck_panels_bytes, aligned to 64, and is filled
/// completely. Returns source.rows, or the first row with a number or scale that is not finite; `packed` is then unspecified.
size_t ck_pack_panels(ck_pool *pool, void *packed, ck_block_matrix source);

/// Packed weights where they lie; nothing is owned.
typedef struct {
    ck_block_type type;
    /// ck_panels_bytes(type, rows, columns), aligned to 64; each exponent of a header as ck_pack_panels writes it.
    const void *data;
    size_t rows, columns;
} ck_panel_matrix;

/// target[columns] = row `row`: what ck_dequantize_row gives for it, but that a scale 2^22 times smaller than another of its row may lose bits.
void ck_unpack_panel_row(float *target, ck_panel_matrix weights, size_t row);

/// Bytes that a product needs beside its operands: grows with m up to 256 and stays there.
size_t ck_panels_scratch_bytes(const ck_pool *pool, size_t m, size_t columns);

/// y[m, rows] = x[m, columns] . W^T + epilogue in `arithmetic`; in FP32 where the pool does not have it. FP32 begins its chains at the bias, as ck_linear_blocks
/// does; the others add it after the product. A row of x with an infinity or NaN gives infinities or NaN, never a finite number that
/// hides it (but for outputs after relu, where minus infinity is below zero). y_stride >= rows; y must not overlap x or W; epilogue.residual may be y.
/// `scratch`: ck_panels_scratch_bytes for this m or a larger one, aligned to 64, used by this call alone. No heap.
void ck_linear_panels(ck_pool *pool, ck_panel_arithmetic arithmetic, float *y, size_t y_stride, const float *x, size_t m,
                      ck_panel_matrix weights, ck_epilogue epilogue, void *scratch);

/// One of several products with the same x.
typedef struct {
    ck_panel_matrix weights;
    /// [m, weights.rows], y_stride apart.
    float *y;
    size_t y_stride;
    ck_epilogue epilogue;
} ck_panel_product;

/// What `count` calls of ck_linear_panels compute, to the bit, for weights of the same number of columns: queries, keys and values, or gate and up. x is
/// converted once and the threads are called once. No product's y may overlap another's y or residual.
void ck_linear_panels_each(ck_pool *pool, ck_panel_arithmetic arithmetic, const ck_panel_product *products, size_t count, const float *x, size_t m,
                           void *scratch);

#pragma clang assume_nonnull end

#endif
