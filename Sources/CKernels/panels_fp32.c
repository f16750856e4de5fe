// Products with panels in f32: the chains of ck_linear_blocks, to the bit.
#include "panels_kernels.h"

#include <string.h>

/// Chains begin at the bias.
static void begin_chains(const ck_panel_job *job, float *sums, size_t stride, size_t rows, size_t output, size_t outputs) {
    memset(sums, 0, rows * stride * sizeof(float));
    if (job->epilogue.bias == NULL) return;
    for (size_t r = 0; r < rows; r++) memcpy(sums + r * stride, job->epilogue.bias + output, outputs * sizeof(float));
}

static void end_chains(const ck_panel_job *job, const float *sums, size_t stride, size_t row, size_t rows, size_t output, size_t outputs) {
    const ck_epilogue *e = &job->epilogue;
    for (size_t r = 0; r < rows; r++) {
        size_t at = (row + r) * job->y_stride + output;
        for (size_t i = 0; i < outputs; i++) {
            float sum = sums[r * stride + i];
            if (e->residual != NULL) sum += e->residual[at + i];
            job->y[at + i] = e->relu && sum < 0 ? 0 : sum;
        }
    }
}

/// Unit `unit` of a panel to `target`, in rows of CK_PANEL.
static void unpack(const ck_panel_job *job, float *target, size_t panel, size_t unit) {
    size_t left = job->weights.columns - unit * CK_PANEL_STEP;
    job->blocks->unpack_panel(
        job->weights.type, target, (const uint8_t *)job->weights.data + panel * job->panel_bytes, unit, left < CK_PANEL_STEP ? left : CK_PANEL_STEP);
}

static size_t outputs_of(const ck_panel_job *job, size_t first, size_t end) {
    size_t left = job->weights.rows - first * CK_PANEL_OUTPUTS, all = (end - first) * CK_PANEL_OUTPUTS;
    return left < all ? left : all;
}

/// Up to CK_PANEL_NARROW rows and four panels.
static void multiply_narrow(const ck_panel_job *job, size_t first, size_t end) {
    _Alignas(64) float sums[CK_PANEL_NARROW * 2 * CK_PANEL];
    _Alignas(64) float weights[2 * CK_PANEL_STEP * CK_PANEL];
    size_t columns = job->weights.columns, output = first * CK_PANEL_OUTPUTS, outputs = outputs_of(job, first, end);
    if (end - first < 4) memset(weights, 0, sizeof weights);
    begin_chains(job, sums, 2 * CK_PANEL, job->m, output, outputs);
    for (size_t unit = 0; unit < job->units; unit++) {
        size_t column = unit * CK_PANEL_STEP, length = columns - column < CK_PANEL_STEP ? columns - column : CK_PANEL_STEP;
        for (size_t p = 0; p < end - first; p++) unpack(job, weights + p / 2 * CK_PANEL_STEP * CK_PANEL + p % 2 * CK_PANEL_OUTPUTS, first + p, unit);
        for (size_t r = 0; r < job->m; r++) job->blocks->accumulate_narrow(sums + r * 2 * CK_PANEL, job->x + r * columns + column, weights, length);
    }
    end_chains(job, sums, 2 * CK_PANEL, 0, job->m, output, outputs);
}

/// Any number of rows and two panels: what the block kernels compute at a time.
static void multiply_wide(const ck_panel_job *job, size_t first, size_t end) {
    enum { rows_at_once = 192 };
    _Alignas(64) float sums[rows_at_once * CK_PANEL];
    _Alignas(64) float weights[CK_PIECE * CK_PANEL];
    size_t columns = job->weights.columns, output = first * CK_PANEL_OUTPUTS, outputs = outputs_of(job, first, end);
    if (end - first < 2) memset(weights, 0, sizeof weights);
    for (size_t row = 0; row < job->m; row += rows_at_once) {
        size_t rows = job->m - row < rows_at_once ? job->m - row : rows_at_once;
        begin_chains(job, sums, CK_PANEL, rows, output, outputs);
        for (size_t column = 0; column < columns; column += CK_PIECE) {
            size_t length = columns - column < CK_PIECE ? columns - column : CK_PIECE;
            for (size_t k = 0; k < length; k += CK_PANEL_STEP) {
                for (size_t p = 0; p < end - first; p++) {
                    unpack(job, weights + k * CK_PANEL + p * CK_PANEL_OUTPUTS, first + p, (column + k) / CK_PANEL_STEP);
                }
            }
            job->blocks->accumulate(sums, job->x + row * columns + column, columns, rows, weights, length);
        }
        end_chains(job, sums, CK_PANEL, row, rows, output, outputs);
    }
}

void ck_multiply_panels_fp32(const ck_panel_job *job, size_t first, size_t end) {
    if (job->m <= CK_PANEL_NARROW) multiply_narrow(job, first, end);
    else multiply_wide(job, first, end);
}
