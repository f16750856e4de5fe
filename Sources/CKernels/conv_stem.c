// The stem: planes of floats to pooled images, in bands of pooled rows.
//
// A column of four rows of the plane is four elements in a row, so that 32 elements are four rows by eight columns and the 7x7 kernel is
// two steps. Such columns are kept for every other row: output row r reads lines r and r + 2 of them.
#include "conv_kernels.h"

#include <string.h>

enum {
    /// Rows of the pooled image in a band, and the rows of the convolution beneath them.
    CK_STEM_BAND = 8,
    CK_STEM_UNDER = 2 * CK_STEM_BAND + 1,
    CK_STEM_PADDING = 3,
    /// Lines of columns of a band.
    CK_STEM_LINES = CK_STEM_UNDER + 2,
    CK_STEM_COLUMN = CK_STEM_ROWS * 2,
};

typedef struct {
    const ck_conv_kernels *kernels;
    ck_tile_arithmetic arithmetic;
    const float *planes;
    size_t height, width;
    ck_tile_images y;
    ck_tile_filters filters;
    uint8_t *scratch;
    size_t worker_bytes, bands;
} ck_stem_tasks;

static size_t half(size_t side) { return side / 2 + side % 2; }

/// Columns of a line: what sixteen positions at the edge read, used or not.
static size_t line_columns(size_t width) { return 2 * ((half(width) + 15) / 16 * 16) + 8; }

/// Rows of the plane as elements, then lines of columns, both once for each part of a number, then rows of the convolution in f32: their maximum is
/// rounded once.
static size_t rows_bytes(size_t width) { return CK_STEM_ROWS * ((line_columns(width) * 2 + 63) / 64 * 64); }
static size_t lines_bytes(size_t width) { return (CK_STEM_LINES * line_columns(width) * CK_STEM_COLUMN + 63) / 64 * 64; }
static size_t padded(size_t filters) { return ck_tile_steps(filters) * 32; }
static size_t worker_bytes(ck_tile_arithmetic a, size_t width, size_t filters) {
    return ck_tile_parts(a) * (rows_bytes(width) + lines_bytes(width)) + CK_STEM_UNDER * half(width) * padded(filters) * sizeof(float);
}

size_t ck_stem_scratch_bytes(const ck_pool *pool, ck_tile_arithmetic arithmetic, size_t height, size_t width, size_t filters) {
    (void)height;
    enum { sane = 1 << 20 };
    if (width > sane || filters > sane) return 0;
    return ck_pool_threads(pool) * worker_bytes(arithmetic, width, filters);
}

/// Lines first ..< end of columns: line e holds rows 2e - 3 ... 2e of the plane, column c its column c - 3.
static void interleave(const ck_stem_tasks *tasks, const float *plane, uint8_t *scratch, size_t first, size_t end) {
    size_t columns = line_columns(tasks->width), pitch = rows_bytes(tasks->width) / CK_STEM_ROWS / 2, parts = ck_tile_parts(tasks->arithmetic);
    size_t rests = CK_STEM_ROWS * pitch, line_rests = lines_bytes(tasks->width) / sizeof(uint64_t);
    uint16_t *rows = (uint16_t *)(void *)scratch;
    uint64_t *lines = (uint64_t *)(void *)(scratch + parts * rows_bytes(tasks->width));
    memset(rows, 0, parts * rows_bytes(tasks->width));
    for (size_t row = 2 * first; row < 2 * end + 2; row++) {
        uint16_t *target = rows + row % CK_STEM_ROWS * pitch + CK_STEM_PADDING;
        bool inside = row >= CK_STEM_PADDING && row - CK_STEM_PADDING < tasks->height;
        if (inside) tasks->kernels->narrow(target, rests, plane + (row - CK_STEM_PADDING) * tasks->width, tasks->width);
        else for (size_t part = 0; part < parts; part++) memset(target + part * rests, 0, tasks->width * 2);
        // The fourth row of a line.
        if (row % 2 == 0 || row < 2 * first + 3) continue;
        for (size_t part = 0; part < parts; part++) {
            const uint16_t *four = rows + part * rests;
            const uint16_t *a = four + (row - 3) % CK_STEM_ROWS * pitch, *b = four + (row - 2) % CK_STEM_ROWS * pitch;
            const uint16_t *c = four + (row - 1) % CK_STEM_ROWS * pitch, *d = four + row % CK_STEM_ROWS * pitch;
            uint64_t *line = lines + part * line_rests;
            for (size_t i = 0; i < columns; i++) line[i] = (uint64_t)d[i] << 48 | (uint64_t)c[i] << 32 | (uint64_t)b[i] << 16 | a[i];
        }
        lines += columns;
    }
}

static void run_band(void *context, size_t task, size_t worker) {
    const ck_stem_tasks *tasks = context;
    const ck_tile_arithmetic a = tasks->arithmetic;
    size_t image = task / tasks->bands, band = task % tasks->bands;
    size_t height = half(tasks->height), width = half(tasks->width), channels = padded(tasks->filters.filters);
    size_t line = line_columns(tasks->width) * CK_STEM_COLUMN;
    uint8_t *scratch = tasks->scratch + worker * tasks->worker_bytes, *lines = scratch + ck_tile_parts(a) * rows_bytes(tasks->width);
    float *under = (float *)(void *)(lines + ck_tile_parts(a) * lines_bytes(tasks->width));
    size_t first = band * CK_STEM_BAND, end = first + CK_STEM_BAND < tasks->y.height ? first + CK_STEM_BAND : tasks->y.height;
    size_t top = first > 0 ? 2 * first - 1 : 0, bottom = 2 * end < height ? 2 * end : height;
    interleave(tasks, tasks->planes + image * tasks->height * tasks->width, scratch, top, bottom + 2);
    ck_conv_job job = {
        .x = lines, .row = line, .position = 2 * CK_STEM_COLUMN, .rests = lines_bytes(tasks->width),
        .tap_rows = CK_STEM_STEPS, .tap_columns = 1, .tap_row = 2 * line, .steps = 1,
        .weights = tasks->filters.data, .pair_bytes = ck_tile_pair_bytes(a, CK_STEM_KERNEL, 1),
        .pitch = width, .width = width, .floats = under, .filters = channels, .relu = true,
    };
    tasks->kernels->convolve(&job, bottom - top, 0, ck_tile_pairs(channels));
    for (size_t row = first; row < end; row++) {
        // Beyond an edge the row itself stands once more.
        size_t above = row > 0 ? 2 * row - 1 : 0, below = 2 * row + 1 < height ? 2 * row + 1 : 2 * row, pitch = width * channels;
        const float *three[] = {under + (above - top) * pitch, under + (2 * row - top) * pitch, under + (below - top) * pitch};
        uint8_t *out = (uint8_t *)tasks->y.data + image * ck_tile_image_bytes(a, tasks->y) + row * ck_tile_row_bytes(a, tasks->y);
        tasks->kernels->max_pool(out, three, width, channels);
    }
}

void ck_stem_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, const float *planes, size_t height, size_t width,
                   ck_tile_filters filters, void *scratch) {
    ck_stem_tasks tasks = {
        .kernels = ck_conv_kernels_of(arithmetic), .arithmetic = arithmetic, .planes = planes, .height = height, .width = width, .y = y,
        .filters = filters, .scratch = scratch, .worker_bytes = worker_bytes(arithmetic, width, filters.filters), .bands = (y.height + CK_STEM_BAND - 1) / CK_STEM_BAND,
    };
    if (tasks.kernels != NULL) ck_pool_run(pool, n * tasks.bands, run_band, &tasks);
}
