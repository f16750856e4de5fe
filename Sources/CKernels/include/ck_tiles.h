#ifndef CK_TILES_H
#define CK_TILES_H

#include "ck_gemm.h"

#pragma clang assume_nonnull begin

// Convolutions of a residual network in AMX tiles: images and weights of 16 bits, or of twice 16, products and sums in f32; f32 is ck_convolve.
//
// Between two layers an image is rounded once. Each output is one f32 sum over the weights in the order they are packed, then scale and bias in
// one multiply-add, residual and ReLU: its bits follow from its image and the weights alone, not from the images computed beside it, the number of threads or any blocking.
//
// An infinity or NaN in an image never turns into finite numbers: ReLU keeps minus infinity (ck_convolve makes it 0), so every output that
// sees one is infinite or NaN itself. In halves what is beyond 65504 becomes infinity, and shows in the same way.

typedef enum {
    /// Images and weights rounded to bfloat16.
    CK_TILE_BF16 = 1,
    /// Rounded to halves, eight times closer.
    CK_TILE_FP16 = 2,
    /// Each number as the sum of two bfloat16s, its rounding and what that leaves, so with 16 bits of significand. Three products for one: the two of a
    /// rounding with a rest, and that of the roundings; the product of the rests, 2^-16 of the whole, is left out. Source: Henry, Tang and
    /// Heinecke 2019, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations".
    CK_TILE_BF16X3 = 3,
} ck_tile_arithmetic;

/// Whether processor, kernel and pool have it; a pool that was cut below CK_AVX512 has none. The first call asks the operating system for the
/// tile registers, once for the process. Any thread.
bool ck_has_tile_arithmetic(const ck_pool *pool, ck_tile_arithmetic arithmetic);

/// For provenance, a string of the process: "bf16-amx", "fp16-amx", "bf16x3-amx".
const char *ck_tile_arithmetic_name(ck_tile_arithmetic arithmetic);

/// Largest relative error u of one factor. |y - exact| <= (3u + (weights of a filter + 8) * 2^-24) * sum |x| * |w|.
double ck_tile_unit(ck_tile_arithmetic arithmetic);

/// Channels of an image, and filters, are padded with zeros to a multiple of this.
enum { CK_TILE_CHANNELS = 32 };

/// Images of one shape that follow each other in memory, channels-last: elements of 16 bits as the arithmetic has them; with
/// CK_TILE_BF16X3 for each 32 channels of a pixel the roundings, then the rests.
/// With `border` 1 a row of zeros lies above and below each image and a column left of it, which is also the one right of the row above.
typedef struct {
    /// ck_tile_images_bytes, aligned to 64.
    void *data;
    size_t height, width, channels;
    /// 1 for what a 3x3 reads, 0 for what a 1x1 reads.
    size_t border;
} ck_tile_images;

/// Bytes of n images and of what kernels read behind the last one and do not use. 0 where that does not fit 63 bits, or there is
/// nothing. `data` is not looked at.
size_t ck_tile_images_bytes(ck_tile_arithmetic arithmetic, size_t n, ck_tile_images shape);

/// Bytes of packed weights; 0 where there are none, for a kernel that is neither 1, 3 nor the stem's 7, or where they do not fit 63 bits.
size_t ck_tile_filters_bytes(ck_tile_arithmetic arithmetic, size_t filters, size_t kernel, size_t channels);

/// Puts filter `filter` to its place in `packed` (ck_tile_filters_bytes, aligned to 64, zeroed before the first): scaled by a
/// power of two, so that its largest weight is in 0.5 ..< 1, and rounded. `weights`: [kernel, kernel, channels]. A kernel of 7 has one channel. The same bytes on every machine.
void ck_pack_tile_filter(ck_tile_arithmetic arithmetic, void *packed, const float *weights, float bias, size_t filter, size_t kernel,
                         size_t channels);

/// Weights of ck_pack_tile_filter where they lie; nothing is owned.
typedef struct {
    const void *data;
    size_t filters, kernel, channels;
} ck_tile_filters;

/// What happens after the product and the bias.
typedef struct {
    /// Images of y's shape without border, or NULL; may be y itself. Added after the bias.
    const void *_Nullable residual;
    bool relu;
    /// In place of y: [n, height, width, filters] floats, or NULL. What is not rounded.
    float *_Nullable floats;
} ck_tile_epilogue;

/// y = x convolved with `filters` (kernel 1, no padding; or 3, padding 1 from x's border), stride 1 or 2, for n images. y has x's sides divided by
/// `stride`, rounded up, and filters.filters channels; its border is zeroed. x and y must not overlap. No scratch, no heap.
/// `arithmetic` is one that ck_has_tile_arithmetic has, and the one that x and the weights are in.
void ck_convolve_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, ck_tile_images x, size_t stride,
                       ck_tile_filters filters, ck_tile_epilogue epilogue);

/// A ResNet bottleneck: y = relu(widen(relu(middle(relu(narrow(x))))) + shortcut(x)).
typedef struct {
    /// 1x1, 3x3 with the stride, 1x1.
    ck_tile_filters narrow, middle, widen;
    /// 1x1 with the stride, or NULL where the shortcut is x itself.
    const ck_tile_filters *_Nullable shortcut;
    size_t stride;
} ck_tile_bottleneck;

/// y from x, both without border, as ck_convolve_tiles one after the other would, to the bit. x and y must not overlap. Where the weights are small
/// against the images it goes through bands of rows, so that what lies between the convolutions stays in the second-level cache.
/// `floats`: as in the epilogue; y is then working memory. `scratch`: ck_bottleneck_scratch_bytes for this shape, aligned to 64, used by this call alone.
void ck_bottleneck_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, ck_tile_images x, ck_tile_bottleneck block,
                         float *_Nullable floats, void *scratch);
size_t ck_bottleneck_scratch_bytes(const ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images x, ck_tile_bottleneck block);

/// The stem of a ResNet: planes [n, height, width] f32 of one channel, 7x7 convolution with stride 2 and padding 3, ReLU, 3x3 maximum with
/// stride 2 and padding 1. y: a quarter of the sides, each time rounded up; border 0.
/// `scratch`: ck_stem_scratch_bytes, aligned to 64, used by this call alone.
void ck_stem_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, const float *planes, size_t height, size_t width,
                   ck_tile_filters filters, void *scratch);
size_t ck_stem_scratch_bytes(const ck_pool *pool, ck_tile_arithmetic arithmetic, size_t height, size_t width, size_t filters);

#pragma clang assume_nonnull end

#endif
