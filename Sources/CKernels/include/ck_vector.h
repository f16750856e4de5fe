#ifndef CK_VECTOR_H
#define CK_VECTOR_H

#include "ck_pool.h"

#pragma clang assume_nonnull begin

// What stands between the matrix products, f32, channels-last. The rule of ck_gemm.h holds: a sum over a row has
// CK_LANES partial sums (element i goes to lane i % CK_LANES, ascending) that are added in one tree; bits depend on the
// values of that row alone. Pointers need no alignment; outputs may be the input where "in place" is said.

enum { CK_LANES = 16 };

/// Sum of a[i] * b[i] in the order above.
float ck_dot(const ck_pool *pool, const float *a, const float *b, size_t count);

/// out[r, c] = x[r, c] / sqrt(mean(x[r]^2) + epsilon) * weight[c]. out may be x.
void ck_rms_norm(ck_pool *pool, float *out, const float *x, size_t rows, size_t columns, const float *weight, float epsilon);

/// out[r, c] = (x[r, c] - mean) / sqrt(variance + epsilon) * weight[c] + bias[c]. out may be x.
void ck_layer_norm(ck_pool *pool, float *out, const float *x, size_t rows, size_t columns,
                   const float *weight, const float *bias, float epsilon);

/// Each row of x in place: exp(x - max) / sum.
void ck_softmax(ck_pool *pool, float *x, size_t rows, size_t columns);

/// In place: x * 0.5 * (1 + erf(x / sqrt 2)), through the C library's erf in double precision.
void ck_gelu(ck_pool *pool, float *x, size_t count);

/// In place: gate = gate / (1 + exp(-gate)) * up.
void ck_silu_multiply(ck_pool *pool, float *gate, const float *up, size_t count);

/// Rotates in place the heads of x[rows, heads, head_size]; row r stands at position first + r. Half-split pairing:
/// (x[i], x[i + half]) turns by the angle whose cosine and sine stand at [position, i] of the two tables, half = head_size / 2.
void ck_rotate(ck_pool *pool, float *x, size_t rows, size_t heads, size_t head_size, size_t first,
               const float *cosines, const float *sines);

/// Causal attention against a cache.
typedef struct {
    /// Query rows, and the position of the first of them. Query r sees positions 0 ... first + r.
    size_t rows, first;
    size_t heads, key_value_heads, head_size;
} ck_attention_shape;

/// out[rows, heads, head_size] = softmax(q . k / sqrt(head_size)) . v.  keys, values: [position, key_value_heads, head_size],
/// filled up to first + rows. heads % key_value_heads == 0; query head h reads key head h / (heads / key_value_heads).
/// `scores`: scratch of ck_pool_threads * (first + rows) floats. out must not overlap anything else.
void ck_attention(ck_pool *pool, float *out, const float *queries, const float *keys, const float *values,
                  ck_attention_shape shape, float *scores);

/// Attention without order: every query row sees every key row.
typedef struct {
    size_t queries, keys;
    size_t heads, head_size;
} ck_full_attention_shape;

/// out[queries, heads, head_size] = softmax(q . k / sqrt(head_size)) . v.  keys, values: [keys, heads, head_size], at least one row.
/// `scores`: scratch of ck_pool_threads * keys floats. out must not overlap anything else. The same arithmetic as ck_attention: a row
/// that sees all of a cache has the same bits here.
void ck_full_attention(ck_pool *pool, float *out, const float *queries, const float *keys, const float *values,
                       ck_full_attention_shape shape, float *scores);

/// 3x3, stride 2, padding 1 (ResNet's): out[ceil(h/2), ceil(w/2), channels] from x[h, w, channels]. No overlap.
void ck_max_pool(ck_pool *pool, float *out, const float *x, size_t height, size_t width, size_t channels);

/// side x side, stride side: out[h/side, w/side, channels]. h and w divisible by side. No overlap.
void ck_average_pool(float *out, const float *x, size_t height, size_t width, size_t channels, size_t side);

/// Index of the largest value; the lowest of equals. NaN is never larger. count > 0.
size_t ck_argmax(const float *x, size_t count);

#pragma clang assume_nonnull end

#endif
