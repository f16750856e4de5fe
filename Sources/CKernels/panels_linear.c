// Products with panels: which arithmetic, passes of rows, tasks of panels. K is never split.
#include "kernels.h"
#include "panels_int8_kernels.h"

/// Products below this many multiply-adds stay on the calling thread.
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

// MARK: Splitting

/// A product's share of the tasks: `large` tasks of many panels, then small ones.
typedef struct {
    ck_panel_job job;
    size_t large, tasks;
} ck_panel_part;

/// Products with the same x in one job of the pool.
typedef struct {
    ck_panel_part parts[CK_PANEL_PRODUCTS];
    size_t large_panels, small_panels;
    const ck_panel_kernels *_Nullable kernels;
} ck_panel_tasks;

static void run_task(void *context, size_t task, size_t worker) {
    const ck_panel_tasks *tasks = context;
    const ck_panel_part *part = tasks->parts;
    for (; task >= part->tasks; part++) task -= part->tasks;
    const ck_panel_job *job = &part->job;
    size_t size = task < part->large ? tasks->large_panels : tasks->small_panels;
    size_t first = task < part->large ? task * size : part->large * tasks->large_panels + (task - part->large) * size;
    size_t end = job->panels - first < size ? job->panels : first + size;
    uint8_t *workspace = job->workspace + worker * job->workspace_bytes;
    if (tasks->kernels == NULL) ck_multiply_panels_fp32(job, first, end);
    else if (job->m <= tasks->kernels->few_rows) tasks->kernels->few(job, first, end, workspace);
    else tasks->kernels->many(job, first, end, workspace);
}

/// Few rows are shared out one by one, many by the tile.
static size_t convert_task_rows(size_t m) { return m <= CK_PANEL_ROWS ? 1 : CK_PANEL_ROWS; }

static void convert_task(void *context, size_t task, size_t worker) {
    (void)worker;
    const ck_panel_tasks *tasks = context;
    const ck_panel_job *job = &tasks->parts->job;
    size_t size = convert_task_rows(job->m), first = task * size;
    tasks->kernels->convert(job, first, job->m - first < size ? job->m - first : size);
}

static void run(ck_pool *pool, bool inline_work, size_t count, ck_tile task, ck_panel_tasks *tasks) {
    if (!inline_work) ck_pool_run(pool, count, task, tasks);
    else for (size_t index = 0; index < count; index++) task(tasks, index, 0);
}

/// What a task takes, by the path that its rows go. Sizes show in the speed, never in the bits.
static void set_task_panels(ck_panel_tasks *tasks, size_t m) {
    if (tasks->kernels == NULL) {
        tasks->large_panels = tasks->small_panels = m <= CK_PANEL_NARROW ? 4 : 2;
    } else {
        tasks->large_panels = m <= tasks->kernels->few_rows ? CK_PANEL_TASK : CK_PANEL_GROUP;
        tasks->small_panels = tasks->large_panels / 4;
    }
}

/// Multiplies the parts 0 ..< `count`. The last task or so of each thread is cut into small ones: no thread waits long for another.
static void run_parts(ck_pool *pool, ck_panel_tasks *tasks, size_t count) {
    size_t panels = 0, all = 0, work = 0, tail = ck_pool_threads(pool) * tasks->large_panels;
    for (size_t p = 0; p < count; p++) panels += tasks->parts[p].job.panels;
    size_t uncut = panels > tail ? panels - tail : 0;
    for (size_t p = 0; p < count; p++) {
        ck_panel_part *part = &tasks->parts[p];
        const ck_panel_job *job = &part->job;
        part->large = (job->panels < uncut ? job->panels : uncut) / tasks->large_panels;
        uncut -= part->large * tasks->large_panels;
        size_t rest = job->panels - part->large * tasks->large_panels;
        part->tasks = part->large + (rest + tasks->small_panels - 1) / tasks->small_panels;
        all += part->tasks;
        work += job->m * job->weights.rows * job->weights.columns;
    }
    run(pool, work < ck_inline_work, all, run_task, tasks);
}

static size_t tile_bytes(size_t m, size_t columns) {
    size_t row_tiles = ((m < CK_PANEL_PASS ? m : CK_PANEL_PASS) + 15) / 16;
    return row_tiles * 2 * ck_panel_units(columns) * CK_PANEL_TILE;
}

static size_t workspace_bytes(size_t m) {
    if (m > CK_PANEL_ROWS) return CK_PANEL_BUFFER + CK_PANEL_SUMS;
    return CK_PANEL_FEW;
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

void ck_linear_panels_each(ck_pool *pool, ck_panel_arithmetic arithmetic, const ck_panel_product *products, size_t count, const float *x, size_t m,
                           void *scratch) {
    if (m == 0 || count == 0) return;
    ck_panel_tasks tasks = {.kernels = panel_kernels_of(pool, arithmetic, products->weights.type)};
    for (size_t p = 1; p < count; p++) {
        if (panel_kernels_of(pool, arithmetic, products[p].weights.type) == tasks.kernels) continue;
        // x is converted for one kind of kernels.
        ck_linear_panels_each(pool, arithmetic, products, p, x, m, scratch);
        ck_linear_panels_each(pool, arithmetic, products + p, count - p, x, m, scratch);
        return;
    }
    size_t columns = products->weights.columns;
    ck_panel_job common = {
        .units = ck_panel_units(columns), .exponents = scratch, .tiles = (uint8_t *)scratch + CK_PANEL_PASS * sizeof(float),
        .workspace_bytes = workspace_bytes(m), .blocks = ck_pool_block_kernels(pool),
    };
    common.workspace = common.tiles + tile_bytes(m, columns);
    for (size_t row = 0; row < m; row += CK_PANEL_PASS) {
        common.m = m - row < CK_PANEL_PASS ? m - row : CK_PANEL_PASS;
        common.x = x + row * columns;
        set_task_panels(&tasks, common.m);
        for (size_t first = 0; first < count; first += CK_PANEL_PRODUCTS) {
            size_t parts = count - first < CK_PANEL_PRODUCTS ? count - first : CK_PANEL_PRODUCTS;
            for (size_t p = 0; p < parts; p++) {
                const ck_panel_product *product = &products[first + p];
                ck_panel_job *job = &tasks.parts[p].job;
                *job = common;
                job->weights = product->weights;
                job->panels = (product->weights.rows + CK_PANEL_OUTPUTS - 1) / CK_PANEL_OUTPUTS;
                job->panel_bytes = ck_panel_bytes(product->weights.type, columns);
                job->y = product->y + row * product->y_stride;
                job->y_stride = product->y_stride;
                job->epilogue = product->epilogue;
                if (job->epilogue.residual != NULL) job->epilogue.residual += row * product->y_stride;
            }
            if (first == 0 && tasks.kernels != NULL) {
                size_t size = convert_task_rows(common.m);
                run(pool, common.m * columns < ck_inline_numbers, (common.m + size - 1) / size, convert_task, &tasks);
            }
            run_parts(pool, &tasks, parts);
        }
    }
}

void ck_linear_panels(ck_pool *pool, ck_panel_arithmetic arithmetic, float *y, size_t y_stride, const float *x, size_t m,
                      ck_panel_matrix weights, ck_epilogue epilogue, void *scratch) {
    ck_panel_product product = {.weights = weights, .y = y, .y_stride = y_stride, .epilogue = epilogue};
    ck_linear_panels_each(pool, arithmetic, &product, 1, x, m, scratch);
}
