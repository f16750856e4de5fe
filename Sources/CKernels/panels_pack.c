// Blocks to panels, once per model. Scalar code: the disk is slower.
#include "ck_widen.h"
#include "panels_layout.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

bool ck_can_pack_panels(ck_block_type type) { return ck_panel_unit_bytes(type) > 0; }

size_t ck_panel_bytes(ck_block_type type, size_t columns) {
    size_t bytes;
    if (!ck_can_pack_panels(type) || columns == 0 || columns % 32 != 0 || ck_block_row_bytes(type, columns) == 0) return 0;
    if (columns > SIZE_MAX >> 1 || __builtin_mul_overflow(ck_panel_units(columns), ck_panel_unit_bytes(type), &bytes)) return 0;
    if (__builtin_add_overflow(bytes, CK_PANEL_HEADER, &bytes) || bytes > SIZE_MAX >> 1) return 0;
    return bytes;
}

size_t ck_panels_bytes(ck_block_type type, size_t rows, size_t columns) {
    size_t panel = ck_panel_bytes(type, columns), bytes;
    size_t panels = rows / CK_PANEL_OUTPUTS + (rows % CK_PANEL_OUTPUTS != 0);
    if (__builtin_mul_overflow(panel, panels, &bytes) || bytes > SIZE_MAX >> 1) return 0;
    return bytes;
}

static float half_at(const uint8_t *bytes) {
    float value;
    ck_widen_f16(&value, bytes, 1);
    return value;
}

/// `value` times 2^exponent as a half. The factors keep any float from overflowing on the way.
static void put_half(uint8_t *target, float value, int exponent) {
    float scaled = ldexpf(value, exponent);
    ck_narrow_f16(target, &scaled, 1);
}

/// Scale and minimum of sub-block j (blocks_dequantize.h).
static void six_bits(const uint8_t *packed, size_t j, uint8_t *scale, uint8_t *minimum) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[j + 4] & 15) | packed[j - 4] >> 6 << 4);
        *minimum = (uint8_t)(packed[j + 4] >> 4 | packed[j] >> 6 << 4);
    }
}

/// A bound of the row's largest weight, within four times of it for what occurs; not finite where the row is not.
static float largest_weight(ck_block_type type, const uint8_t *row, size_t columns) {
    float largest = 0;
    size_t block = ck_block_elements(type), bytes = ck_block_bytes(type);
    for (size_t b = 0; b < columns / block; b++, row += bytes) {
        float weight;
        switch (type) {
        case CK_BLOCK_Q4_0: weight = 8 * fabsf(half_at(row)); break;
        case CK_BLOCK_Q8_0: weight = 128 * fabsf(half_at(row)); break;
        case CK_BLOCK_Q4_K: weight = 15 * 63 * fabsf(half_at(row)) + 63 * fabsf(half_at(row + 2)); break;
        case CK_BLOCK_F16: weight = fabsf(half_at(row)); break;
        default: ck_widen_bf16(&weight, row, 1); weight = fabsf(weight); break;
        }
        if (!(weight <= largest)) largest = weight;
        if (!isfinite(largest)) return largest;
    }
    return largest;
}

/// Into the unit's nibbles: column `k` of 64, output j.
static void put_nibble(uint8_t *nibbles, size_t k, size_t j, uint8_t value) {
    size_t word = k / 32 * 128 + k % 32 / 8 * 32 + 2 * j + k % 2, nibble = k % 8 / 2;
    nibbles[2 * word + nibble / 2] |= (uint8_t)(value << (nibble % 2 * 4));
}

/// Byte or half of column `k` of 64 and output j: its place in a unit's two tiles.
static size_t place(size_t k, size_t j) { return k / 2 * 32 + 2 * j + k % 2; }

static void pack_q4_k(uint8_t *units, const uint8_t *row, size_t columns, size_t j, int exponent) {
    for (size_t b = 0; b < columns / CK_PANEL_SUPER; b++, row += 144, units += CK_PANEL_SUPER_BYTES) {
        put_half(units + 2 * j, half_at(row), exponent);
        put_half(units + 32 + 2 * j, half_at(row + 2), exponent);
        for (size_t s = 0; s < 8; s++) six_bits(row + 4, s, units + 64 + 16 * s + j, units + 192 + 16 * s + j);
        for (size_t k = 0; k < CK_PANEL_SUPER; k++) {
            // 32 bytes hold two sub-blocks: the even one in the lower bits.
            uint8_t q = row[16 + k / 64 * 32 + k % 32];
            put_nibble(units + 320 + k / 64 * 512, k % 64, j, k / 32 % 2 == 0 ? q & 15 : q >> 4);
        }
    }
}

