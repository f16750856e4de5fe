// One call of ck_attend_sequences, as its parts see it.
#ifndef CK_ATTENTION_JOB_H
#define CK_ATTENTION_JOB_H

#include "attention_kernels.h"

#include <math.h>

#pragma clang assume_nonnull begin

typedef struct {
    const ck_attention_kernels *kernels;
    ck_kv_shape shape;
    ck_kv_layout layout;
    size_t layer, heads;
    /// Query heads of a key head.
    size_t group;
    const ck_attention_sequence *sequences;
    /// Key heads whose tiles follow each other, and the tiles of so many.
    size_t span, span_tiles;
    uint8_t *scratch;
    size_t worker_bytes;
} ck_attention_job;

/// Scratch of one worker.
typedef struct {
    ck_attention_line *lines;
    /// [lines][head_size], [lines][padded], [lines][CK_PAGE_POSITIONS]
    float *queries, *out, *weights;
    /// Widened, ordered as in a page.
    float *keys, *values;
} ck_attention_workspace;

/// Lines begin ..< end of one key head: line i is query head i % group of row i / group.
typedef struct {
    const ck_attention_sequence *sequence;
    size_t head, begin, end;
} ck_attention_block;

/// All lines of a block go through the pages together.
void ck_attend_block(const ck_attention_job *job, const ck_attention_block *block, const ck_attention_workspace *w);

/// One line each of key heads head ..< head + heads, at most CK_KV_STREAMS, of a sequence that has one row and one query head per key head.
void ck_attend_streams(const ck_attention_job *job, const ck_attention_sequence *s, size_t head, size_t heads, const ck_attention_workspace *w);

static inline const uint8_t *ck_head_of(const ck_attention_job *job, const ck_attention_sequence *s, size_t page, size_t head) {
    return (const uint8_t *)s->pages[page] + (job->layer * job->shape.key_value_heads + head) * job->layout.head_bytes;
}

static inline ck_page_scales ck_scales_of(const ck_attention_job *job, const uint8_t *base) {
    ck_page_scales scales = {.scale = 1.0f / sqrtf((float)job->shape.head_size)};
    if (job->shape.type == CK_KV_Q8) {
        scales.key_scales = (const float *)(const void *)base;
        scales.value_scales = (const float *)(const void *)(base + job->layout.values) - CK_PAGE_POSITIONS;
    }
    return scales;
}

/// Whole vectors of columns.
static inline size_t ck_groups_of(size_t columns) { return (columns + CK_LANES - 1) / CK_LANES; }

#pragma clang assume_nonnull end

#endif
