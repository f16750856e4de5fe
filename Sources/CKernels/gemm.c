// Packing, and the split of products and convolutions into tiles. A tile is a block of rows by a few panels; its size
// follows from the shape alone, and the bits of an output do not depend on it at all.
#include "kernels.h"

#include <string.h>

/// Rows that a piece of a panel serves while it lies in the first-level cache: eight groups of what the registers hold.
enum { CK_GROUP_ROWS = 12, CK_TILE_ROWS = 8 * CK_GROUP_ROWS };
enum { CK_TILE_PANELS = 4 };
/// Terms of each chain in a piece: with so many, half a panel takes half of a first-level cache of 32 KB.
enum { CK_TILE_DEPTH = 256 };

/// Products below this many multiply-adds stay on the calling thread: a wake-up costs as much.
static const size_t ck_inline_work = 200 * 1000;

/// What a row outside the image reads.
static const float ck_zeros[CK_MAXIMUM_CHANNELS];

size_t ck_packed_count(size_t rows, size_t columns) {
    if (rows > (SIZE_MAX >> 1) - CK_PANEL) return 0;
    size_t padded = (rows + CK_PANEL - 1) / CK_PANEL * CK_PANEL, count;
    if (__builtin_mul_overflow(padded, columns, &count) || count > (SIZE_MAX >> 1) / sizeof(float)) return 0;
    return count;
}

void ck_pack_rows(float *packed, const float *source, size_t first, size_t count, size_t rows, size_t columns) {
    (void)rows;
    for (size_t index = 0; index < count; index++) {
        size_t row = first + index;
        float *out = packed + row / CK_PANEL * CK_PANEL * columns + row % CK_PANEL;
        const float *in = source + index * columns;
        for (size_t column = 0; column < columns; column++) memcpy(out + column * CK_PANEL, in + column, sizeof(float));
    }
}

void ck_unpack_row(float *out, const float *packed, size_t row, size_t columns) {
    const float *in = packed + row / CK_PANEL * CK_PANEL * columns + row % CK_PANEL;
    for (size_t column = 0; column < columns; column++) out[column] = in[column * CK_PANEL];
}

/// Everything a tile needs; a product is a 1x1 convolution over an image of one row.
typedef struct {
    const ck_kernels *kernels;
    float *y;
    size_t y_stride;
    const float *x, *packed;
    ck_convolution shape;
    size_t out_width, rows, row_blocks, block_rows, panels;
    /// Segments of a row of the unrolled image and the floats in one.
    size_t segments, run;
    ck_epilogue epilogue;
} ck_job;

/// Fills [segments][count] with the beginnings of the runs of output pixels first ..< first + count.
static void locate(const ck_job *job, const float **rows, size_t first, size_t count) {
    const ck_convolution *s = &job->shape;
    // Without padding the kernel's columns follow each other in memory: one run per kernel row.
    size_t columns = s->padding == 0 ? 1 : s->kernel;
    for (size_t index = 0; index < count; index++) {
        size_t pixel = first + index;
        size_t top = pixel / job->out_width * s->stride, left = pixel % job->out_width * s->stride;
        for (size_t i = 0; i < s->kernel; i++) {
            for (size_t j = 0; j < columns; j++) {
                // Shifted by the padding; what falls below wraps around and fails the comparison as well.
                size_t row = top + i - s->padding, column = left + j - s->padding;
                bool inside = row < s->height && column < s->width;
                rows[(i * columns + j) * count + index] = inside ? job->x + (row * s->width + column) * s->channels : ck_zeros;
            }
        }
    }
}

