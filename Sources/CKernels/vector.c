// Row-wise and element-wise steps, split over the pool. Every tile is whole rows (or, where nothing is summed, a stretch
// of elements), so the split cannot show in the result.
#include "kernels.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/// Elements of a tile, at least; smaller jobs stay on the calling thread.
enum { CK_TILE_ELEMENTS = 16384 };

typedef struct {
    const ck_kernels *kernels;
    float *out;
    const float *x, *weight, *bias;
    float epsilon;
    size_t rows, columns, tile_rows;
    void (*row)(const void *job, size_t row);
} ck_rows_job;

static void rows_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_rows_job *job = context;
    size_t end = (tile + 1) * job->tile_rows < job->rows ? (tile + 1) * job->tile_rows : job->rows;
    for (size_t row = tile * job->tile_rows; row < end; row++) job->row(job, row);
}

static void run_rows(ck_pool *pool, ck_rows_job *job) {
    job->kernels = ck_pool_kernels(pool);
    job->tile_rows = 1 + CK_TILE_ELEMENTS / (job->columns + 1);
    ck_pool_run(pool, (job->rows + job->tile_rows - 1) / job->tile_rows, rows_tile, job);
}

float ck_dot(const ck_pool *pool, const float *a, const float *b, size_t count) {
    return ck_pool_kernels(pool)->dot(a, b, count);
}

static void rms_norm_row(const void *context, size_t row) {
    const ck_rows_job *job = context;
    job->kernels->rms_norm(job->out + row * job->columns, job->x + row * job->columns, job->columns, job->weight, job->epsilon);
}

void ck_rms_norm(ck_pool *pool, float *out, const float *x, size_t rows, size_t columns, const float *weight, float epsilon) {
    ck_rows_job job = {
        .out = out, .x = x, .weight = weight, .epsilon = epsilon, .rows = rows, .columns = columns, .row = rms_norm_row};
    run_rows(pool, &job);
}

static void layer_norm_row(const void *context, size_t row) {
    const ck_rows_job *job = context;
    job->kernels->layer_norm(job->out + row * job->columns, job->x + row * job->columns, job->columns, job->weight, job->bias,
                             job->epsilon);
}

void ck_layer_norm(ck_pool *pool, float *out, const float *x, size_t rows, size_t columns, const float *weight,
                   const float *bias, float epsilon) {
    ck_rows_job job = {.out = out, .x = x, .weight = weight, .bias = bias, .epsilon = epsilon,
                       .rows = rows, .columns = columns, .row = layer_norm_row};
    run_rows(pool, &job);
}

static void softmax_row(const void *context, size_t row) {
    const ck_rows_job *job = context;
    job->kernels->softmax(job->out + row * job->columns, job->columns);
}

void ck_softmax(ck_pool *pool, float *x, size_t rows, size_t columns) {
    ck_rows_job job = {.out = x, .rows = rows, .columns = columns, .row = softmax_row};
    run_rows(pool, &job);
}

/// Elements in tiles of CK_TILE_ELEMENTS, the last one shorter.
typedef struct {
    const ck_kernels *kernels;
    float *x;
    const float *other;
    size_t count;
} ck_elements_job;

static size_t element_tiles(size_t count) { return (count + CK_TILE_ELEMENTS - 1) / CK_TILE_ELEMENTS; }

static size_t elements_of(size_t tile, size_t count) {
    size_t left = count - tile * CK_TILE_ELEMENTS;
    return left < CK_TILE_ELEMENTS ? left : CK_TILE_ELEMENTS;
}

static void gelu_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_elements_job *job = context;
    float *x = job->x + tile * CK_TILE_ELEMENTS;
    for (size_t i = 0; i < elements_of(tile, job->count); i++) {
        x[i] = (float)(0.5 * (double)x[i] * (1.0 + erf((double)x[i] * 0.70710678118654752440)));
    }
}

void ck_gelu(ck_pool *pool, float *x, size_t count) {
    ck_elements_job job = {.x = x, .count = count};
    ck_pool_run(pool, element_tiles(count), gelu_tile, &job);
}

static void silu_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_elements_job *job = context;
    size_t first = tile * CK_TILE_ELEMENTS;
    job->kernels->silu_multiply(job->x + first, job->other + first, elements_of(tile, job->count));
}

void ck_silu_multiply(ck_pool *pool, float *gate, const float *up, size_t count) {
    ck_elements_job job = {.kernels = ck_pool_kernels(pool), .x = gate, .other = up, .count = count};
    ck_pool_run(pool, element_tiles(count), silu_tile, &job);
}

typedef struct {
    float *x;
    size_t heads, head_size, first;
    const float *cosines, *sines;
} ck_rotation_job;

static void rotate_row(void *context, size_t row, size_t worker) {
    (void)worker;
    const ck_rotation_job *job = context;
    size_t half = job->head_size / 2;
    const float *cosine = job->cosines + (job->first + row) * half, *sine = job->sines + (job->first + row) * half;
    for (size_t head = 0; head < job->heads; head++) {
        float *low = job->x + (row * job->heads + head) * job->head_size, *high = low + half;
        for (size_t i = 0; i < half; i++) {
            float a = low[i], b = high[i];
            float ac = a * cosine[i], bs = b * sine[i], bc = b * cosine[i], as = a * sine[i];
            low[i] = ac - bs;
            high[i] = bc + as;
        }
    }
}