static void pack_row(ck_block_type type, uint8_t *units, const uint8_t *row, size_t columns, size_t j, int exponent) {
    if (type == CK_BLOCK_Q4_K) return pack_q4_k(units, row, columns, j, exponent);
    size_t unit_bytes = ck_panel_unit_bytes(type), block_bytes = type == CK_BLOCK_Q4_0 ? 18 : type == CK_BLOCK_Q8_0 ? 34 : 64;
    for (size_t b = 0; b < columns / 32; b++, row += block_bytes) {
        uint8_t *unit = units + b / 2 * unit_bytes;
        size_t first = b % 2 * 32;
        if (type == CK_BLOCK_Q4_0 || type == CK_BLOCK_Q8_0) put_half(unit + first + 2 * j, half_at(row), exponent);
        for (size_t k = 0; k < 32; k++) {
            if (type == CK_BLOCK_Q4_0) {
                uint8_t q = row[2 + k % 16];
                put_nibble(unit + 64, first + k, j, k < 16 ? q & 15 : q >> 4);
            } else if (type == CK_BLOCK_Q8_0) {
                unit[64 + place(first + k, j)] = row[2 + k];
            } else if (type == CK_BLOCK_F16) {
                put_half(unit + 2 * place(first + k, j), half_at(row + 2 * k), exponent);
            } else {
                float value;
                ck_widen_bf16(&value, row + 2 * k, 1);
                value = ldexpf(value, exponent - CK_PANEL_BF16_SHIFT);
                ck_narrow_bf16(unit + 2 * place(first + k, j), &value, 1);
            }
        }
    }
}

typedef struct {
    uint8_t *packed;
    ck_block_matrix source;
    size_t row_bytes, panel_bytes;
    /// The first row that cannot be packed, so far.
    atomic_size_t refused;
} pack_job;

static void pack_panel(void *context, size_t panel, size_t worker) {
    (void)worker;
    pack_job *job = context;
    const ck_block_matrix *s = &job->source;
    uint8_t *target = job->packed + panel * job->panel_bytes;
    memset(target, 0, job->panel_bytes);
    for (size_t j = 0; j < CK_PANEL_OUTPUTS && panel * CK_PANEL_OUTPUTS + j < s->rows; j++) {
        size_t index = panel * CK_PANEL_OUTPUTS + j, at = s->order == NULL ? index : s->order[index];
        const uint8_t *row = (const uint8_t *)s->data + at * job->row_bytes;
        float largest = largest_weight(s->type, row, s->columns);
        if (!isfinite(largest)) {
            size_t known = atomic_load(&job->refused);
            while (index < known && !atomic_compare_exchange_weak(&job->refused, &known, index)) {}
            return;
        }
        int exponent = 0;
        if (largest > 0) {
            frexpf(largest, &exponent);
            exponent = 15 - exponent; // largest * 2^exponent in 2^14 ..< 2^15
        }
        float undo = (float)-exponent;
        memcpy(target + j * sizeof undo, &undo, sizeof undo);
        pack_row(s->type, target + CK_PANEL_HEADER, row, s->columns, j, exponent);
    }
}

size_t ck_pack_panels(ck_pool *pool, void *packed, ck_block_matrix source) {
    pack_job job = {
        .packed = packed, .source = source, .row_bytes = ck_block_row_bytes(source.type, source.columns),
        .panel_bytes = ck_panel_bytes(source.type, source.columns),
    };
    if (job.panel_bytes == 0) return 0;
    atomic_init(&job.refused, source.rows);
    ck_pool_run(pool, (source.rows + CK_PANEL_OUTPUTS - 1) / CK_PANEL_OUTPUTS, pack_panel, &job);
    return atomic_load(&job.refused);
}

void ck_unpack_panel_row(float *target, ck_panel_matrix weights, size_t row) {
    const uint8_t *panel = (const uint8_t *)weights.data + row / CK_PANEL_OUTPUTS * ck_panel_bytes(weights.type, weights.columns);
    size_t j = row % CK_PANEL_OUTPUTS;
    float undo;
    memcpy(&undo, panel + j * sizeof undo, sizeof undo);
    panel += CK_PANEL_HEADER;
    for (size_t k = 0; k < weights.columns; k++) {
        const uint8_t *unit = panel + k / CK_PANEL_STEP * ck_panel_unit_bytes(weights.type), *nibbles = unit + 64;
        size_t in = k % CK_PANEL_STEP, at = place(in, j);
        float value, scale = 0, minimum = 0;
        switch (weights.type) {
        case CK_BLOCK_F16: value = half_at(unit + 2 * at); break;
        case CK_BLOCK_BF16:
            ck_widen_bf16(&value, unit + 2 * at, 1);
            value = ldexpf(value, CK_PANEL_BF16_SHIFT);
            break;
        case CK_BLOCK_Q8_0: value = (float)(int8_t)unit[64 + at] * half_at(unit + in / 32 * 32 + 2 * j); break;
        default:
            if (weights.type == CK_BLOCK_Q4_K) {
                const uint8_t *super = panel + k / CK_PANEL_SUPER * CK_PANEL_SUPER_BYTES, *scales = super + 64 + k % CK_PANEL_SUPER / 32 * 16 + j;
                nibbles = super + 320 + k % CK_PANEL_SUPER / 64 * 512;
                scale = half_at(super + 2 * j) * (float)scales[0];
                minimum = half_at(super + 32 + 2 * j) * (float)scales[128];
            } else {
                scale = half_at(unit + in / 32 * 32 + 2 * j);
            }
            size_t word = in / 32 * 128 + in % 32 / 8 * 32 + 2 * j + in % 2, nibble = in % 8 / 2;
            int q = nibbles[2 * word + nibble / 2] >> (nibble % 2 * 4) & 15;
            value = weights.type == CK_BLOCK_Q4_K ? scale * (float)q - minimum : scale * (float)(q - 8);
        }
        target[k] = ldexpf(value, (int)undo);
    }
}
