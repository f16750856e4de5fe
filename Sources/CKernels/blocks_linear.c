// Products with rows in blocks. A tile is CK_PANEL outputs by up to CK_BLOCK_ROWS rows of x; the weights are dequantised a piece of
// columns at a time into a panel as ck_gemm.h has it, and the chains of the tile wait in a table between the pieces.
#include "blocks_kernels.h"

#include <string.h>

/// Rows of x of a tile: dequantising is shared by so many. The table of their sums stays in the second-level cache.
enum { CK_BLOCK_ROWS = 192 };

/// Products below this many multiply-adds stay on the calling thread: a wake-up costs as much.
static const size_t ck_inline_work = 50 * 1000;

typedef struct {
    const ck_block_kernels *kernels;
    float *y;
    size_t y_stride;
    const float *x;
    size_t m, row_blocks, block_rows;
    ck_block_matrix weights;
    size_t row_bytes, block_elements, block_bytes;
    ck_epilogue epilogue;
} ck_block_job;

/// panel[k][i] = W[output + i][column + k]; zero where there is no such output.
static void fill_panel(const ck_block_job *job, float *panel, size_t output, size_t column, size_t length) {
    _Alignas(64) float band[CK_BAND * CK_PIECE];
    const ck_block_matrix *w = &job->weights;
    for (size_t first = 0; first < CK_PANEL; first += CK_BAND) {
        for (size_t i = 0; i < CK_BAND; i++) {
            size_t index = output + first + i;
            if (index >= w->rows) {
                memset(band + i * CK_PIECE, 0, length * sizeof(float));
                continue;
            }
            size_t row = w->order == NULL ? index : w->order[index];
            const uint8_t *source = (const uint8_t *)w->data + row * job->row_bytes + column / job->block_elements * job->block_bytes;
            job->kernels->dequantize(w->type, band + i * CK_PIECE, source, length / job->block_elements);
        }
        job->kernels->transpose(panel + first, band, length);
    }
}

static void run_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_block_job *job = context;
    const ck_epilogue *e = &job->epilogue;
    size_t output = tile / job->row_blocks * CK_PANEL, first_row = tile % job->row_blocks * job->block_rows;
    size_t rows = job->m - first_row < job->block_rows ? job->m - first_row : job->block_rows;
    size_t outputs = job->weights.rows - output < CK_PANEL ? job->weights.rows - output : CK_PANEL;
    _Alignas(64) float sums[CK_BLOCK_ROWS * CK_PANEL];
    _Alignas(64) float panel[CK_PIECE * CK_PANEL];

    memset(sums, 0, rows * CK_PANEL * sizeof(float));
    if (e->bias != NULL) {
        for (size_t row = 0; row < rows; row++) memcpy(sums + row * CK_PANEL, e->bias + output, outputs * sizeof(float));
    }
    for (size_t column = 0; column < job->weights.columns; column += CK_PIECE) {
        size_t left = job->weights.columns - column, length = left < CK_PIECE ? left : CK_PIECE;
        fill_panel(job, panel, output, column, length);
        job->kernels->accumulate(sums, job->x + first_row * job->weights.columns + column, job->weights.columns, rows, panel, length);
    }
    for (size_t row = 0; row < rows; row++) {
        size_t at = (first_row + row) * job->y_stride + output;
        for (size_t i = 0; i < outputs; i++) {
            float sum = sums[row * CK_PANEL + i];
            if (e->residual != NULL) sum += e->residual[at + i];
            job->y[at + i] = e->relu && sum < 0 ? 0 : sum;
        }
    }
}

void ck_linear_blocks(ck_pool *pool, float *y, size_t y_stride, const float *x, size_t m, ck_block_matrix weights, ck_epilogue epilogue) {
    if (m == 0 || weights.rows == 0) return;
    size_t row_blocks = (m + CK_BLOCK_ROWS - 1) / CK_BLOCK_ROWS;
    ck_block_job job = {
        .kernels = ck_pool_block_kernels(pool), .y = y, .y_stride = y_stride, .x = x, .m = m,
        .row_blocks = row_blocks, .block_rows = (m + row_blocks - 1) / row_blocks, .weights = weights,
        .row_bytes = ck_block_row_bytes(weights.type, weights.columns),
        .block_elements = ck_block_elements(weights.type), .block_bytes = ck_block_bytes(weights.type), .epilogue = epilogue,
    };
    size_t tiles = row_blocks * ((weights.rows + CK_PANEL - 1) / CK_PANEL);
    if (m * weights.rows * weights.columns < ck_inline_work) {
        for (size_t tile = 0; tile < tiles; tile++) run_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, run_tile, &job);
    }
}
