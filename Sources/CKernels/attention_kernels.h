// Pages of keys and values as their parts see them: attention_store.c fills, attention_sequences.c splits, attention_stream.c (one line) and
// attention_block.c (many) go through the pages, attention_set.h computes.
#ifndef CK_ATTENTION_KERNELS_H
#define CK_ATTENTION_KERNELS_H

#include "ck_attention_pages.h"
#include "kernels.h"

#pragma clang assume_nonnull begin

enum {
    CK_HEAD_MOST = 256,
    /// Lines (a query row of one head) that share the widened keys and values of a page.
    CK_ATTENTION_LINES = 192,
    /// Parts of a page that are read at the same time: a core reaches the memory's full rate with two to four.
    CK_KV_STREAMS = 4,
    /// Rows of such a part between what is multiplied and what is fetched: of values, the same position sixteen columns on.
    CK_KV_AHEAD = 64,
};

/// One head of one layer of a page, every piece aligned to 64 bytes:
///   Q8: 64 scales of the keys (f32);   keys [64 / 16][head_size][16 positions];
///   Q8: 64 scales of the values (f32); values [head_size / 16, rounded up][64 positions][16].
/// So scores and outputs are the same product, sixteen columns wide, whose right-hand side lies in one piece.
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

/// Of page `page`, what the row at position `position` sees; it sees some.
static inline size_t ck_visible_of(size_t position, size_t page) {
    size_t seen = position + 1 - page * CK_PAGE_POSITIONS;
    return seen < CK_PAGE_POSITIONS ? seen : CK_PAGE_POSITIONS;
}

/// Part of a page as floats: element (k, c) is numbers[c / 16 * group + k * 16 + c % 16].
typedef struct {
    const float *numbers;
    size_t group;
    /// Vectors of CK_LANES columns.
    size_t groups;
} ck_kv_matrix;

/// Sixteen columns of such a part as a page has them: c[0 ..< 16] continues its chains, += a[k] * b[k][0 ..< 16].
typedef struct {
    float *c;
    const float *a;
    const uint8_t *b;
} ck_kv_stream;

/// A query row of one head on its way through the pages: its output is not yet divided by the sum of the weights.
typedef struct {
    /// The last one that it sees.
    size_t position;
    /// The largest score of the pages before, and of this one, too.
    float largest, grown;
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
    /// Sixteen numbers of `count` to `target`, the next sixteen `step` bytes on; returns their scale (1 but for Q8).
    float (*narrow)(ck_kv_type type, void *target, size_t step, const float *source, size_t count);
    /// c[r][0 ..< groups * 16] continues its chains: += a[r][k] * b[k], k = 0 ..< length.
    void (*product)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, ck_kv_matrix b, size_t length);
    /// CK_KV_STREAMS of them side by side. The same one may stand there twice.
    void (*stream)(ck_kv_type type, const ck_kv_stream *streams, size_t length);
    /// Chains over a head to the weights of page `page`, [count][CK_PAGE_POSITIONS], zero where a line does not see; rescales out[count][columns]
    /// where the maximum grew. `scales`: every line's, `stride` of them apart.
    void (*weigh)(ck_attention_line *lines, size_t count, size_t page, float *weights, const ck_page_scales *scales, size_t stride, float *out,
                  size_t columns);
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
