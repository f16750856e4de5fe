// The kernels over a vector type, included once per instruction set. Lane operations only: no sum here depends on how wide
// the processor's registers are, so every set computes the same bits.
//
// Before inclusion: CK_SET(name) names the functions, CK_SET_ROWS the rows that fit the registers, CK_SET_WIDTH the floats
// of an accumulator.
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "lanes.h"

typedef float CK_SET(wide) __attribute__((vector_size(CK_SET_WIDTH * sizeof(float))));
typedef int32_t CK_SET(wide_integers) __attribute__((vector_size(CK_SET_WIDTH * sizeof(int32_t))));

// MARK: Matrix product

/// Floats in a line of the caches.
enum { CK_LINE = 16 };

/// The epilogue of `length` outputs. By value: an accumulator with an address would live in memory.
CK_INLINE void CK_SET(finish)(const ck_gemm_tile *t, CK_SET(wide) sum, size_t at, size_t length) {
    float edge[CK_SET_WIDTH] = {0};
    bool whole = length == CK_SET_WIDTH;
    if (t->residual != NULL) {
        const float *from = t->residual + at;
        if (!whole) from = memcpy(edge, from, length * sizeof(float));
        CK_SET(wide) residual;
        memcpy(&residual, from, sizeof residual);
        sum += residual;
    }
    // A comparison gives all bits or none; NaN is not below zero and stays.
    if (t->relu) sum = (CK_SET(wide))((CK_SET(wide_integers))sum & ~(sum < 0));
    if (whole) {
        memcpy(t->y + at, &sum, sizeof sum);
    } else {
        memcpy(edge, &sum, sizeof edge);
        memcpy(t->y + at, edge, length * sizeof(float));
    }
}

/// `count` is a literal at each call, so that the accumulators are registers.
CK_INLINE void CK_SET(gemm_rows)(const ck_gemm_tile *t, size_t first, const size_t count, size_t column) {
    enum { vectors = 2 };
    CK_SET(wide) sums[CK_SET_ROWS][vectors];
    float edge[vectors * CK_SET_WIDTH] = {0};
    size_t columns = t->columns - column < vectors * CK_SET_WIDTH ? t->columns - column : vectors * CK_SET_WIDTH;
    const float *bias = edge;
    if (t->bias != NULL && columns == vectors * CK_SET_WIDTH) bias = t->bias + column;
    else if (t->bias != NULL) memcpy(edge, t->bias + column, columns * sizeof(float));
    float *between = t->sums + first * CK_PANEL + column;
    CK_UNROLL
    for (size_t r = 0; r < count; r++) {
        const float *from = t->begins ? bias : between + r * CK_PANEL;
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) memcpy(&sums[r][v], from + v * CK_SET_WIDTH, sizeof sums[r][v]);
    }
    if (t->ends) {
        // Short pieces of lines far apart, which the processor does not foresee: on their way while the sums are made.
        CK_UNROLL
        for (size_t r = 0; r < count; r++) {
            size_t at = (first + r) * t->y_stride + column;
            CK_UNROLL
            for (size_t line = 0; line < vectors * CK_SET_WIDTH; line += CK_LINE) {
                if (t->residual != NULL) __builtin_prefetch(t->residual + at + line);
                __builtin_prefetch(t->y + at + line, 1);
            }
        }
    }

    const float *panel = t->panel + column;
    const float *const *beginnings = t->rows + first;
    for (size_t segment = 0; segment < t->segments; segment++, beginnings += t->row_count) {
        const float *x[CK_SET_ROWS];
        CK_UNROLL
        for (size_t r = 0; r < count; r++) x[r] = beginnings[r] + t->offset;
        for (size_t k = 0; k < t->run; k++, panel += CK_PANEL) {
            CK_SET(wide) weights[vectors];
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) memcpy(&weights[v], panel + v * CK_SET_WIDTH, sizeof weights[v]);
            CK_UNROLL
            for (size_t r = 0; r < count; r++) {
                CK_SET(wide) value = x[r][k] - (CK_SET(wide)){0};
                CK_UNROLL
                for (size_t v = 0; v < vectors; v++) sums[r][v] = __builtin_elementwise_fma(value, weights[v], sums[r][v]);
            }
        }
    }

    if (!t->ends) {
        CK_UNROLL
        for (size_t r = 0; r < count; r++) {
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) memcpy(between + r * CK_PANEL + v * CK_SET_WIDTH, &sums[r][v], sizeof sums[r][v]);
        }
        return;
    }
    CK_UNROLL
    for (size_t r = 0; r < count; r++) {
        size_t at = (first + r) * t->y_stride + column;
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            size_t offset = v * CK_SET_WIDTH;
            if (offset >= columns) break;
            size_t length = columns - offset < CK_SET_WIDTH ? columns - offset : CK_SET_WIDTH;
            CK_SET(finish)(t, sums[r][v], at + offset, length);
        }
    }
}

