// Pages of keys and values as their parts see them: attention_store.c fills, attention_sequences.c splits, attention_set.h computes.
#ifndef CK_ATTENTION_KERNELS_H
#define CK_ATTENTION_KERNELS_H

#include "ck_attention_pages.h"
#include "kernels.h"

#pragma clang assume_nonnull begin

enum {
    CK_HEAD_MOST = 256,
    /// Columns of a panel of values: as many as a page has positions, so that scores and outputs are the same product.
    CK_KV_PANEL = CK_PAGE_POSITIONS,
    /// Lines (a query row of one head) that share the widened keys and values of a page.
    CK_ATTENTION_LINES = 192,
};

/// One head of one layer of a page, every piece aligned to 64 bytes:
///   Q8: 64 scales of the keys (f32);   keys [64 / 16][head_size][16 positions];
///   Q8: 64 scales of the values (f32); values in panels of 64 columns, the last one of the rest rounded up to 16: [64 positions][columns].
/// The keys of sixteen positions lie side by side: their scores are the lanes of a vector, and a position touches as few lines as that allows.
typedef struct {
    /// Bytes of a number, and head_size rounded up to 16.
    size_t element, padded;
    /// Where the numbers begin in a head; the scales stand before them.
    size_t keys, values;
    size_t head_bytes;
} ck_kv_layout;

static inline ck_kv_layout ck_kv_layout_of(ck_kv_shape shape) {
    ck_kv_layout l = {.element = shape.type == CK_KV_F32 ? 4 : shape.type == CK_KV_F16 ? 2 : 1};
    size_t scales = shape.type == CK_KV_Q8 ? CK_PAGE_POSITIONS * sizeof(float) : 0;
    l.padded = (shape.head_size + CK_LANES - 1) / CK_LANES * CK_LANES;
    l.keys = scales;
    l.values = l.keys + CK_PAGE_POSITIONS * shape.head_size * l.element + scales;
    l.head_bytes = l.values + CK_PAGE_POSITIONS * l.padded * l.element;
    return l;
}

/// Columns of the panel of values that begins at column `column`.
static inline size_t ck_kv_panel_columns(ck_kv_layout layout, size_t column) {
    return layout.padded - column < CK_KV_PANEL ? layout.padded - column : CK_KV_PANEL;
}

/// Part of a page as the right-hand side of a product: element (k, c) is number [c / 16 * group + k * row + c % 16].
typedef struct {
    const void *numbers;
    size_t row, group;
    /// Vectors of CK_LANES columns.
    size_t groups;
} ck_kv_matrix;

/// A query row of one head on its way through the pages: its output is not yet divided by the sum of the weights.
typedef struct {
    /// The last one that it sees.
    size_t position;
    float largest;
    _Alignas(64) float sums[CK_LANES];
} ck_attention_line;

/// Of a page, for the softmax. The scales are NULL but for Q8.
typedef struct {
    float scale;
    const float *_Nullable key_scales, *_Nullable value_scales;
} ck_page_scales;

typedef struct {
    /// target[i] = source[i], exact.
    void (*widen)(ck_kv_type type, float *target, const void *source, size_t count);
    /// target[0 ..< count] from source; returns the scale (1 but for Q8).
    float (*narrow)(ck_kv_type type, void *target, const float *source, size_t count);
    /// c[r][0 ..< groups * 16] continues its chains: += a[r][k] * b[k], k = 0 ..< length. b holds floats.
    void (*product)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, ck_kv_matrix b, size_t length);
    /// The same for one row and b as a page has it, at most CK_KV_PANEL columns; fetches to the cache what lies from `ahead` on, as many bytes as b has.
    void (*product_narrow)(ck_kv_type type, float *c, const float *a, ck_kv_matrix b, size_t length, const void *ahead);
    /// Chains over a head to weights, for positions 0 ..< visible of a page; rescales out[0 ..< columns] where the maximum grew.
    void (*weigh)(ck_attention_line *line, float *weights, size_t visible, ck_page_scales scales, float *out, size_t columns);
    /// target[0 ..< count] = out / sum.
    void (*finish)(const ck_attention_line *line, float *target, const float *out, size_t count);
} ck_attention_kernels;

extern const ck_attention_kernels ck_scalar_attention_kernels;
#if defined(__x86_64__)
extern const ck_attention_kernels ck_avx2_attention_kernels;
extern const ck_attention_kernels ck_avx512_attention_kernels;
#endif

/// Of the pool's instruction set.
const ck_attention_kernels *ck_pool_attention_kernels(const ck_pool *pool);

#pragma clang assume_nonnull end

#endif
