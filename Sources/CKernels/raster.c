#include "ck_raster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The coefficients' doubles have to round as Pillow's do: no fused multiply-add. */
#pragma STDC FP_CONTRACT OFF

/* Whole numbers: the same results in whatever the processor has, so that a pool's instruction set has no say in it. */
#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif

WIDEST void ck_min_max_i32(const int32_t *values, size_t count, int32_t *smallest, int32_t *largest) {
    int32_t low = values[0], high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *smallest = low;
    *largest = high;
}

void ck_min_max_u8(const uint8_t *values, size_t count, uint8_t *smallest, uint8_t *largest) {
    uint8_t low = values[0], high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *smallest = low;
    *largest = high;
}

static size_t entry_of(int32_t value, int32_t first, size_t entries) {
    int64_t index = (int64_t)value - first;
    if (index < 0) return 0;
    return (uint64_t)index < entries ? (size_t)index : entries - 1;
}

void ck_look_up_u8(uint8_t *restrict target, const int32_t *restrict source, size_t count, int32_t first,
                   const uint8_t *restrict table, size_t entries) {
    for (size_t i = 0; i < count; i++) target[i] = table[entry_of(source[i], first, entries)];
}

void ck_look_up_u16(int32_t *restrict target, const int32_t *restrict source, size_t count, int32_t first,
                    const uint16_t *restrict table, size_t entries) {
    for (size_t i = 0; i < count; i++) target[i] = table[entry_of(source[i], first, entries)];
}

void ck_map_u8(uint8_t *target, const uint8_t *source, size_t count, const uint8_t table[256]) {
    for (size_t i = 0; i < count; i++) target[i] = table[source[i]];
}

void ck_histogram_u8(const uint8_t *values, size_t count, uint64_t histogram[256]) {
    /* Neighbours are alike, and a count that was just written cannot be read for some cycles: each of four has its own. */
    uint64_t counts[4][256] = {{0}};
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; k++) counts[k][values[i + k]]++;
    }
    for (; i < count; i++) counts[0][values[i]]++;
    for (size_t v = 0; v < 256; v++) histogram[v] = counts[0][v] + counts[1][v] + counts[2][v] + counts[3][v];
}

void ck_luma_i32(int32_t *restrict target, const int32_t *restrict rgb, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        int64_t sum = 19595 * (int64_t)rgb[3 * i] + 38470 * (int64_t)rgb[3 * i + 1] + 7471 * (int64_t)rgb[3 * i + 2];
        target[i] = (int32_t)((sum + 0x8000) >> 16);
    }
}

/* 32 bits less 8 of the pixel and 2 for the sum's overshoot: Pillow's PRECISION_BITS. */
enum { PRECISION_BITS = 32 - 8 - 2 };

/* Which inputs make one output, and how much of each. */
typedef struct {
    size_t first;
    size_t count;
    const int32_t *weights; /* count of them */
} taps;

typedef struct {
    taps *outputs;
    int32_t *weights;
} filter;

static void filter_free(filter *f) {
    free(f->outputs);
    free(f->weights);
}

static double triangle(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static bool filter_make(filter *f, size_t inputs, size_t outputs) {
    const double scale = (double)inputs / (double)outputs;
    const double widening = scale < 1.0 ? 1.0 : scale;
    const double support = 1.0 * widening; /* the triangle's is 1 */
    const size_t most = (size_t)ceil(support) * 2 + 1;
    f->outputs = calloc(outputs, sizeof *f->outputs);
    f->weights = calloc(outputs * most, sizeof *f->weights);
    double *raw = calloc(most, sizeof *raw);
    if (f->outputs == NULL || f->weights == NULL || raw == NULL) {
        free(raw);
        filter_free(f);
        return false;
    }
    const double per_input = 1.0 / widening;
    for (size_t output = 0; output < outputs; output++) {
        const double center = ((double)output + 0.5) * scale;
        /* Conversion to integer truncates towards zero, so that -0.5 becomes 0. */
        int64_t first = (int64_t)(center - support + 0.5);
        if (first < 0) first = 0;
        int64_t end = (int64_t)(center + support + 0.5);
        if (end > (int64_t)inputs) end = (int64_t)inputs;
        const size_t count = (size_t)(end - first);
        double sum = 0.0;
        for (size_t i = 0; i < count; i++) {
            raw[i] = triangle(((double)i + (double)first - center + 0.5) * per_input);
            sum += raw[i];
        }
        int32_t *weights = f->weights + output * most;
        for (size_t i = 0; i < count; i++) {
            const double share = sum != 0.0 ? raw[i] / sum : raw[i];
            weights[i] = (int32_t)(0.5 + share * (1 << PRECISION_BITS)); /* never negative: a triangle */
        }
        f->outputs[output] = (taps){.first = (size_t)first, .count = count, .weights = weights};
    }
    free(raw);
    return true;
}

static uint8_t rounded(int32_t sum) {
    const int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

WIDEST static void resize_rows(uint8_t *restrict target, size_t target_columns, const uint8_t *restrict source, size_t rows,
                        size_t source_columns, const filter *f) {
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *in = source + row * source_columns;
        uint8_t *out = target + row * target_columns;
        for (size_t column = 0; column < target_columns; column++) {
            const taps t = f->outputs[column];
            int32_t sum = 1 << (PRECISION_BITS - 1);
            for (size_t i = 0; i < t.count; i++) sum += in[t.first + i] * t.weights[i];
            out[column] = rounded(sum);
        }
    }
}

/* Whole rows at a time, so that the inner loop runs over neighbours and vectorises. */
WIDEST static void resize_columns(uint8_t *restrict target, size_t target_rows, const uint8_t *restrict source, size_t columns,
                           const filter *f, int32_t *restrict sums) {
    for (size_t row = 0; row < target_rows; row++) {
        const taps t = f->outputs[row];
        for (size_t column = 0; column < columns; column++) sums[column] = 1 << (PRECISION_BITS - 1);
        for (size_t i = 0; i < t.count; i++) {
            const uint8_t *in = source + (t.first + i) * columns;
            const int32_t weight = t.weights[i];
            for (size_t column = 0; column < columns; column++) sums[column] += in[column] * weight;
        }
        for (size_t column = 0; column < columns; column++) target[row * columns + column] = rounded(sums[column]);
    }
}

bool ck_resize_u8(uint8_t *target, size_t target_rows, size_t target_columns, const uint8_t *source, size_t source_rows,
                  size_t source_columns) {
    const bool wide = source_columns != target_columns, tall = source_rows != target_rows;
    if (!wide && !tall) {
        memcpy(target, source, source_rows * source_columns);
        return true;
    }
    filter horizontal = {0}, vertical = {0};
    if (wide && !filter_make(&horizontal, source_columns, target_columns)) return false;
    if (tall && !filter_make(&vertical, source_rows, target_rows)) {
        filter_free(&horizontal);
        return false;
    }
    bool done = true;
    if (!tall) {
        resize_rows(target, target_columns, source, source_rows, source_columns, &horizontal);
    } else {
        uint8_t *between = wide ? malloc(source_rows * target_columns) : NULL;
        int32_t *sums = malloc(target_columns * sizeof *sums);
        done = sums != NULL && (!wide || between != NULL);
        if (done && wide) resize_rows(between, target_columns, source, source_rows, source_columns, &horizontal);
        if (done) resize_columns(target, target_rows, wide ? between : source, target_columns, &vertical, sums);
        free(sums);
        free(between);
    }
    filter_free(&horizontal);
    filter_free(&vertical);
    return done;
}
