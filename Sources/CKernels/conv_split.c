// Convolutions shared out over the pool: tasks are bands of rows of an image by groups of filters.
#include "ck_panels.h"
#include "conv_kernels.h"

#include <string.h>

enum {
    /// Positions of a band, about: enough for the weights that come with them, few enough for the second-level cache.
    CK_CONV_BAND = 256,
    /// Tasks that keep every thread busy to the end.
    CK_CONV_TASKS_A_THREAD = 4,
};

bool ck_has_tile_arithmetic(const ck_pool *pool, ck_tile_arithmetic arithmetic) {
    return ck_has_panel_arithmetic(pool, arithmetic == CK_TILE_FP16 ? CK_PANEL_FP16 : CK_PANEL_BF16);
}

const char *ck_tile_arithmetic_name(ck_tile_arithmetic arithmetic) {
    switch (arithmetic) {
    case CK_TILE_BF16: return "bf16-amx";
    case CK_TILE_FP16: return "fp16-amx";
    case CK_TILE_BF16X3: return "bf16x3-amx";
    }
    return "";
}

double ck_tile_unit(ck_tile_arithmetic arithmetic) {
    switch (arithmetic) {
    case CK_TILE_BF16: return 0x1p-8;
    case CK_TILE_FP16: return 0x1p-11;
    case CK_TILE_BF16X3: return 0x1p-16;
    }
    return 0;
}

const ck_conv_kernels *ck_conv_kernels_of(ck_tile_arithmetic arithmetic) {
#if defined(__x86_64__)
    switch (arithmetic) {
    case CK_TILE_BF16: return &ck_bf16_conv_kernels;
    case CK_TILE_FP16: return &ck_fp16_conv_kernels;
    case CK_TILE_BF16X3: return &ck_bf16x3_conv_kernels;
    }
#endif
    (void)arithmetic;
    return NULL;
}

ck_conv_job ck_conv_job_of(ck_tile_arithmetic a, ck_tile_images y, ck_tile_images x, size_t stride, ck_tile_filters filters,
                           ck_tile_epilogue epilogue) {
    size_t x_pixel = ck_tile_pixel_bytes(a, x.channels), x_row = ck_tile_row_bytes(a, x);
    size_t y_pixel = ck_tile_pixel_bytes(a, y.channels), y_row = ck_tile_row_bytes(a, y);
    return (ck_conv_job){
        .x = x.data, .row = stride * x_row, .position = stride * x_pixel, .rests = 64,
        .tap_rows = filters.kernel, .tap_columns = filters.kernel, .tap_row = x_row, .tap_column = x_pixel, .steps = ck_tile_steps(x.channels),
        .weights = filters.data, .pair_bytes = ck_tile_pair_bytes(a, filters.kernel, filters.channels),
        .rows_go_on = stride == 1, .pitch = stride == 1 ? x.width + x.border : y.width, .width = y.width,
        .y = (uint8_t *)y.data + y.border * (y_row + y_pixel), .y_row = y_row, .y_pixel = y_pixel,
        .residual = epilogue.residual, .floats = epilogue.floats, .filters = filters.filters, .relu = epilogue.relu,
    };
}

typedef struct {
    const ck_conv_kernels *kernels;
    ck_conv_job job;
    size_t x_image, y_image, height, bands, band_rows, groups, group_pairs;
} ck_conv_tasks;

/// The job of one image.
static ck_conv_job job_at(const ck_conv_tasks *tasks, size_t image) {
    ck_conv_job job = tasks->job;
    job.x += image * tasks->x_image;
    job.y += image * tasks->y_image;
    if (job.residual != NULL) job.residual += image * tasks->y_image;
    if (job.floats != NULL) job.floats += image * tasks->height * job.width * job.filters;
    return job;
}

static void run_task(void *context, size_t task, size_t worker) {
    (void)worker;
    const ck_conv_tasks *tasks = context;
    size_t group = task % tasks->groups, band = task / tasks->groups % tasks->bands, image = task / tasks->groups / tasks->bands;
    size_t first_row = band * tasks->band_rows, left = tasks->height - first_row;
    size_t first = group * tasks->group_pairs, pairs = ck_tile_pairs(tasks->job.filters);
    ck_conv_job job = ck_conv_from(job_at(tasks, image), first_row);
    tasks->kernels->convolve(&job, left < tasks->band_rows ? left : tasks->band_rows, first,
                             first + tasks->group_pairs < pairs ? first + tasks->group_pairs : pairs);
}

static void clear_border(ck_tile_arithmetic a, ck_tile_images s, size_t n) {
    size_t pixel = ck_tile_pixel_bytes(a, s.channels), row = ck_tile_row_bytes(a, s);
    uint8_t *image = s.data;
    for (size_t i = 0; i < n; i++, image += ck_tile_image_bytes(a, s)) {
        memset(image, 0, row);
        for (size_t r = 1; r <= s.height; r++) memset(image + r * row, 0, pixel);
        memset(image + (s.height + 1) * row, 0, row + pixel);
    }
}

void ck_convolve_tiles(ck_pool *pool, ck_tile_arithmetic arithmetic, size_t n, ck_tile_images y, ck_tile_images x, size_t stride,
                       ck_tile_filters filters, ck_tile_epilogue epilogue) {
    ck_conv_tasks tasks = {
        .kernels = ck_conv_kernels_of(arithmetic), .job = ck_conv_job_of(arithmetic, y, x, stride, filters, epilogue),
        .x_image = ck_tile_image_bytes(arithmetic, x), .y_image = ck_tile_image_bytes(arithmetic, y), .height = y.height,
    };
    if (n == 0 || tasks.kernels == NULL) return;
    if (y.border > 0) clear_border(arithmetic, y, n);
    size_t pairs = ck_tile_pairs(filters.filters), wanted = CK_CONV_TASKS_A_THREAD * ck_pool_threads(pool);
    tasks.band_rows = CK_CONV_BAND / y.width + 1 < y.height ? CK_CONV_BAND / y.width + 1 : y.height;
    tasks.bands = (y.height + tasks.band_rows - 1) / tasks.band_rows;
    // Filters are shared out only where there are not rows enough.
    tasks.groups = (wanted + n * tasks.bands - 1) / (n * tasks.bands);
    if (tasks.groups > pairs) tasks.groups = pairs;
    tasks.group_pairs = (pairs + tasks.groups - 1) / tasks.groups;
    tasks.groups = (pairs + tasks.group_pairs - 1) / tasks.group_pairs;
    ck_pool_run(pool, n * tasks.bands * tasks.groups, run_task, &tasks);
}
