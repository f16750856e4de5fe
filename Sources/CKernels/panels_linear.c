// Products with panels: passes of rows, tasks of panels, and the f32 arithmetic. K is never split.
#include "kernels.h"
#include "panels_int8_kernels.h"

#include <string.h>

/// Products below this many multiply-adds stay on the calling thread: a wake-up costs as much.
static const size_t ck_inline_work = 50 * 1000;

/// Numbers of x below which converting them is not shared out.
static const size_t ck_inline_numbers = 32 * 1000;

// MARK: Which arithmetic

bool ck_has_panel_arithmetic(const ck_pool *pool, ck_panel_arithmetic arithmetic) {
    if (arithmetic == CK_PANEL_FP32 || arithmetic == CK_PANEL_INT8) return true;
#if defined(__x86_64__)
    return ck_pool_set(pool) == CK_AVX512 && ck_processor_has_panels(arithmetic);
#else
    (void)pool;
    return false;
#endif
}

ck_panel_arithmetic ck_best_panel_arithmetic(const ck_pool *pool) {
    if (ck_has_panel_arithmetic(pool, CK_PANEL_FP16)) return CK_PANEL_FP16;
    return ck_has_panel_arithmetic(pool, CK_PANEL_BF16) ? CK_PANEL_BF16 : CK_PANEL_FP32;
}

const char *ck_panel_arithmetic_name(const ck_pool *pool, ck_panel_arithmetic arithmetic) {
    switch (arithmetic) {
    case CK_PANEL_FP16: return "fp16-amx";
    case CK_PANEL_BF16: return "bf16-amx";
    case CK_PANEL_INT8: return "int8";
    case CK_PANEL_FP32: break;
    }
    return ck_arithmetic_name(pool);
}

double ck_panel_unit(ck_panel_arithmetic arithmetic) {
    switch (arithmetic) {
    case CK_PANEL_FP16: return 0x1p-11;
    case CK_PANEL_BF16: return 0x1p-8;
    case CK_PANEL_INT8: return 1.0 / 254 + 0x1p-22;
    case CK_PANEL_FP32: break;
    }
    return 0;
}

// MARK: f32

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

// MARK: Splitting

typedef struct {
    ck_panel_job job;
    const ck_panel_kernels *_Nullable kernels;
    size_t panels_per_task;
} ck_panel_tasks;

static void run_task(void *context, size_t task, size_t worker) {
    const ck_panel_tasks *tasks = context;
    const ck_panel_job *job = &tasks->job;
    size_t first = task * tasks->panels_per_task;
    size_t end = job->panels - first < tasks->panels_per_task ? job->panels : first + tasks->panels_per_task;
    uint8_t *workspace = job->workspace + worker * job->workspace_bytes;
    if (tasks->kernels == NULL && job->m <= CK_PANEL_NARROW) multiply_narrow(job, first, end);
    else if (tasks->kernels == NULL) multiply_wide(job, first, end);
    else if (job->m <= CK_PANEL_ROWS) tasks->kernels->few(job, first, end, workspace);
    else tasks->kernels->many(job, first, end, workspace);
}

static void convert_task(void *context, size_t task, size_t worker) {
    (void)worker;
    const ck_panel_tasks *tasks = context;
    tasks->kernels->convert(&tasks->job, task);
}

static void run(ck_pool *pool, bool inline_work, size_t count, ck_tile task, ck_panel_tasks *tasks) {
    if (!inline_work) ck_pool_run(pool, count, task, tasks);
    else for (size_t index = 0; index < count; index++) task(tasks, index, 0);
}

static size_t tile_bytes(size_t m, size_t columns) {
    size_t row_tiles = ((m < CK_PANEL_PASS ? m : CK_PANEL_PASS) + 15) / 16;
    return row_tiles * 2 * ck_panel_units(columns) * CK_PANEL_TILE;
}

static size_t workspace_bytes(size_t m) {
    if (m > CK_PANEL_ROWS) return CK_PANEL_BUFFER + CK_PANEL_SUMS;
    return (4 + CK_PANEL_STREAMS) * CK_PANEL_TILE; // two units, and sums
}

size_t ck_panels_scratch_bytes(const ck_pool *pool, size_t m, size_t columns) {
    return CK_PANEL_PASS * sizeof(float) + tile_bytes(m, columns) + ck_pool_threads(pool) * workspace_bytes(m);
}

static const ck_panel_kernels *_Nullable panel_kernels_of(const ck_pool *pool, ck_panel_arithmetic arithmetic, ck_block_type type) {
    if (arithmetic == CK_PANEL_INT8) return ck_has_int8_form(type) ? ck_int8_kernels_of(pool) : NULL;
    // Asks for the tile registers, too, where nobody has yet.
    if (!ck_has_panel_arithmetic(pool, arithmetic)) return NULL;
#if defined(__x86_64__)
    if (arithmetic == CK_PANEL_FP16) return &ck_fp16_panel_kernels;
    if (arithmetic == CK_PANEL_BF16) return &ck_bf16_panel_kernels;
#endif
    (void)arithmetic;
    return NULL;
}

void ck_linear_panels(ck_pool *pool, ck_panel_arithmetic arithmetic, float *y, size_t y_stride, const float *x, size_t m,
                      ck_panel_matrix weights, ck_epilogue epilogue, void *scratch) {
    if (m == 0 || weights.rows == 0) return;
    ck_panel_tasks tasks = {
        .job = {
            .weights = weights, .panels = (weights.rows + CK_PANEL_OUTPUTS - 1) / CK_PANEL_OUTPUTS,
            .panel_bytes = ck_panel_bytes(weights.type, weights.columns), .units = ck_panel_units(weights.columns),
            .y_stride = y_stride, .epilogue = epilogue, .exponents = scratch,
            .tiles = (uint8_t *)scratch + CK_PANEL_PASS * sizeof(float), .workspace_bytes = workspace_bytes(m),
            .blocks = ck_pool_block_kernels(pool),
        },
        .kernels = panel_kernels_of(pool, arithmetic, weights.type),
    };
    ck_panel_job *job = &tasks.job;
    job->workspace = job->tiles + tile_bytes(m, weights.columns);
    for (size_t row = 0; row < m; row += CK_PANEL_PASS) {
        job->m = m - row < CK_PANEL_PASS ? m - row : CK_PANEL_PASS;
        job->x = x + row * weights.columns;
        job->y = y + row * y_stride;
        job->epilogue.residual = epilogue.residual == NULL ? NULL : epilogue.residual + row * y_stride;
        if (tasks.kernels != NULL) run(pool, job->m * weights.columns < ck_inline_numbers, job->m, convert_task, &tasks);
        if (tasks.kernels == NULL) tasks.panels_per_task = job->m <= CK_PANEL_NARROW ? 4 : 2;
        else tasks.panels_per_task = job->m <= CK_PANEL_ROWS ? CK_PANEL_TASK : CK_PANEL_GROUP;
        size_t count = (job->panels + tasks.panels_per_task - 1) / tasks.panels_per_task;
        run(pool, job->m * weights.rows * weights.columns < ck_inline_work, count, run_task, &tasks);
    }
}