void ck_rotate(ck_pool *pool, float *x, size_t rows, size_t heads, size_t head_size, size_t first, const float *cosines,
               const float *sines) {
    ck_rotation_job job = {x, heads, head_size, first, cosines, sines};
    if (rows * heads * head_size < CK_TILE_ELEMENTS) {
        for (size_t row = 0; row < rows; row++) rotate_row(&job, row, 0);
    } else {
        ck_pool_run(pool, rows, rotate_row, &job);
    }
}

typedef struct {
    const ck_kernels *kernels;
    float *out;
    const float *queries, *keys, *values;
    ck_attention_shape shape;
    float *scores;
} ck_attention_job;

/// One query row of one head.
static void attention_tile(void *context, size_t tile, size_t worker) {
    const ck_attention_job *job = context;
    const ck_attention_shape *s = &job->shape;
    size_t row = tile / s->heads, head = tile % s->heads;
    size_t group = head / (s->heads / s->key_value_heads) * s->head_size;
    size_t at = (row * s->heads + head) * s->head_size;
    job->kernels->attend(job->out + at, job->queries + at, job->keys + group, job->values + group, s->first + row + 1,
                         s->key_value_heads * s->head_size, s->head_size, 1.0f / sqrtf((float)s->head_size),
                         job->scores + worker * (s->first + s->rows));
}

void ck_attention(ck_pool *pool, float *out, const float *queries, const float *keys, const float *values,
                  ck_attention_shape shape, float *scores) {
    ck_attention_job job = {ck_pool_kernels(pool), out, queries, keys, values, shape, scores};
    size_t tiles = shape.rows * shape.heads;
    if (tiles * (shape.first + shape.rows) * shape.head_size < 4 * CK_TILE_ELEMENTS) {
        for (size_t tile = 0; tile < tiles; tile++) attention_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, attention_tile, &job);
    }
}

typedef struct {
    const ck_kernels *kernels;
    float *out;
    const float *queries, *keys, *values;
    ck_full_attention_shape shape;
    float *scores;
} ck_full_attention_job;

/// One query row of one head.
static void full_attention_tile(void *context, size_t tile, size_t worker) {
    const ck_full_attention_job *job = context;
    const ck_full_attention_shape *s = &job->shape;
    size_t head = tile % s->heads * s->head_size, at = tile * s->head_size;
    job->kernels->attend(job->out + at, job->queries + at, job->keys + head, job->values + head, s->keys, s->heads * s->head_size,
                         s->head_size, 1.0f / sqrtf((float)s->head_size), job->scores + worker * s->keys);
}

void ck_full_attention(ck_pool *pool, float *out, const float *queries, const float *keys, const float *values,
                       ck_full_attention_shape shape, float *scores) {
    ck_full_attention_job job = {ck_pool_kernels(pool), out, queries, keys, values, shape, scores};
    size_t tiles = shape.queries * shape.heads;
    if (tiles * shape.keys * shape.head_size < 4 * CK_TILE_ELEMENTS) {
        for (size_t tile = 0; tile < tiles; tile++) full_attention_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, full_attention_tile, &job);
    }
}

typedef struct {
    float *out;
    const float *x;
    size_t height, width, channels;
} ck_pooling_job;

static void max_pool_row(void *context, size_t row, size_t worker) {
    (void)worker;
    const ck_pooling_job *job = context;
    size_t out_width = (job->width + 1) / 2, channels = job->channels;
    for (size_t column = 0; column < out_width; column++) {
        float *out = job->out + (row * out_width + column) * channels;
        bool empty = true;
        for (size_t i = row == 0 ? 0 : 2 * row - 1; i <= 2 * row + 1 && i < job->height; i++) {
            for (size_t j = column == 0 ? 0 : 2 * column - 1; j <= 2 * column + 1 && j < job->width; j++) {
                const float *x = job->x + (i * job->width + j) * channels;
                if (empty) memcpy(out, x, channels * sizeof(float));
                else for (size_t c = 0; c < channels; c++) out[c] = x[c] > out[c] ? x[c] : out[c];
                empty = false;
            }
        }
    }
}

void ck_max_pool(ck_pool *pool, float *out, const float *x, size_t height, size_t width, size_t channels) {
    ck_pooling_job job = {out, x, height, width, channels};
    ck_pool_run(pool, (height + 1) / 2, max_pool_row, &job);
}

void ck_average_pool(float *out, const float *x, size_t height, size_t width, size_t channels, size_t side) {
    size_t rows = height / side, columns = width / side;
    float scale = 1.0f / (float)(side * side);
    memset(out, 0, rows * columns * channels * sizeof(float));
    for (size_t i = 0; i < rows * side; i++) {
        for (size_t j = 0; j < columns * side; j++) {
            float *to = out + (i / side * columns + j / side) * channels;
            const float *from = x + (i * width + j) * channels;
            for (size_t c = 0; c < channels; c++) to[c] += from[c];
        }
    }
    for (size_t i = 0; i < rows * columns * channels; i++) out[i] *= scale;
}

size_t ck_argmax(const float *x, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (x[i] > x[best]) best = i;
    }
    return best;
}
