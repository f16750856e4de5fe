// A bottleneck, in bands where its weights are small: each band computes the rows of the narrow image that its 3x3 sees, and what lies between
// the convolutions never leaves the second-level cache. Otherwise convolution after convolution, so that each weight is read once.
#include "conv_kernels.h"

#include <string.h>

enum {
    /// Weights of a block up to which each thread may read all of them for each band.
    CK_BOTTLENECK_WEIGHTS = 2 << 20,
    /// Bytes of a band of images in the cache, about.
    CK_BOTTLENECK_BAND = 768 << 10,
};

typedef struct {
    const ck_conv_kernels *kernels;
    ck_tile_arithmetic arithmetic;
    ck_tile_images x, y;
    ck_tile_bottleneck block;
    float *_Nullable floats;
    uint8_t *scratch;
    size_t worker_bytes, band_rows, bands;
} ck_bottleneck_tasks;

/// The image between narrow and middle, and the one between middle and widen, of `rows` rows of output (or of all).
static ck_tile_images narrowed(ck_tile_images x, ck_tile_bottleneck block, size_t height) {
    return (ck_tile_images){.height = height, .width = x.width, .channels = block.narrow.filters, .border = 1};
}
static ck_tile_images filtered(ck_tile_images x, ck_tile_bottleneck block, size_t height) {
    return (ck_tile_images){.height = height, .width = (x.width - 1) / block.stride + 1, .channels = block.middle.filters};
}

static size_t block_weights(ck_tile_arithmetic a, ck_tile_bottleneck block) {
    size_t bytes = ck_tile_filters_bytes(a, block.narrow.filters, 1, block.narrow.channels) + ck_tile_filters_bytes(a, block.middle.filters, 3, block.middle.channels)
        + ck_tile_filters_bytes(a, block.widen.filters, 1, block.widen.channels);
    return block.shortcut == NULL ? bytes : bytes + ck_tile_filters_bytes(a, block.shortcut->filters, 1, block.shortcut->channels);
}

/// Rows of output of a band: what fits the cache, in bands of about the same height.
static size_t band_rows(ck_tile_arithmetic a, ck_tile_images x, ck_tile_bottleneck block) {
    ck_tile_images y = filtered(x, block, 1);
    size_t height = (x.height - 1) / block.stride + 1;
    size_t row = block.stride * ck_tile_row_bytes(a, narrowed(x, block, 1)) + ck_tile_row_bytes(a, y) + y.width * ck_tile_pixel_bytes(a, block.widen.filters);
    size_t rows = CK_BOTTLENECK_BAND / row + 1, bands = (height + rows - 1) / rows;
    return (height + bands - 1) / bands;
}

static bool in_bands(ck_tile_arithmetic a, ck_tile_bottleneck block) { return block_weights(a, block) <= CK_BOTTLENECK_WEIGHTS; }

size_t ck_bottleneck_scratch_bytes(const ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images x, ck_tile_bottleneck block) {
    bool bands = in_bands(arithmetic, block);
    size_t rows = bands ? band_rows(arithmetic, x, block) : 0, copies = bands ? 1 : n;
    size_t first = ck_tile_images_bytes(arithmetic, copies, narrowed(x, block, rows > 0 ? (rows - 1) * block.stride + 1 : x.height));
    size_t second = ck_tile_images_bytes(arithmetic, copies, filtered(x, block, rows > 0 ? rows : (x.height - 1) / block.stride + 1)), bytes;
    if (first == 0 || second == 0 || __builtin_add_overflow(first, second, &bytes)) return 0;
    if (__builtin_mul_overflow(bytes, bands ? ck_pool_threads(pool) : 1, &bytes) || bytes > SIZE_MAX >> 1) return 0;
    return bytes;
}

