#ifndef CK_GEMM_H
#define CK_GEMM_H

#include "ck_pool.h"

#pragma clang assume_nonnull begin

// Matrix products and convolutions, f32.
//
// Determinism is by construction: an output is  bias + w[0]*x[0] + w[1]*x[1] + ...  as one chain of fused multiply-adds
// in ascending order, then + residual, then max(0, .). The chain never depends on the number of threads, on how many
// rows are computed together, or on the instruction set; so neither do its bits.
//
// Weights are packed once at load into panels of CK_PANEL outputs: panel[k][output], zero-padded.

enum { CK_PANEL = 32 };

/// The largest kernel side, and the most input channels, that ck_convolve takes.
enum { CK_MAXIMUM_KERNEL = 7, CK_MAXIMUM_CHANNELS = 16384 };

/// Floats in the packed form of a [rows, columns] matrix: rows rounded up to CK_PANEL, times columns.
/// 0 where that does not fit 63 bits.
size_t ck_packed_count(size_t rows, size_t columns);

/// Packs `count` rows of W, from row `first` on, into `packed` (ck_packed_count floats, zeroed before the first call).
/// `source` holds these rows: [count, columns], row-major, no alignment needed. first + count <= rows.
void ck_pack_rows(float *packed, const float *source, size_t first, size_t count, size_t rows, size_t columns);

/// Reads row `row` of a packed matrix back into `out` [columns].
void ck_unpack_row(float *out, const float *packed, size_t row, size_t columns);

/// What happens after the product.
typedef struct {
    /// [outputs], or NULL for none: where the chain begins.
    const float *_Nullable bias;
    /// Same shape and stride as y, or NULL; may be y itself. Added after the product.
    const float *_Nullable residual;
    /// max(0, .) at the very end; NaN stays NaN.
    bool relu;
} ck_epilogue;

/// y[m, n] = x[m, k] . W[n, k]^T + epilogue.  `packed`: ck_pack_rows of W. y_stride >= n: floats between rows of y.
/// y must not overlap x or W. No alignment needed. m may be 1 (decoding) or thousands.
void ck_linear(ck_pool *pool, float *y, size_t y_stride, const float *x, size_t m,
               const float *packed, size_t n, size_t k, ck_epilogue epilogue);

/// A convolution over a channels-last image.
typedef struct {
    size_t height, width, channels;
    size_t filters, kernel, stride, padding;
} ck_convolution;

/// floor((side + 2*padding - kernel) / stride) + 1
size_t ck_convolved(size_t side, size_t kernel, size_t stride, size_t padding);

/// y[outHeight, outWidth, filters] from x[height, width, channels]. `packed`: the weights as [filters, kernel, kernel, channels].
/// kernel <= CK_MAXIMUM_KERNEL, channels <= CK_MAXIMUM_CHANNELS, kernel <= side + 2 * padding. No workspace: the rows of the image
/// are read where they lie, padding from a row of zeros. y must not overlap x.
void ck_convolve(ck_pool *pool, float *y, const float *x, ck_convolution shape, const float *packed, ck_epilogue epilogue);

#pragma clang assume_nonnull end

#endif