static void run_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_job *job = context;
    size_t block = tile % job->row_blocks, group = tile / job->row_blocks;
    size_t first_row = block * job->block_rows;
    size_t count = job->rows - first_row < job->block_rows ? job->rows - first_row : job->block_rows;
    size_t end_panel = (group + 1) * CK_TILE_PANELS < job->panels ? (group + 1) * CK_TILE_PANELS : job->panels;
    const float *rows[CK_MAXIMUM_KERNEL * CK_MAXIMUM_KERNEL * CK_TILE_ROWS];
    locate(job, rows, first_row, count);

    _Alignas(64) float sums[CK_TILE_ROWS * CK_PANEL];
    // Where few rows share a panel, nothing is gained by reading it in pieces.
    size_t depth = count > CK_GROUP_ROWS ? CK_TILE_DEPTH : SIZE_MAX;
    size_t segments_together = job->run > 0 && job->run < depth ? depth / job->run : 1;
    const ck_epilogue *e = &job->epilogue;
    for (size_t panel = group * CK_TILE_PANELS; panel < end_panel; panel++) {
        size_t output = panel * CK_PANEL, left = job->shape.filters - output;
        ck_gemm_tile t = {
            .row_count = count, .sums = sums, .begins = true,
            .panel = job->packed + output * job->segments * job->run,
            .columns = left < CK_PANEL ? left : CK_PANEL,
            .bias = e->bias == NULL ? NULL : e->bias + output,
            .residual = e->residual == NULL ? NULL : e->residual + first_row * job->y_stride + output,
            .y = job->y + first_row * job->y_stride + output, .y_stride = job->y_stride, .relu = e->relu,
        };
        // A piece is several whole segments, or a part of one.
        for (size_t segment = 0; segment < job->segments;) {
            t.rows = rows + segment * count;
            t.run = job->run - t.offset < depth ? job->run - t.offset : depth;
            t.segments = t.run == job->run ? segments_together : 1;
            if (t.segments > job->segments - segment) t.segments = job->segments - segment;
            bool whole = t.offset + t.run == job->run;
            if (whole) segment += t.segments;
            t.ends = segment == job->segments;
            job->kernels->gemm(&t);
            t.panel += t.segments * t.run * CK_PANEL;
            t.offset = whole ? 0 : t.offset + t.run;
            t.begins = false;
        }
    }
}

static void run_job(ck_pool *pool, ck_job *job) {
    if (job->rows == 0 || job->shape.filters == 0) return;
    job->kernels = ck_pool_kernels(pool);
    job->panels = (job->shape.filters + CK_PANEL - 1) / CK_PANEL;
    size_t blocks = (job->rows + CK_TILE_ROWS - 1) / CK_TILE_ROWS;
    size_t groups_per_block = ((job->rows + blocks - 1) / blocks + CK_GROUP_ROWS - 1) / CK_GROUP_ROWS;
    job->block_rows = groups_per_block * CK_GROUP_ROWS;
    job->row_blocks = (job->rows + job->block_rows - 1) / job->block_rows;
    size_t tiles = job->row_blocks * ((job->panels + CK_TILE_PANELS - 1) / CK_TILE_PANELS);
    if (job->rows * job->shape.filters * job->segments * job->run < ck_inline_work) {
        for (size_t tile = 0; tile < tiles; tile++) run_tile(job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, run_tile, job);
    }
}

void ck_linear(ck_pool *pool, float *y, size_t y_stride, const float *x, size_t m,
               const float *packed, size_t n, size_t k, ck_epilogue epilogue) {
    ck_job job = {
        .y = y, .y_stride = y_stride, .x = x, .packed = packed,
        .shape = {.height = 1, .width = m, .channels = k, .filters = n, .kernel = 1, .stride = 1, .padding = 0},
        .out_width = m, .rows = m, .segments = 1, .run = k, .epilogue = epilogue,
    };
    run_job(pool, &job);
}

size_t ck_convolved(size_t side, size_t kernel, size_t stride, size_t padding) {
    return (side + 2 * padding - kernel) / stride + 1;
}

void ck_convolve(ck_pool *pool, float *y, const float *x, ck_convolution shape, const float *packed, ck_epilogue epilogue) {
    size_t height = ck_convolved(shape.height, shape.kernel, shape.stride, shape.padding);
    size_t width = ck_convolved(shape.width, shape.kernel, shape.stride, shape.padding);
    bool contiguous = shape.padding == 0;
    ck_job job = {
        .y = y, .y_stride = shape.filters, .x = x, .packed = packed, .shape = shape,
        .out_width = width, .rows = height * width,
        .segments = contiguous ? shape.kernel : shape.kernel * shape.kernel,
        .run = contiguous ? shape.kernel * shape.channels : shape.channels,
        .epilogue = epilogue,
    };
    run_job(pool, &job);
}
