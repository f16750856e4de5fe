// The specification: what every instruction set computes, in plain C, to the bit.
#include "kernels.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static void gemm(const ck_gemm_tile *t) {
    for (size_t row = 0; row < t->row_count; row++) {
        for (size_t column = 0; column < t->columns; column++) {
            float *between = t->sums + row * CK_PANEL + column;
            float sum = !t->begins ? *between : t->bias == NULL ? 0 : t->bias[column];
            const float *weight = t->panel + column;
            for (size_t segment = 0; segment < t->segments; segment++) {
                const float *x = t->rows[segment * t->row_count + row] + t->offset;
                for (size_t k = 0; k < t->run; k++, weight += CK_PANEL) sum = fmaf(x[k], *weight, sum);
            }
            if (!t->ends) {
                *between = sum;
                continue;
            }
            size_t at = row * t->y_stride + column;
            if (t->residual != NULL) sum += t->residual[at];
            t->y[at] = t->relu && sum < 0 ? 0 : sum;
        }
    }
}

static float add_lanes(float *lanes) {
    for (size_t width = CK_LANES / 2; width > 0; width /= 2) {
        for (size_t lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
    }
    return lanes[0];
}

static float dot(const float *a, const float *b, size_t count) {
    float lanes[CK_LANES] = {0};
    for (size_t i = 0; i < count; i++) lanes[i % CK_LANES] = fmaf(a[i], b[i], lanes[i % CK_LANES]);
    return add_lanes(lanes);
}

static void rms_norm(float *out, const float *x, size_t columns, const float *weight, float epsilon) {
    float scale = 1.0f / sqrtf(dot(x, x, columns) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) out[i] = x[i] * scale * weight[i];
}

static void layer_norm(float *out, const float *x, size_t columns, const float *weight, const float *bias, float epsilon) {
    float sums[CK_LANES] = {0}, squares[CK_LANES] = {0};
    for (size_t i = 0; i < columns; i++) sums[i % CK_LANES] += x[i];
    float mean = add_lanes(sums) / (float)columns;
    for (size_t i = 0; i < columns; i++) squares[i % CK_LANES] = fmaf(x[i] - mean, x[i] - mean, squares[i % CK_LANES]);
    float scale = 1.0f / sqrtf(add_lanes(squares) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) out[i] = fmaf((x[i] - mean) * scale, weight[i], bias[i]);
}

/// exp(x) for x in -87 ... 88 (clamped): 2^n times a polynomial on +-ln2/2. Coefficients: Cephes expf.
static float exponential(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer, to even
    float n = fmaf(x, 1.44269504088896341f, round) - round;
    float r = fmaf(n, -0.693359375f, x);
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p, r * r, r + 1.0f);
    uint32_t bits = (uint32_t)((n == n ? (int32_t)n : 0) + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static void softmax(float *x, size_t columns) {
    float largest = x[0], sums[CK_LANES] = {0};
    for (size_t i = 1; i < columns; i++) largest = x[i] > largest ? x[i] : largest;
    for (size_t i = 0; i < columns; i++) {
        x[i] = exponential(x[i] - largest);
        sums[i % CK_LANES] += x[i];
    }
    float scale = 1.0f / add_lanes(sums);
    for (size_t i = 0; i < columns; i++) x[i] *= scale;
}

static void silu_multiply(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++) gate[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

static void attend(float *out, const float *query, const float *keys, const float *values, size_t positions,
                   size_t stride, size_t head_size, float scale, float *scores) {
    for (size_t p = 0; p < positions; p++) scores[p] = dot(query, keys + p * stride, head_size) * scale;
    softmax(scores, positions);
    for (size_t i = 0; i < head_size; i++) {
        float sum = 0;
        for (size_t p = 0; p < positions; p++) sum = fmaf(scores[p], values[p * stride + i], sum);
        out[i] = sum;
    }
}

const ck_kernels ck_scalar_kernels = {
    .gemm = gemm, .dot = dot, .rms_norm = rms_norm, .layer_norm = layer_norm,
    .softmax = softmax, .silu_multiply = silu_multiply, .attend = attend,
};
