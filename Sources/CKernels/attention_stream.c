// One query row of a sequence: straight from the pages, four heads side by side. The time is what reading takes.
#include "attention_job.h"

#include <string.h>

/// As much of a part as the kernel looks ahead.
static void fetch(const uint8_t *bytes, ck_kv_layout layout) {
    for (size_t i = 0; i < CK_KV_AHEAD * CK_LANES * layout.element; i += 64) __builtin_prefetch(bytes + i);
}

/// `c[h]` += `a[h]` times the part of head h that begins at `b[h]`, whose groups of sixteen columns lie `group` numbers apart.
typedef struct {
    float *c;
    size_t c_stride;
    const float *a;
    size_t a_stride;
    const uint8_t *_Nonnull *_Nonnull b;
    size_t offset, group, groups;
} ck_stream_product;

/// The heads' first sixteen columns, then their next.
static void run_streams(const ck_attention_job *job, const ck_stream_product *p, size_t heads, size_t length) {
    size_t parts = p->groups * heads;
    for (size_t part = 0; part < parts; part += CK_KV_STREAMS) {
        ck_kv_stream streams[CK_KV_STREAMS];
        for (size_t i = 0; i < CK_KV_STREAMS; i++) {
            size_t at = part + i < parts ? part + i : parts - 1, group = at / heads, head = at % heads;
            streams[i] = (ck_kv_stream){
                .c = p->c + head * p->c_stride + group * CK_LANES, .a = p->a + head * p->a_stride,
                .b = p->b[head] + p->offset + group * p->group * job->layout.element};
        }
        job->kernels->stream(job->shape.type, streams, length);
    }
}

void ck_attend_streams(const ck_attention_job *job, const ck_attention_sequence *s, size_t head, size_t heads, const ck_attention_workspace *w) {
    ck_kv_layout l = job->layout;
    size_t head_size = job->shape.head_size, pages = s->first / CK_PAGE_POSITIONS + 1;
    const uint8_t *bases[CK_KV_STREAMS];
    ck_page_scales scales[CK_KV_STREAMS];
    for (size_t h = 0; h < heads; h++) {
        w->lines[h] = (ck_attention_line){.position = s->first, .largest = -INFINITY};
        fetch(ck_head_of(job, s, 0, head + h), l);
    }
    memset(w->out, 0, heads * l.padded * sizeof(float));
    for (size_t page = 0; page < pages; page++) {
        size_t visible = ck_visible_of(s->first, page);
        for (size_t h = 0; h < heads; h++) bases[h] = ck_head_of(job, s, page, head + h);
        memset(w->weights, 0, heads * CK_PAGE_POSITIONS * sizeof(float));
        ck_stream_product scores = {
            w->weights, CK_PAGE_POSITIONS, s->queries + head * head_size, head_size, bases, l.keys, CK_LANES * head_size, ck_groups_of(visible)};
        run_streams(job, &scores, heads, head_size);
        for (size_t h = 0; h < heads; h++) {
            if (page + 1 < pages) fetch(ck_head_of(job, s, page + 1, head + h), l);
            scales[h] = ck_scales_of(job, bases[h]);
        }
        job->kernels->weigh(w->lines, heads, page, w->weights, scales, 1, w->out, l.padded);
        ck_stream_product sums = {
            w->out, l.padded, w->weights, CK_PAGE_POSITIONS, bases, l.values, CK_LANES * CK_PAGE_POSITIONS, ck_groups_of(head_size)};
        run_streams(job, &sums, heads, visible);
    }
    for (size_t h = 0; h < heads; h++) job->kernels->finish(w->lines + h, s->out + (head + h) * head_size, w->out + h * l.padded, head_size);
}