static void run_band(void *context, size_t task, size_t worker) {
    const ck_bottleneck_tasks *tasks = context;
    const ck_tile_bottleneck *block = &tasks->block;
    const ck_tile_arithmetic a = tasks->arithmetic;
    size_t image = task / tasks->bands, first = task % tasks->bands * tasks->band_rows;
    size_t end = first + tasks->band_rows < tasks->y.height ? first + tasks->band_rows : tasks->y.height, rows = end - first;
    ck_tile_images x = tasks->x, y = tasks->y, inner = narrowed(x, *block, (tasks->band_rows - 1) * block->stride + 1);
    x.data = (uint8_t *)x.data + image * ck_tile_image_bytes(a, x);
    y.data = (uint8_t *)y.data + image * ck_tile_image_bytes(a, y);
    inner.data = tasks->scratch + worker * tasks->worker_bytes;
    ck_tile_images outer = filtered(x, *block, tasks->band_rows);
    outer.data = (uint8_t *)inner.data + ck_tile_images_bytes(a, 1, inner);

    // Row r of x is row r - top + 1 of the scratch, counted from its border.
    size_t top = first * block->stride, above = top > 0 ? top - 1 : 0, bottom = (end - 1) * block->stride + 2;
    if (bottom > x.height) bottom = x.height;
    size_t row = ck_tile_row_bytes(a, inner), pixel = ck_tile_pixel_bytes(a, inner.channels);
    uint8_t *scratch = inner.data;
    if (top == 0) memset(scratch, 0, row);
    for (size_t r = above + 1 - top; r < bottom + 1 - top; r++) memset(scratch + r * row, 0, pixel);
    memset(scratch + (bottom + 1 - top) * row, 0, bottom == (end - 1) * block->stride + 2 ? pixel : row + pixel);

    ck_conv_job job = ck_conv_from(ck_conv_job_of(a, inner, x, 1, block->narrow, (ck_tile_epilogue){.relu = true}), above);
    // The band's scratch, not the image's rows.
    job.y = scratch + (above + 1 - top) * row + pixel;
    tasks->kernels->convolve(&job, bottom - above, 0, ck_tile_pairs(block->narrow.filters));
    job = ck_conv_job_of(a, outer, inner, block->stride, block->middle, (ck_tile_epilogue){.relu = true});
    tasks->kernels->convolve(&job, rows, 0, ck_tile_pairs(block->middle.filters));
    const void *residual = x.data;
    if (block->shortcut != NULL) {
        job = ck_conv_from(ck_conv_job_of(a, y, x, block->stride, *block->shortcut, (ck_tile_epilogue){0}), first);
        tasks->kernels->convolve(&job, rows, 0, ck_tile_pairs(y.channels));
        residual = y.data;
    }
    float *floats = tasks->floats == NULL ? NULL : tasks->floats + image * y.height * y.width * y.channels;
    ck_conv_job last = ck_conv_from(ck_conv_job_of(a, y, outer, 1, block->widen, (ck_tile_epilogue){.residual = residual, .relu = true, .floats = floats}), first);
    last.x = outer.data;
    tasks->kernels->convolve(&last, rows, 0, ck_tile_pairs(y.channels));
}

void ck_bottleneck_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, ck_tile_images x, ck_tile_bottleneck block,
                         float *floats, void *scratch) {
    if (in_bands(arithmetic, block)) {
        ck_bottleneck_tasks tasks = {
            .kernels = ck_conv_kernels_of(arithmetic), .arithmetic = arithmetic, .x = x, .y = y, .block = block, .floats = floats, .scratch = scratch,
            .band_rows = band_rows(arithmetic, x, block),
        };
        tasks.worker_bytes = ck_bottleneck_scratch_bytes(pool, arithmetic, n, x, block) / ck_pool_threads(pool);
        tasks.bands = (y.height + tasks.band_rows - 1) / tasks.band_rows;
        if (tasks.kernels != NULL) ck_pool_run(pool, n * tasks.bands, run_band, &tasks);
        return;
    }
    ck_tile_images inner = narrowed(x, block, x.height), outer = filtered(x, block, y.height);
    inner.data = scratch;
    outer.data = (uint8_t *)scratch + ck_tile_images_bytes(arithmetic, n, inner);
    ck_convolve_tiles(pool, arithmetic, n, inner, x, 1, block.narrow, (ck_tile_epilogue){.relu = true});
    ck_convolve_tiles(pool, arithmetic, n, outer, inner, block.stride, block.middle, (ck_tile_epilogue){.relu = true});
    if (block.shortcut != NULL) ck_convolve_tiles(pool, arithmetic, n, y, x, block.stride, *block.shortcut, (ck_tile_epilogue){0});
    const void *residual = block.shortcut == NULL ? x.data : y.data;
    ck_convolve_tiles(pool, arithmetic, n, y, outer, 1, block.widen, (ck_tile_epilogue){.residual = residual, .relu = true, .floats = floats});
}
