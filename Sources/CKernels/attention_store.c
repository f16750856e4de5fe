// Pages of keys and values: their size, and new rows into them.
#include "attention_kernels.h"

#include <string.h>

/// Numbers below which storing is not shared out.
static const size_t ck_inline_numbers = 32 * 1000;

const ck_attention_kernels *ck_pool_attention_kernels(const ck_pool *pool) {
#if defined(__x86_64__)
    // Every processor with AVX2 that is sold converts halves, but nothing says it must.
    if (ck_pool_set(pool) != CK_SCALAR && __builtin_cpu_supports("f16c")) {
        return ck_pool_set(pool) == CK_AVX512 ? &ck_avx512_attention_kernels : &ck_avx2_attention_kernels;
    }
#else
    (void)pool;
#endif
    return &ck_scalar_attention_kernels;
}

size_t ck_kv_page_bytes(ck_kv_shape shape) {
    if (shape.type != CK_KV_F32 && shape.type != CK_KV_F16 && shape.type != CK_KV_Q8) return 0;
    if (shape.head_size < 2 || shape.head_size % 2 != 0 || shape.head_size > CK_HEAD_MOST) return 0;
    size_t bytes, heads;
    if (__builtin_mul_overflow(shape.layers, shape.key_value_heads, &heads)) return 0;
    if (__builtin_mul_overflow(heads, ck_kv_layout_of(shape).head_bytes, &bytes)) return 0;
    return bytes <= INT64_MAX ? bytes : 0;
}

/// Up to CK_LANES rows of `count` numbers of `element` bytes, turned over: target[d][lane] = rows[lane][d]. `element` is a literal at each call.
static inline __attribute__((always_inline)) void turn(uint8_t *target, const uint8_t *rows, size_t row_bytes, size_t row_count,
                                                       size_t count, const size_t element) {
    for (size_t d = 0; d < count; d++) {
        for (size_t r = 0; r < row_count; r++) memcpy(target + (d * CK_LANES + r) * element, rows + r * row_bytes + d * element, element);
    }
}

typedef struct {
    const ck_attention_kernels *kernels;
    ck_kv_shape shape;
    ck_kv_layout layout;
    size_t layer, stride;
    const ck_kv_rows *sequences;
} ck_store_job;

/// `count` positions from `position` on, all of one vector of sixteen; `row` is the first one's row.
static void store_positions(const ck_store_job *job, const ck_kv_rows *s, size_t head, size_t row, size_t position, size_t count) {
    ck_kv_layout l = job->layout;
    size_t head_size = job->shape.head_size, row_bytes = head_size * l.element, slot = position % CK_PAGE_POSITIONS;
    uint8_t *base = (uint8_t *)s->pages[position / CK_PAGE_POSITIONS]
        + (job->layer * job->shape.key_value_heads + head) * l.head_bytes;
    bool scaled = job->shape.type == CK_KV_Q8;
    float *key_scales = (float *)(void *)base + slot;
    float *value_scales = (float *)(void *)(base + l.values) - CK_PAGE_POSITIONS + slot;
    _Alignas(64) uint8_t rows[CK_LANES * CK_HEAD_MOST * sizeof(float)];
    for (size_t r = 0; r < count; r++) {
        size_t at = (row + r) * job->stride + head * head_size;
        float key_scale = job->kernels->narrow(job->shape.type, rows + r * row_bytes, CK_LANES * l.element, s->keys + at, head_size);
        uint8_t *values = base + l.values + (slot + r) * CK_LANES * l.element;
        float value_scale = job->kernels->narrow(job->shape.type, values, CK_PAGE_POSITIONS * CK_LANES * l.element, s->values + at, head_size);
        if (scaled) {
            key_scales[r] = key_scale;
            value_scales[r] = value_scale;
        }
    }
    uint8_t *keys = base + l.keys + (slot / CK_LANES * CK_LANES * head_size + slot % CK_LANES) * l.element;
    switch (job->shape.type) {
    case CK_KV_F32: turn(keys, rows, row_bytes, count, head_size, 4); break;
    case CK_KV_F16: turn(keys, rows, row_bytes, count, head_size, 2); break;
    case CK_KV_Q8: turn(keys, rows, row_bytes, count, head_size, 1); break;
    }
}

/// Vectors of sixteen positions that new rows touch.
static size_t groups_of(const ck_kv_rows *s) {
    return s->rows == 0 ? 0 : (s->first + s->rows - 1) / CK_LANES - s->first / CK_LANES + 1;
}

/// One of them, all heads: rows are read from beginning to end.
static void store_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const ck_store_job *job = context;
    const ck_kv_rows *s = job->sequences;
    while (tile >= groups_of(s)) tile -= groups_of(s++);
    size_t group = (s->first / CK_LANES + tile) * CK_LANES, begin = group > s->first ? group : s->first;
    size_t end = group + CK_LANES < s->first + s->rows ? group + CK_LANES : s->first + s->rows;
    for (size_t head = 0; head < job->shape.key_value_heads; head++) store_positions(job, s, head, begin - s->first, begin, end - begin);
}

void ck_kv_store(ck_pool *pool, ck_kv_shape shape, size_t layer, const ck_kv_rows *sequences, size_t count, size_t stride) {
    ck_store_job job = {ck_pool_attention_kernels(pool), shape, ck_kv_layout_of(shape), layer, stride, sequences};
    size_t tiles = 0, rows = 0;
    for (size_t s = 0; s < count; s++) {
        tiles += groups_of(sequences + s);
        rows += sequences[s].rows;
    }
    if (rows * shape.key_value_heads * shape.head_size * 2 < ck_inline_numbers) {
        for (size_t tile = 0; tile < tiles; tile++) store_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, store_tile, &job);
    }
}
