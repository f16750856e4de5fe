// What one instruction set provides: the body of a tile. Splitting into tiles is in pool.c, gemm.c and vector.c.
#ifndef CK_KERNELS_H
#define CK_KERNELS_H

#include "ck_gemm.h"
#include "ck_vector.h"

#pragma clang assume_nonnull begin

/// A block of rows against one panel, or a piece of the chains of its outputs (ck_gemm.h).
typedef struct {
    /// [segments][row_count]: where each row's run begins, segment by segment. The piece takes `run` floats of it from `offset` on.
    const float *_Nonnull const *_Nonnull rows;
    size_t row_count, segments, offset, run;
    /// [segments * run][CK_PANEL]
    const float *panel;
    /// [row_count][CK_PANEL]: the chains between pieces. Neither read nor written where one piece is all.
    float *sums;
    /// Whether the chains begin here, with the bias, and whether they end here, in y.
    bool begins, ends;
    /// Outputs of this panel that exist, 1 ... CK_PANEL.
    size_t columns;
    /// At the first output of the panel, or NULL.
    const float *_Nullable bias;
    /// At the first row and output, or NULL; stride as y.
    const float *_Nullable residual;
    float *y;
    size_t y_stride;
    bool relu;
} ck_gemm_tile;

typedef struct {
    void (*gemm)(const ck_gemm_tile *tile);
    float (*dot)(const float *a, const float *b, size_t count);
    void (*rms_norm)(float *out, const float *x, size_t columns, const float *weight, float epsilon);
    void (*layer_norm)(float *out, const float *x, size_t columns, const float *weight, const float *bias, float epsilon);
    void (*softmax)(float *x, size_t columns);
    void (*silu_multiply)(float *gate, const float *up, size_t count);
    /// One query head against `positions` cached rows that lie `stride` floats apart. `scores`: [positions].
    void (*attend)(float *out, const float *query, const float *keys, const float *values, size_t positions,
                   size_t stride, size_t head_size, float scale, float *scores);
} ck_kernels;

extern const ck_kernels ck_scalar_kernels;
#if defined(__x86_64__)
extern const ck_kernels ck_avx2_kernels;
extern const ck_kernels ck_avx512_kernels;
#endif

/// `set`: one that the processor has.
const ck_kernels *ck_kernels_of(ck_instruction_set set);
const ck_kernels *ck_pool_kernels(const ck_pool *pool);
ck_instruction_set ck_pool_set(const ck_pool *pool);

#pragma clang assume_nonnull end

#endif
