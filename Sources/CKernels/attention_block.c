// Many lines of one key head: a page's keys and values are widened once and used for all of them.
#include "attention_job.h"

#include <string.h>

/// Lines that go through a product together on the diagonal: a multiple of what each instruction set takes at once.
enum { CK_ATTENTION_STRIP = 12 };

/// Where the query and the output of a sequence's line lie.
static size_t number_of(const ck_attention_job *job, size_t head, size_t line) {
    return (line / job->group * job->heads + head * job->group + line % job->group) * job->shape.head_size;
}

/// Asks for numbers that another row's lie far from: the processor does not guess where the next ones are.
static void fetch(const float *numbers, size_t count) {
    enum { line = 64 / sizeof(float) };
    for (size_t i = 0; i < count; i += line) __builtin_prefetch(numbers + i);
}

/// The first `positions` of a page as floats, ordered as they are.
static void widen_page(const ck_attention_job *job, const uint8_t *base, size_t positions, const ck_attention_workspace *w) {
    ck_kv_layout l = job->layout;
    job->kernels->widen(job->shape.type, w->keys, base + l.keys, ck_groups_of(positions) * CK_LANES * job->shape.head_size);
    for (size_t column = 0; column < l.padded; column += CK_LANES) {
        size_t offset = column * CK_PAGE_POSITIONS;
        job->kernels->widen(job->shape.type, w->values + offset, base + l.values + offset * l.element, positions * CK_LANES);
    }
}

/// Scores of lines first ..< end, in weights, then what the softmax makes of them.
static void weigh_lines(const ck_attention_job *job, const ck_attention_block *b, size_t page, size_t first, size_t end,
                        ck_page_scales scales, const float *keys, const ck_attention_workspace *w) {
    size_t head_size = job->shape.head_size, visible = ck_visible_of(w->lines[end - 1].position, page);
    float *weights = w->weights + first * CK_PAGE_POSITIONS;
    memset(weights, 0, (end - first) * CK_PAGE_POSITIONS * sizeof(float));
    ck_kv_matrix matrix = {keys, CK_LANES * head_size, ck_groups_of(visible)};
    job->kernels->product(weights, CK_PAGE_POSITIONS, w->queries + first * head_size, head_size, end - first, matrix, head_size);
    if (page == 0) {
        for (size_t i = first; i < end; i++) fetch(b->sequence->out + number_of(job, b->head, b->begin + i), head_size);
    }
    job->kernels->weigh(w->lines + first, end - first, page, weights, &scales, 0, w->out + first * job->layout.padded, job->layout.padded);
}

/// One line's outputs from positions first ..< end of a page.
static void add_line(const ck_attention_job *job, const ck_attention_workspace *w, size_t line, const float *values, size_t first, size_t end) {
    size_t groups = job->layout.padded / CK_LANES;
    for (size_t group = 0; group < groups; group += CK_KV_STREAMS) {
        ck_kv_stream streams[CK_KV_STREAMS];
        for (size_t i = 0; i < CK_KV_STREAMS; i++) {
            size_t at = group + i < groups ? group + i : groups - 1;
            streams[i] = (ck_kv_stream){
                .c = w->out + line * job->layout.padded + at * CK_LANES, .a = w->weights + line * CK_PAGE_POSITIONS + first,
                .b = (const uint8_t *)(values + (at * CK_PAGE_POSITIONS + first) * CK_LANES)};
        }
        job->kernels->stream(CK_KV_F32, streams, end - first);
    }
}

/// Positions that all of the lines see go through the product together; the rest, where they cross the diagonal, line by line: what a line
/// does not see is not even multiplied by zero.
static void add_lines(const ck_attention_job *job, size_t page, size_t first, size_t end, const float *values, const ck_attention_workspace *w) {
    size_t padded = job->layout.padded, common = ck_visible_of(w->lines[first].position, page);
    ck_kv_matrix matrix = {values, CK_LANES * CK_PAGE_POSITIONS, padded / CK_LANES};
    job->kernels->product(w->out + first * padded, padded, w->weights + first * CK_PAGE_POSITIONS, CK_PAGE_POSITIONS, end - first, matrix, common);
    for (size_t i = first; i < end; i++) {
        size_t visible = ck_visible_of(w->lines[i].position, page);
        if (visible > common) add_line(job, w, i, values, common, visible);
    }
}

/// Lines that are computed together from `first` on: all that are left where they see the whole page, else a strip along the diagonal.
static size_t strip_end(size_t first, size_t lines, size_t page, const ck_attention_workspace *w) {
    if (ck_visible_of(w->lines[first].position, page) == CK_PAGE_POSITIONS) return lines;
    return lines - first < CK_ATTENTION_STRIP ? lines : first + CK_ATTENTION_STRIP;
}

void ck_attend_block(const ck_attention_job *job, const ck_attention_block *b, const ck_attention_workspace *w) {
    const ck_attention_sequence *s = b->sequence;
    size_t head_size = job->shape.head_size, lines = b->end - b->begin;
    for (size_t i = 0; i < lines; i++) {
        fetch(s->queries + number_of(job, b->head, b->begin + (i + 8 < lines ? i + 8 : i)), head_size);
        w->lines[i] = (ck_attention_line){.position = s->first + (b->begin + i) / job->group, .largest = -INFINITY};
        // Together: rows of queries lie a power of two apart, often, and would share few sets of the first-level cache.
        memcpy(w->queries + i * head_size, s->queries + number_of(job, b->head, b->begin + i), head_size * sizeof(float));
    }
    memset(w->out, 0, lines * job->layout.padded * sizeof(float));
    size_t first = 0, last = w->lines[lines - 1].position;
    for (size_t page = 0; page * CK_PAGE_POSITIONS <= last; page++) {
        const uint8_t *base = ck_head_of(job, s, page, b->head);
        const float *keys = (const float *)(const void *)(base + job->layout.keys), *values = (const float *)(const void *)(base + job->layout.values);
        if (job->shape.type != CK_KV_F32) {
            widen_page(job, base, ck_visible_of(last, page), w);
            keys = w->keys;
            values = w->values;
        }
        ck_page_scales scales = ck_scales_of(job, base);
        while (w->lines[first].position < page * CK_PAGE_POSITIONS) first++;
        for (size_t i = first; i < lines; i = strip_end(i, lines, page, w)) {
            weigh_lines(job, b, page, i, strip_end(i, lines, page, w), scales, keys, w);
        }
        for (size_t i = first; i < lines; i = strip_end(i, lines, page, w)) {
            add_lines(job, page, i, strip_end(i, lines, page, w), values, w);
        }
    }
    for (size_t i = 0; i < lines; i++) {
        job->kernels->finish(w->lines + i, s->out + number_of(job, b->head, b->begin + i), w->out + i * job->layout.padded, head_size);
    }
}
