// One convolution in tiles, as its parts see it: conv_pack.c packs, conv_split.c, conv_bottleneck.c and
// conv_stem.c share out, conv_amx.h computes.
//
// A tile of x is sixteen positions of the output that lie at one distance from each other in memory, and 32 channels of one tap of the kernel: it
// is read where it lies, nothing is unrolled. A run is positions that go on so: with stride 1 several rows (the border column between two
// rows of a 3x3's input gives sums that nobody stores), else one row.
//
// Packed weights: for each pair of 16 filters a header, 32 floats scale and 32 floats bias; then for each step of 32 channels two tiles, the
// pair's, and with CK_TILE_BF16X3 two more with their rests. Steps are in ascending order of (kernel row, kernel column, channel). Row r of a
// tile: channels 2r and 2r + 1 of each filter.
#ifndef CK_CONV_KERNELS_H
#define CK_CONV_KERNELS_H

#include "kernels.h"
#include "ck_tiles.h"

#pragma clang assume_nonnull begin

enum {
    CK_TILE_BYTES = 1024,
    /// Positions of a tile.
    CK_TILE_POSITIONS = 16,
    /// Filters of a pair of tiles, and the bytes of their header.
    CK_TILE_PAIR = 32,
    CK_TILE_HEADER = 2 * CK_TILE_PAIR * 4,
    /// The stem's kernel, 7x7 over one channel in two steps: rows 0-3 and 4-7 by columns 0-7, the row changing fastest; row and column 7 are zero.
    CK_STEM_KERNEL = 7,
    CK_STEM_STEPS = 2,
    CK_STEM_ROWS = 4,
};

typedef struct {
    /// At the first tap of the first position; all distances are bytes.
    const uint8_t *x;
    size_t row, position;
    /// From roundings to their rests, where the arithmetic has rests.
    size_t rests;
    /// Taps: rows and columns of the kernel and their distances, and steps of 32 channels in each.
    size_t tap_rows, tap_columns, tap_row, tap_column, steps;
    const uint8_t *weights;
    size_t pair_bytes;
    /// Output: rows of a run go on (stride 1) or are runs of their own; positions from one row to the next of a run, of which `width` are stored.
    bool rows_go_on;
    size_t pitch, width;
    /// At the first pixel inside the border.
    uint8_t *y;
    size_t y_row, y_pixel;
    /// With y's distances, or NULL.
    const uint8_t *_Nullable residual;
    /// In place of y, or NULL; rows of [width, filters].
    float *_Nullable floats;
    size_t filters;
    bool relu;
} ck_conv_job;

/// The job that begins `rows` rows of output further on.
static inline ck_conv_job ck_conv_from(ck_conv_job job, size_t rows) {
    job.x += rows * job.row;
    job.y += rows * job.y_row;
    if (job.residual != NULL) job.residual += rows * job.y_row;
    if (job.floats != NULL) job.floats += rows * job.width * job.filters;
    return job;
}

/// What one kind of tiles provides.
typedef struct {
    /// The first `rows` rows of output of pairs first ..< end of filters.
    void (*convolve)(const ck_conv_job *job, size_t rows, size_t first, size_t end);
    /// `count` elements, and their rests `rests` elements further on.
    void (*narrow)(uint16_t *target, size_t rests, const float *source, size_t count);
    /// out[ceil(width / 2)] from three rows of `width` pixels of `channels` floats, a multiple of 32: 3x3 maximum of what ReLU has passed.
    void (*max_pool)(uint8_t *out, const float *_Nonnull const *_Nonnull rows, size_t width, size_t channels);
} ck_conv_kernels;

#if defined(__x86_64__)
extern const ck_conv_kernels ck_bf16_conv_kernels;
extern const ck_conv_kernels ck_fp16_conv_kernels;
extern const ck_conv_kernels ck_bf16x3_conv_kernels;
#endif

/// NULL where the build has none.
const ck_conv_kernels *_Nullable ck_conv_kernels_of(ck_tile_arithmetic arithmetic);

/// Steps of 32 channels.
static inline size_t ck_tile_steps(size_t channels) { return (channels + CK_TILE_CHANNELS - 1) / CK_TILE_CHANNELS; }

/// Elements that make one number.
static inline size_t ck_tile_parts(ck_tile_arithmetic arithmetic) { return arithmetic == CK_TILE_BF16X3 ? 2 : 1; }

/// Distances of images in bytes.
static inline size_t ck_tile_pixel_bytes(ck_tile_arithmetic a, size_t channels) { return ck_tile_steps(channels) * 64 * ck_tile_parts(a); }
static inline size_t ck_tile_row_bytes(ck_tile_arithmetic a, ck_tile_images s) { return (s.width + s.border) * ck_tile_pixel_bytes(a, s.channels); }
static inline size_t ck_tile_image_bytes(ck_tile_arithmetic a, ck_tile_images s) {
    return (s.height + 2 * s.border) * ck_tile_row_bytes(a, s) + s.border * ck_tile_pixel_bytes(a, s.channels);
}
static inline size_t ck_tile_pair_bytes(ck_tile_arithmetic a, size_t kernel, size_t channels) {
    size_t steps = kernel == CK_STEM_KERNEL ? CK_STEM_STEPS : kernel * kernel * ck_tile_steps(channels);
    return CK_TILE_HEADER + steps * 2 * ck_tile_parts(a) * CK_TILE_BYTES;
}
static inline size_t ck_tile_pairs(size_t filters) { return (filters + CK_TILE_PAIR - 1) / CK_TILE_PAIR; }

/// The first image's job; `stride` and shapes as in ck_convolve_tiles.
ck_conv_job ck_conv_job_of(ck_tile_arithmetic arithmetic, ck_tile_images y, ck_tile_images x, size_t stride, ck_tile_filters filters,
                           ck_tile_epilogue epilogue);

#pragma clang assume_nonnull end

#endif