static void CK_SET(gemm)(const ck_gemm_tile *t) {
    for (size_t column = 0; column < t->columns; column += 2 * CK_SET_WIDTH) {
        size_t row = 0;
        for (; row + CK_SET_ROWS <= t->row_count; row += CK_SET_ROWS) CK_SET(gemm_rows)(t, row, CK_SET_ROWS, column);
        switch (t->row_count - row) {
        case 11: CK_SET(gemm_rows)(t, row, 11 % CK_SET_ROWS, column); break;
        case 10: CK_SET(gemm_rows)(t, row, 10 % CK_SET_ROWS, column); break;
        case 9: CK_SET(gemm_rows)(t, row, 9 % CK_SET_ROWS, column); break;
        case 8: CK_SET(gemm_rows)(t, row, 8 % CK_SET_ROWS, column); break;
        case 7: CK_SET(gemm_rows)(t, row, 7 % CK_SET_ROWS, column); break;
        case 6: CK_SET(gemm_rows)(t, row, 6 % CK_SET_ROWS, column); break;
        case 5: CK_SET(gemm_rows)(t, row, 5, column); break;
        case 4: CK_SET(gemm_rows)(t, row, 4, column); break;
        case 3: CK_SET(gemm_rows)(t, row, 3, column); break;
        case 2: CK_SET(gemm_rows)(t, row, 2, column); break;
        case 1: CK_SET(gemm_rows)(t, row, 1, column); break;
        }
    }
}

// MARK: Sums over a row

static float CK_SET(dot)(const float *a, const float *b, size_t count) {
    CK_SET(lanes) sums = {0};
    for (size_t i = 0; i < count; i += CK_LANES) {
        sums = __builtin_elementwise_fma(CK_SET(load)(a + i, count - i, 0), CK_SET(load)(b + i, count - i, 0), sums);
    }
    return CK_SET(sum)(sums);
}

static void CK_SET(rms_norm)(float *out, const float *x, size_t columns, const float *weight, float epsilon) {
    float scale = 1.0f / sqrtf(CK_SET(dot)(x, x, columns) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) out[i] = x[i] * scale * weight[i];
}

static void CK_SET(layer_norm)(float *out, const float *x, size_t columns, const float *weight, const float *bias, float epsilon) {
    CK_SET(lanes) sums = {0}, squares = {0};
    for (size_t i = 0; i < columns; i += CK_LANES) sums += CK_SET(load)(x + i, columns - i, 0);
    float mean = CK_SET(sum)(sums) / (float)columns;
    for (size_t i = 0; i < columns; i += CK_LANES) {
        CK_SET(lanes) centred = CK_SET(load)(x + i, columns - i, mean) - mean;
        squares = __builtin_elementwise_fma(centred, centred, squares);
    }
    float scale = 1.0f / sqrtf(CK_SET(sum)(squares) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) out[i] = fmaf((x[i] - mean) * scale, weight[i], bias[i]);
}

// MARK: Exponentials

static void CK_SET(softmax)(float *x, size_t columns) {
    float largest = x[0];
    for (size_t i = 1; i < columns; i++) largest = x[i] > largest ? x[i] : largest;
    CK_SET(lanes) sums = {0};
    for (size_t i = 0; i < columns; i += CK_LANES) {
        CK_SET(lanes) value = CK_SET(exponential)(CK_SET(load)(x + i, columns - i, largest) - largest);
        CK_SET(store)(x + i, value, columns - i);
        sums += CK_SET(load)(x + i, columns - i, 0);
    }
    float scale = 1.0f / CK_SET(sum)(sums);
    for (size_t i = 0; i < columns; i++) x[i] *= scale;
}

static void CK_SET(silu_multiply)(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i += CK_LANES) {
        CK_SET(lanes) x = CK_SET(load)(gate + i, count - i, 0);
        CK_SET(lanes) y = x / (1.0f + CK_SET(exponential)(-x)) * CK_SET(load)(up + i, count - i, 0);
        CK_SET(store)(gate + i, y, count - i);
    }
}

// MARK: Attention

/// Four vectors of an output head at a time: one chain over the positions for each element.
CK_INLINE void CK_SET(weigh)(float *out, const float *values, const float *scores, size_t positions, size_t stride, size_t count) {
    CK_SET(lanes) sums[4] = {{0}};
    for (size_t p = 0; p < positions; p++) {
        CK_SET(lanes) score = scores[p] - (CK_SET(lanes)){0};
        for (size_t v = 0; v < 4; v++) {
            if (v * CK_LANES >= count) break;
            CK_SET(lanes) value = CK_SET(load)(values + p * stride + v * CK_LANES, count - v * CK_LANES, 0);
            sums[v] = __builtin_elementwise_fma(score, value, sums[v]);
        }
    }
    for (size_t v = 0; v * CK_LANES < count; v++) CK_SET(store)(out + v * CK_LANES, sums[v], count - v * CK_LANES);
}

static void CK_SET(attend)(float *out, const float *query, const float *keys, const float *values, size_t positions,
                           size_t stride, size_t head_size, float scale, float *scores) {
    for (size_t p = 0; p < positions; p++) scores[p] = CK_SET(dot)(query, keys + p * stride, head_size) * scale;
    CK_SET(softmax)(scores, positions);
    size_t first = 0;
    for (; first + 4 * CK_LANES <= head_size; first += 4 * CK_LANES) {
        CK_SET(weigh)(out + first, values + first, scores, positions, stride, 4 * CK_LANES);
    }
    if (first < head_size) CK_SET(weigh)(out + first, values + first, scores, positions, stride, head_size - first);
}

#define CK_SET_TABLE                                                                                                     \
    {                                                                                                                    \
        .gemm = CK_SET(gemm), .dot = CK_SET(dot), .rms_norm = CK_SET(rms_norm), .layer_norm = CK_SET(layer_norm),        \
        .softmax = CK_SET(softmax), .silu_multiply = CK_SET(silu_multiply), .attend = CK_SET(attend),                    \
    }
