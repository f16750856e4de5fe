// Rows of floats to rows of blocks. Nothing here is fused: the bytes are the same on every processor.
#include "blocks_kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/* Branch-free. Above the smallest normal half the bits are rounded in place; below it, adding 0.5 puts the unit of a subnormal half
   in the last bit of the sum and lets the processor round. */
void ck_narrow_f16(void *restrict target, const float *restrict source, size_t count) {
    unsigned char *bytes = target;
    for (size_t i = 0; i < count; i++) {
        uint32_t wide;
        memcpy(&wide, &source[i], sizeof wide);
        uint32_t magnitude = wide & 0x7FFFFFFFu;
        uint32_t normal = (magnitude - (112u << 23) + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
        float small;
        memcpy(&small, &magnitude, sizeof small);
        small += 0.5f;
        uint32_t subnormal;
        memcpy(&subnormal, &small, sizeof subnormal);
        subnormal -= 0x3F000000u;
        uint32_t special = magnitude > 0x7F800000u ? 0x7E00u | (magnitude >> 13 & 0x3FFu) : 0x7C00u;
        uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
        // 65520, halfway between the largest half and what would come next, and above.
        result = magnitude >= 0x477FF000u ? special : result;
        uint16_t half = (uint16_t)(result | (wide >> 16 & 0x8000u));
        memcpy(bytes + 2 * i, &half, sizeof half);
    }
}

void ck_narrow_bf16(void *restrict target, const float *restrict source, size_t count) {
    unsigned char *bytes = target;
    for (size_t i = 0; i < count; i++) {
        uint32_t wide;
        memcpy(&wide, &source[i], sizeof wide);
        uint32_t rounded = (wide + 0x7FFFu + (wide >> 16 & 1u)) >> 16;
        // A NaN whose upper half is zero would become infinity.
        uint32_t quiet = wide >> 16 | 0x40u;
        uint16_t narrow = (uint16_t)((wide & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
        memcpy(bytes + 2 * i, &narrow, sizeof narrow);
    }
}

/// The scale of a block as a half; false where it is too large for one.
static bool store_scale(uint8_t *target, float scale) {
    ck_narrow_f16(target, &scale, 1);
    return (target[1] & 0x7C) != 0x7C;
}

/// The largest magnitude becomes +-127.
static bool quantize_q8_0(uint8_t *target, const float *source) {
    float largest = 0;
    for (size_t i = 0; i < 32; i++) largest = fabsf(source[i]) > largest ? fabsf(source[i]) : largest;
    float scale = largest / 127, inverse = scale != 0 ? 1 / scale : 0;
    if (!store_scale(target, scale)) return false;
    if (!isfinite(inverse)) inverse = 0; // the scale is zero as a half
    for (size_t i = 0; i < 32; i++) {
        // Halves away from zero. No addition of 0.5, which would round 0.49999997 up: the rest of a truncation is exact.
        float value = source[i] * inverse;
        int32_t whole = (int32_t)value;
        float rest = value - (float)whole;
        whole += (rest >= 0.5f) - (rest <= -0.5f);
        target[2 + i] = (uint8_t)(int8_t)whole;
    }
    return true;
}

/// The number of the largest magnitude, the first of equals, becomes -8.
static bool quantize_q4_0(uint8_t *target, const float *source) {
    float largest = 0, signed_largest = 0;
    for (size_t i = 0; i < 32; i++) {
        if (fabsf(source[i]) > largest) {
            largest = fabsf(source[i]);
            signed_largest = source[i];
        }
    }
    float scale = signed_largest / -8, inverse = scale != 0 ? 1 / scale : 0;
    if (!store_scale(target, scale)) return false;
    if (!isfinite(inverse)) inverse = 0;
    uint8_t levels[32];
    for (size_t i = 0; i < 32; i++) {
        float shifted = source[i] * inverse;
        shifted += 8.5f;
        int32_t level = (int32_t)shifted;
        levels[i] = (uint8_t)(level < 15 ? level : 15);
    }
    for (size_t i = 0; i < 16; i++) target[2 + i] = (uint8_t)(levels[i] | levels[i + 16] << 4);
    return true;
}

/// The same with a fifth bit: the largest becomes -16.
static bool quantize_q5_0(uint8_t *target, const float *source) {
    float largest = 0, signed_largest = 0;
    for (size_t i = 0; i < 32; i++) {
        if (fabsf(source[i]) > largest) {
            largest = fabsf(source[i]);
            signed_largest = source[i];
        }
    }
    float scale = signed_largest / -16, inverse = scale != 0 ? 1 / scale : 0;
    if (!store_scale(target, scale)) return false;
    if (!isfinite(inverse)) inverse = 0;
    uint32_t levels[32], high = 0;
    for (size_t i = 0; i < 32; i++) {
        float shifted = source[i] * inverse;
        shifted += 16.5f;
        int32_t level = (int32_t)shifted;
        levels[i] = (uint32_t)(level < 31 ? level : 31);
        high |= levels[i] >> 4 << i;
    }
    for (size_t i = 0; i < 4; i++) target[2 + i] = (uint8_t)(high >> 8 * i);
    for (size_t i = 0; i < 16; i++) target[6 + i] = (uint8_t)((levels[i] & 15) | (levels[i + 16] & 15) << 4);
    return true;
}

typedef struct {
    const ck_block_kernels *kernels;
    ck_block_type type;
    uint8_t *target;
    const float *source;
    size_t rows, columns, row_bytes, tile_rows;
    /// The lowest row that did not fit.
    atomic_size_t bad;
} quantize_job;

static bool all_finite(const float *source, size_t count) {
    // Exponent bits all set: infinite or NaN.
    uint32_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &source[i], sizeof bits);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return bad == 0;
}

static bool quantize_row(const quantize_job *job, uint8_t *target, const float *source) {
    if (!all_finite(source, job->columns)) return false;
    bool fits = true;
    switch (job->type) {
    case CK_BLOCK_F16:
        ck_narrow_f16(target, source, job->columns);
        for (size_t i = 0; i < job->columns; i++) fits &= (target[2 * i + 1] & 0x7C) != 0x7C;
        return fits;
    case CK_BLOCK_BF16:
        ck_narrow_bf16(target, source, job->columns);
        for (size_t i = 0; i < job->columns; i++) fits &= (target[2 * i + 1] & 0x7F) != 0x7F || (target[2 * i] & 0x80) == 0;
        return fits;
    case CK_BLOCK_Q8_0:
        for (size_t i = 0; i < job->columns; i += 32, target += 34) fits &= quantize_q8_0(target, source + i);
        return fits;
    case CK_BLOCK_Q4_0:
        for (size_t i = 0; i < job->columns; i += 32, target += 18) fits &= quantize_q4_0(target, source + i);
        return fits;
    case CK_BLOCK_Q5_0:
        for (size_t i = 0; i < job->columns; i += 32, target += 22) fits &= quantize_q5_0(target, source + i);
        return fits;
    case CK_BLOCK_Q4_K:
        for (size_t i = 0; i < job->columns; i += 256, target += 144) fits &= job->kernels->quantize_q4_k(target, source + i);
        return fits;
    default:
        memcpy(target, source, job->columns * sizeof(float));
        return fits;
    }
}

static void quantize_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    quantize_job *job = context;
    size_t first = tile * job->tile_rows;
    size_t end = first + job->tile_rows < job->rows ? first + job->tile_rows : job->rows;
    for (size_t row = first; row < end; row++) {
        if (quantize_row(job, job->target + row * job->row_bytes, job->source + row * job->columns)) continue;
        size_t known = atomic_load_explicit(&job->bad, memory_order_relaxed);
        while (row < known && !atomic_compare_exchange_weak_explicit(&job->bad, &known, row, memory_order_relaxed, memory_order_relaxed)) {}
        return;
    }
}

size_t ck_quantize_rows(ck_pool *pool, ck_block_type type, void *target, const float *source, size_t rows, size_t columns) {
    quantize_job job = {
        .kernels = ck_pool_block_kernels(pool), .type = type, .target = target, .source = source,
        .rows = rows, .columns = columns, .row_bytes = ck_block_row_bytes(type, columns), .tile_rows = ck_block_tile_rows(columns),
        .bad = rows,
    };
    ck_pool_run(pool, (rows + job.tile_rows - 1) / job.tile_rows, quantize_tile, &job);
    return atomic_load_explicit(&job.bad, memory_order_relaxed);
}
